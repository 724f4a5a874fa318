// Copyright MotionBridge contributors. MIT licence.

// What each message from the server does, and what is sent in answer.

#include "MotionBridgeCore/Session.h"
#include "MotionBridgeCore/Skeleton.h"

#include <algorithm>

namespace MotionBridge
{

namespace
{

constexpr int PolicyViolation = 1008;

} // namespace

void FSession::MessageReceived(FBytes Message, double Now)
{
	if (State != EConnection::Greeting && State != EConnection::Connected)
	{
		return;
	}
	const bool bDecoded = DecodeServer(Message, Incoming, IncomingError);
	// What cannot be read has arrived all the same. Before `welcome` nothing is of the session yet.
	if (State == EConnection::Connected && !(bDecoded && std::holds_alternative<FWelcome>(Incoming)))
	{
		++Received;
	}
	if (!bDecoded)
	{
		// Types of later versions are to be ignored; anything else is a fault of the server's, and worth counting.
		BadMessages += IncomingError.Code == EErrorCode::UnknownType ? 0 : 1;
		return;
	}
	std::visit([this, Now](auto& Kind) { Take(Kind, Now); }, Incoming);
}

void FSession::Take(FWelcome& Message, double)
{
	if (State != EConnection::Greeting)
	{
		return;
	}
	std::string Fault;
	if (!FindJointOrder(Message.Skeleton, Order, Fault))
	{
		GiveUp(PolicyViolation, Fault);
		return;
	}
	const bool bHadSession = bWelcomed;
	const bool bContinues = Message.bResumed && bWelcomed;
	Welcome = std::move(Message);
	bWelcomed = true;
	Received = bContinues ? Received : 0;
	ResumeToken = Welcome.Resume.value_or(std::string());
	Attempts = 0;
	NextReport = 0.0;
	const std::vector<FClientMessage> Due = CollectDue(bContinues, bHadSession);
	RemoveAllBut(bContinues ? Welcome.Characters : std::vector<std::string>());
	for (const std::string& Name : Welcome.Characters)
	{
		AddCharacter(Name);
	}
	// Whoever heard of the characters may have disconnected.
	if (State != EConnection::Greeting)
	{
		return;
	}
	TransmitAll(Due);
	Change(EConnection::Connected, Welcome.Server);
	if (State == EConnection::Connected)
	{
		Host.OnWelcome(Welcome, bContinues);
	}
}

std::vector<FClientMessage> FSession::CollectDue(bool bContinues, bool bHadSession)
{
	if (bContinues)
	{
		return Memory.Unanswered();
	}
	if (!bHadSession || !Config.bRestore)
	{
		Memory.Clear();
		return {};
	}
	FPose Pose;
	for (const std::unique_ptr<FCharacterStream>& Stream : Characters)
	{
		if (Stream->SamplePose(Pose) != ESample::Nothing)
		{
			Memory.Leave(Stream->GetName(), PlaceOf(Pose));
		}
	}
	return Memory.BeginAnew();
}

void FSession::TransmitAll(const std::vector<FClientMessage>& Due)
{
	for (const FClientMessage& Message : Due)
	{
		Transmit(Message);
	}
	// What was asked for while there was no connection comes after what was asked for before.
	for (const std::vector<uint8_t>& Bytes : Waiting)
	{
		FClientMessage Message;
		FProtocolError Error;
		if (DecodeClient(FBytes(Bytes.data(), Bytes.size()), Message, Error))
		{
			Memory.Sent(Message);
		}
		Host.SendBytes(FBytes(Bytes.data(), Bytes.size()));
	}
	Waiting.clear();
}

void FSession::FollowPath(const FCharacterStream& Stream)
{
	FPose Pose;
	if (!Memory.NeedsPlace(Stream.GetName()) || Stream.SamplePose(Pose) == ESample::Nothing)
	{
		return;
	}
	if (const std::optional<FSteer> Steer = Memory.PassAt(Stream.GetName(), PlaceOf(Pose)))
	{
		Transmit(*Steer);
	}
}

void FSession::TransmitControls(FCharacterStream& Stream)
{
	for (const FClientMessage& Control : Memory.ControlsDue(Stream.GetName()))
	{
		Transmit(Control);
		Stream.SetPaused(Memory.IsPaused(Stream.GetName()));
	}
}

void FSession::Transmit(const FClientMessage& Message)
{
	Encode(Message, Outgoing);
	Host.SendBytes(FBytes(Outgoing.data(), Outgoing.size()));
}

void FSession::Take(const FPromptStatus& Message, double)
{
	Memory.Take(Message);
	if (Message.Status == EStatus::Accepted)
	{
		FCharacterStream* Stream = AddCharacter(Message.Character);
		if (Stream)
		{
			TransmitControls(*Stream);
		}
	}
	Host.OnPromptStatus(Message);
}

void FSession::Take(const FFrames& Message, double Now)
{
	if (FCharacterStream* Stream = FindCharacter(Message.Character))
	{
		Stream->Receive(Message, Order, Now);
	}
}

void FSession::Take(const FClip& Message, double)
{
	Host.OnClip(Message);
}

void FSession::Take(const FErrorMessage& Message, double)
{
	if (Memory.Take(Message))
	{
		LastError = Message.Code + ": " + Message.Message;
		Host.OnErrorMessage(Message);
	}
}

void FSession::Take(const FStats& Message, double)
{
	Host.OnStats(Message);
}

FCharacterStream* FSession::FindCharacter(std::string_view Name)
{
	for (const std::unique_ptr<FCharacterStream>& Stream : Characters)
	{
		if (Stream->GetName() == Name)
		{
			return Stream.get();
		}
	}
	return nullptr;
}

FCharacterStream* FSession::AddCharacter(std::string_view Name)
{
	FCharacterStream* Known = FindCharacter(Name);
	if (Known || Characters.size() >= Limits::MaxCharacters)
	{
		return Known;
	}
	Characters.push_back(std::make_unique<FCharacterStream>(std::string(Name), Config.BufferFrames));
	FCharacterStream* Added = Characters.back().get();
	Added->Reset(Welcome.FrameRate, Welcome.Lead);
	Host.OnCharacterAdded(*Added);
	return Added;
}

void FSession::RemoveCharacter(std::string_view Name)
{
	const auto Found = std::find_if(Characters.begin(), Characters.end(),
		[Name](const std::unique_ptr<FCharacterStream>& Stream) { return Stream->GetName() == Name; });
	if (Found != Characters.end())
	{
		const std::unique_ptr<FCharacterStream> Removed = std::move(*Found);
		Characters.erase(Found);
		Host.OnCharacterRemoved(*Removed);
	}
}

void FSession::RemoveAllBut(const std::vector<std::string>& Kept)
{
	std::vector<std::string> Gone;
	for (const std::unique_ptr<FCharacterStream>& Stream : Characters)
	{
		if (std::find(Kept.begin(), Kept.end(), Stream->GetName()) == Kept.end())
		{
			Gone.push_back(Stream->GetName());
		}
	}
	for (const std::string& Name : Gone)
	{
		RemoveCharacter(Name);
	}
}

} // namespace MotionBridge
