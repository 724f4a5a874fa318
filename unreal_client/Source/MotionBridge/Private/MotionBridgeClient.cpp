// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeClient.h"

#include "HAL/PlatformTime.h"
#include "MotionBridgeConvert.h"
#include "MotionBridgeSocket.h"

DEFINE_LOG_CATEGORY(LogMotionBridge);

namespace
{

constexpr const char* PluginVersion = "0.1.0";

static_assert(static_cast<int>(EMotionBridgeConnection::WaitingToReconnect) ==
	static_cast<int>(MotionBridge::EConnection::WaitingToReconnect));
static_assert(static_cast<int>(EMotionBridgePromptStatus::Failed) == static_cast<int>(MotionBridge::EStatus::Failed));
static_assert(static_cast<int>(EMotionBridgeOnEnd::Hold) == static_cast<int>(MotionBridge::EOnEnd::Hold));

MotionBridge::FSessionConfig MakeConfig(const FMotionBridgeConnectionSettings& Settings)
{
	MotionBridge::FSessionConfig Config;
	Config.Url = MotionBridge::FromEngine(Settings.Url);
	Config.ClientVersion = PluginVersion;
	if (!Settings.Token.IsEmpty())
	{
		Config.Token = MotionBridge::FromEngine(Settings.Token);
	}
	Config.FrameRate = FMath::Clamp<double>(
		Settings.FrameRate, MotionBridge::Limits::MinFrameRate, MotionBridge::Limits::MaxFrameRate);
	Config.Encoding = Settings.bCompactRotations ? MotionBridge::EEncoding::Int16 : MotionBridge::EEncoding::Float32;
	Config.Seed = FPlatformTime::Cycles64();
	return Config;
}

std::optional<double> IfPositive(float Value)
{
	return Value > 0.0f ? std::optional<double>(Value) : std::nullopt;
}

/** Of cm/s; none for 0, which is a character's own speed. */
std::optional<double> MetresPerSecond(float Speed)
{
	return IfPositive(Speed / static_cast<float>(MotionBridge::UnitsPerMetre(MotionBridge::EAxes::UnrealActor)));
}

std::optional<int64_t> IfSeed(int64 Value)
{
	return Value >= 0 ? std::optional<int64_t>(Value) : std::nullopt;
}

} // namespace

TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> FMotionBridgeClient::Create(
	const FMotionBridgeConnectionSettings& Settings)
{
	const TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> Client =
		MakeShareable(new FMotionBridgeClient(Settings));
	const TWeakPtr<FMotionBridgeClient, ESPMode::ThreadSafe> Weak(Client);
	Client->TickerHandle = FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateLambda(
		[Weak](float)
		{
			const TSharedPtr<FMotionBridgeClient, ESPMode::ThreadSafe> Pinned = Weak.Pin();
			if (Pinned.IsValid())
			{
				Pinned->Tick(FPlatformTime::Seconds());
			}
			return Pinned.IsValid();
		}));
	Client->Session.Connect(FPlatformTime::Seconds());
	return Client;
}

FMotionBridgeClient::FMotionBridgeClient(const FMotionBridgeConnectionSettings& Settings)
	: Url(Settings.Url)
	, Session(MakeConfig(Settings), *this)
{}

FMotionBridgeClient::~FMotionBridgeClient()
{
	FTSTicker::GetCoreTicker().RemoveTicker(TickerHandle);
	OnConnectionChanged.Clear();
	OnPrompt.Clear();
	OnErrorEvent.Clear();
	OnAdded.Clear();
	OnRemoved.Clear();
	Session.Disconnect();
}

void FMotionBridgeClient::Tick(double Now)
{
	// A handler may let go of the last other reference to this.
	const TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> KeptAlive = AsShared();
	const TSharedPtr<FMotionBridgeSocket, ESPMode::ThreadSafe> Current = Socket;
	TArray<FMotionBridgeSocket::FEvent> Events;
	if (Current.IsValid())
	{
		Current->Take(Events);
	}
	for (const FMotionBridgeSocket::FEvent& Event : Events)
	{
		if (Current != Socket)
		{
			break;
		}
		switch (Event.Kind)
		{
			case FMotionBridgeSocket::EKind::Opened:
				Session.SocketOpened(Now);
				break;
			case FMotionBridgeSocket::EKind::Message:
				Session.MessageReceived(
					MotionBridge::FBytes(Event.Data.GetData(), static_cast<size_t>(Event.Data.Num())), Now);
				break;
			case FMotionBridgeSocket::EKind::Closed:
				Session.SocketClosed(Event.Code, MotionBridge::FromEngine(Event.Reason), Now);
				break;
		}
	}
	Session.Tick(Now);
}

