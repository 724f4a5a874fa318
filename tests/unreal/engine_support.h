// What the tests of the engine side play: a clock, a WebSocket that delivers what a test makes of the server, a Live
// Link that writes down what it gets. For one translation unit.

#pragma once

#include "Containers/Ticker.h"
#include "ILiveLinkClient.h"
#include "IWebSocket.h"
#include "Roles/LiveLinkAnimationTypes.h"
#include "WebSocketsModule.h"

#include "support.h"

#include <algorithm>
#include <atomic>

using MotionBridge::Tests::FMessage;

namespace
{

std::atomic<double> Clock{100.0};
int Failures = 0;

void Check(bool bGood, const char* What, int Line)
{
	if (!bGood)
	{
		std::printf("line %d: %s\n", Line, What);
		++Failures;
	}
}

#define CHECK(Condition) Check(static_cast<bool>(Condition), #Condition, __LINE__)

/** What a test makes of the server: it delivers on whatever thread the test calls it from. */
struct FScriptedSocket : IWebSocket
{
	FConnected Connected;
	FConnectionError Failed;
	FClosed Closed;
	FRawMessage Raw;
	std::vector<FMessage> Sent;
	std::atomic<bool> bOpen{false};
	FString Url;
	FString Protocol;
	int CloseCode = 0;

	void Connect() override {}
	void Close(int32 Code, const FString&) override
	{
		CloseCode = Code;
		bOpen = false;
	}
	bool IsConnected() override { return bOpen; }
	void Send(const void* Data, SIZE_T Size, bool bIsBinary) override
	{
		CHECK(bIsBinary);
		const uint8_t* Bytes = static_cast<const uint8_t*>(Data);
		Sent.emplace_back(Bytes, Bytes + Size);
	}
	FConnected& OnConnected() override { return Connected; }
	FConnectionError& OnConnectionError() override { return Failed; }
	FClosed& OnClosed() override { return Closed; }
	FRawMessage& OnRawMessage() override { return Raw; }

	void Open()
	{
		bOpen = true;
		Connected.Broadcast();
	}

	/** Delivers a message in pieces of at most Piece bytes. */
	void Deliver(const FMessage& Message, size_t Piece = 64 * 1024)
	{
		for (size_t At = 0; At < Message.size(); At += Piece)
		{
			const size_t Size = std::min(Piece, Message.size() - At);
			Raw.Broadcast(Message.data() + At, Size, Message.size() - At - Size);
		}
	}
};

std::vector<TSharedRef<FScriptedSocket>>& Sockets()
{
	static std::vector<TSharedRef<FScriptedSocket>> Made;
	return Made;
}

void InstallSockets()
{
	FWebSocketsModule::Get().Make = [](const FString& Url, const FString& Protocol) -> TSharedRef<IWebSocket>
	{
		const TSharedRef<FScriptedSocket> Socket = MakeShared<FScriptedSocket>();
		Socket->Url = Url;
		Socket->Protocol = Protocol;
		Sockets().push_back(Socket);
		return Socket;
	};
}

FMessage WelcomeMessage()
{
	FMessage Out;
	MotionBridge::Encode(MotionBridge::FServerMessage(MotionBridge::Tests::MakeWelcome()), Out);
	return Out;
}

/** Writes down what is pushed, in order. */
struct FRecordingLiveLink : ILiveLinkClient
{
	struct FEntry
	{
		std::string Subject;
		/** `static`, `frame` or `remove`. */
		std::string Kind;
		double Time = 0.0;
		std::vector<double> Root;
		int Bones = 0;
		int Properties = 0;
	};
	std::vector<FEntry> Log;

	static std::string NameOf(const FLiveLinkSubjectKey& Key) { return StubArgument(*Key.SubjectName.ToString()); }

	void PushSubjectStaticData_AnyThread(
		const FLiveLinkSubjectKey& Key, TSubclassOf<ULiveLinkRole>, FLiveLinkStaticDataStruct&& Data) override
	{
		const FLiveLinkSkeletonStaticData& Static = *Data.Cast<FLiveLinkSkeletonStaticData>();
		CHECK(Static.BoneNames.Num() == Static.BoneParents.Num());
		Log.push_back({NameOf(Key), "static", 0.0, {}, Static.BoneNames.Num(), Static.PropertyNames.Num()});
	}
	void PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& Key, FLiveLinkFrameDataStruct&& Data) override
	{
		const FLiveLinkAnimationFrameData& Frame = *Data.Cast<FLiveLinkAnimationFrameData>();
		const FVector Root = Frame.Transforms[0].GetTranslation();
		Log.push_back({NameOf(Key), "frame", Frame.WorldTime.GetOffsettedTime(), {Root.X, Root.Y, Root.Z},
			Frame.Transforms.Num(), Frame.PropertyValues.Num()});
	}
	void RemoveSubject_AnyThread(const FLiveLinkSubjectKey& Key) override
	{
		Log.push_back({NameOf(Key), "remove", 0.0, {}, 0, 0});
	}

	std::vector<FEntry> Of(const std::string& Subject) const
	{
		std::vector<FEntry> Out;
		std::copy_if(Log.begin(), Log.end(), std::back_inserter(Out),
			[&Subject](const FEntry& Entry) { return Entry.Subject == Subject; });
		return Out;
	}
};

void Step(double Seconds)
{
	Clock = Clock + Seconds;
	FTSTicker::GetCoreTicker().Tick(static_cast<float>(Seconds));
}

} // namespace