bool FMotionBridgeClient::Send(const MotionBridge::FClientMessage& Message, const FString& Character)
{
	MotionBridge::FProtocolError Error;
	if (Session.Send(Message, Error))
	{
		return true;
	}
	FMotionBridgeErrorEvent Event;
	Event.Code = MotionBridge::ToEngine(MotionBridge::ToText(Error.Code));
	Event.Message = MotionBridge::ToEngine(Error.Message);
	Event.Field = MotionBridge::ToEngine(Error.Field);
	Event.PromptId = MotionBridge::ToEngine(Error.Id);
	Event.Character = Character;
	Fail(Event);
	return false;
}

void FMotionBridgeClient::Fail(const FMotionBridgeErrorEvent& Event)
{
	UE_LOG(LogMotionBridge, Warning, TEXT("%s: %s"), *Event.Code, *Event.Message);
	OnErrorEvent.Broadcast(Event);
}

FString FMotionBridgeClient::SendPrompt(
	const FString& Character, const FString& Text, bool bQueue, const FMotionBridgePromptOptions& Options)
{
	MotionBridge::FPrompt Prompt;
	Prompt.Character = MotionBridge::FromEngine(Character);
	Prompt.Id = Session.NextId();
	Prompt.Text = MotionBridge::FromEngine(Text);
	Prompt.Seconds = IfPositive(Options.Seconds);
	Prompt.Seed = IfSeed(Options.Seed);
	Prompt.Guidance = Options.Guidance >= 0.0f ? std::optional<double>(Options.Guidance) : std::nullopt;
	Prompt.Mode = bQueue ? MotionBridge::EMode::Queue : MotionBridge::EMode::Replace;
	Prompt.OnEnd = static_cast<MotionBridge::EOnEnd>(Options.OnEnd);
	return Send(Prompt, Character) ? MotionBridge::ToEngine(Prompt.Id) : FString();
}

TArray<FString> FMotionBridgeClient::SendTimeline(
	const FString& Character, const TArray<FMotionBridgeTimelineEntry>& Entries, bool bQueue, EMotionBridgeOnEnd OnEnd)
{
	MotionBridge::FTimeline Timeline;
	TArray<FString> Ids;
	Timeline.Id = Session.NextId();
	Timeline.Character = MotionBridge::FromEngine(Character);
	Timeline.Mode = bQueue ? MotionBridge::EMode::Queue : MotionBridge::EMode::Replace;
	Timeline.OnEnd = static_cast<MotionBridge::EOnEnd>(OnEnd);
	for (const FMotionBridgeTimelineEntry& Entry : Entries)
	{
		const std::string Id = Session.NextId();
		Timeline.Prompts.push_back(
			{Id, MotionBridge::FromEngine(Entry.Text), IfPositive(Entry.Seconds), IfSeed(Entry.Seed), std::nullopt});
		Ids.Add(MotionBridge::ToEngine(Id));
	}
	return Send(Timeline, Character) ? Ids : TArray<FString>();
}

bool FMotionBridgeClient::Steer(const FString& Character, float YawDegrees, float Speed)
{
	const MotionBridge::FPlace Place = SamplePlace(Character).value_or(MotionBridge::FPlace());
	MotionBridge::FSteer Message;
	Message.Character = MotionBridge::FromEngine(Character);
	// Yaw turns to the right as seen from above, heading to the left.
	const double Turn = -FMath::DegreesToRadians(static_cast<double>(YawDegrees));
	Message.Heading = MotionBridge::WrapAngle(Place.Heading + Turn);
	Message.Speed = MetresPerSecond(Speed);
	return SendSteer(Message);
}

bool FMotionBridgeClient::SteerAlong(const FString& Character, const TArray<FVector>& Waypoints, float Speed)
{
	const MotionBridge::FPlace Place = SamplePlace(Character).value_or(MotionBridge::FPlace());
	MotionBridge::FSteer Message;
	Message.Character = MotionBridge::FromEngine(Character);
	Message.Waypoints.emplace();
	for (const FVector& Waypoint : Waypoints)
	{
		const MotionBridge::FVec3 Local =
			MotionBridge::FromModel(MotionBridge::EAxes::UnrealActor, MotionBridge::FromEngine(Waypoint));
		const MotionBridge::FVec3 Point = MotionBridge::FromLocal(Place, Local);
		Message.Waypoints->push_back({Point.X, Point.Z});
	}
	Message.Speed = MetresPerSecond(Speed);
	return SendSteer(Message);
}

bool FMotionBridgeClient::SendSteer(const MotionBridge::FSteer& Message)
{
	return Send(Message, MotionBridge::ToEngine(Message.Character));
}

std::optional<MotionBridge::FPlace> FMotionBridgeClient::SamplePlace(const FString& Character)
{
	const MotionBridge::FCharacterStream* Stream = FindCharacter(MotionBridge::FromEngine(Character));
	MotionBridge::FPose Pose;
	if (!Stream || Stream->SamplePose(Pose) == MotionBridge::ESample::Nothing)
	{
		return std::nullopt;
	}
	return MotionBridge::PlaceOf(Pose);
}

bool FMotionBridgeClient::FindPlace(const FString& Character, MotionBridge::FPlace& Out)
{
	if (const std::optional<MotionBridge::FPlace> Place = SamplePlace(Character))
	{
		Out = *Place;
		return true;
	}
	FMotionBridgeErrorEvent Event;
	Event.Code = TEXT("not_shown");
	Event.Message =
		FString::Printf(TEXT("%s is not shown yet: steer it after its first prompt has started"), *Character);
	Event.Character = Character;
	Fail(Event);
	return false;
}

bool FMotionBridgeClient::StopSteering(const FString& Character)
{
	MotionBridge::FSteer Message;
	Message.Character = MotionBridge::FromEngine(Character);
	return Send(Message, Character);
}

bool FMotionBridgeClient::SendControl(const FString& Character, MotionBridge::EAction Action)
{
	MotionBridge::FControl Message;
	Message.Character = MotionBridge::FromEngine(Character);
	Message.Action = Action;
	return Send(Message, Character);
}

void FMotionBridgeClient::OpenSocket()
{
	Socket = FMotionBridgeSocket::Open(Url);
}

void FMotionBridgeClient::SendBytes(MotionBridge::FBytes Message)
{
	if (Socket.IsValid())
	{
		Socket->Send(Message.Data, Message.Size);
	}
}

void FMotionBridgeClient::CloseSocket(int Code, std::string_view Reason)
{
	if (Socket.IsValid())
	{
		Socket->Close(Code, MotionBridge::ToEngine(Reason));
		Socket.Reset();
	}
}

void FMotionBridgeClient::OnConnection(MotionBridge::EConnection State, std::string_view Reason)
{
	Detail = MotionBridge::ToEngine(Reason);
	UE_LOG(LogMotionBridge, Log, TEXT("%s"), *Detail);
	OnConnectionChanged.Broadcast(static_cast<EMotionBridgeConnection>(State), Detail);
}

void FMotionBridgeClient::OnPromptStatus(const MotionBridge::FPromptStatus& Message)
{
	FMotionBridgePromptEvent Event;
	Event.Character = MotionBridge::ToEngine(Message.Character);
	Event.PromptId = MotionBridge::ToEngine(Message.Id);
	Event.Status = static_cast<EMotionBridgePromptStatus>(Message.Status);
	Event.Seconds = static_cast<float>(Message.Seconds.value_or(0.0));
	Event.Seed = Message.Seed.value_or(-1);
	Event.Reason = MotionBridge::ToEngine(Message.Reason.value_or(std::string()));
	OnPrompt.Broadcast(Event);
}

void FMotionBridgeClient::OnErrorMessage(const MotionBridge::FErrorMessage& Message)
{
	FMotionBridgeErrorEvent Event;
	Event.Code = MotionBridge::ToEngine(Message.Code);
	Event.Message = MotionBridge::ToEngine(Message.Message);
	Event.Character = MotionBridge::ToEngine(Message.Character.value_or(std::string()));
	Event.PromptId = MotionBridge::ToEngine(Message.Id.value_or(std::string()));
	Event.Field = MotionBridge::ToEngine(Message.Field.value_or(std::string()));
	Fail(Event);
}

void FMotionBridgeClient::OnCharacterAdded(MotionBridge::FCharacterStream& Stream)
{
	OnAdded.Broadcast(Stream);
}

void FMotionBridgeClient::OnCharacterRemoved(MotionBridge::FCharacterStream& Stream)
{
	OnRemoved.Broadcast(Stream);
}
