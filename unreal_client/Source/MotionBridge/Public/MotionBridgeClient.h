// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "Containers/Ticker.h"
#include "CoreMinimal.h"
#include "MotionBridgeTypes.h"
#include "Templates/SharedPointer.h"

#include "MotionBridgeCore/Session.h"

class FMotionBridgeSocket;

DECLARE_LOG_CATEGORY_EXTERN(LogMotionBridge, Log, All);

DECLARE_MULTICAST_DELEGATE_TwoParams(FMotionBridgeOnConnection, EMotionBridgeConnection, const FString& /*Detail*/);
DECLARE_MULTICAST_DELEGATE_OneParam(FMotionBridgeOnPrompt, const FMotionBridgePromptEvent&);
DECLARE_MULTICAST_DELEGATE_OneParam(FMotionBridgeOnError, const FMotionBridgeErrorEvent&);
DECLARE_MULTICAST_DELEGATE_OneParam(FMotionBridgeOnCharacter, MotionBridge::FCharacterStream&);

/**
 * One connection to a server, shared by all who want it: it opens when it is made and closes when the last of them lets
 * go. Lives on the game thread, which it is ticked on by the core ticker, with or without a world; only the socket's
 * inbox is touched by other threads.
 */
class MOTIONBRIDGE_API FMotionBridgeClient final : public TSharedFromThis<FMotionBridgeClient, ESPMode::ThreadSafe>,
												   private MotionBridge::ISessionHost
{
public:
	/** A connection of one's own; FMotionBridgeModule::AcquireClient gives the shared one. */
	static TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> Create(const FMotionBridgeConnectionSettings& Settings);

	virtual ~FMotionBridgeClient() override;
	FMotionBridgeClient(const FMotionBridgeClient&) = delete;
	FMotionBridgeClient& operator=(const FMotionBridgeClient&) = delete;

	/** Takes in what has come and moves the playheads. The core ticker calls it once a frame. */
	void Tick(double Now);

	/**
	 * Sends a sentence, now or (bQueue) after what plays and waits. Returns the prompt id that events carry; empty,
	 * after an error event, when it is refused.
	 */
	FString SendPrompt(
		const FString& Character, const FString& Text, bool bQueue, const FMotionBridgePromptOptions& Options);

	/** Sends several sentences, played in order. The prompt ids, none when they are refused. */
	TArray<FString> SendTimeline(const FString& Character, const TArray<FMotionBridgeTimelineEntry>& Entries,
		bool bQueue, EMotionBridgeOnEnd OnEnd);

	/**
	 * Bends a walk by YawDegrees to the right of where the character faces now, or will when it is first shown; speed
	 * in cm/s, 0 for its own.
	 */
	bool Steer(const FString& Character, float YawDegrees, float Speed);

	/**
	 * Bends a walk along 1 to 32 way-points, in order: cm from where the character stands now, or will when it is first
	 * shown, X ahead and Y to its right; heights do not count. Speed in cm/s, 0 for its own. After the last one it
	 * walks straight on.
	 */
	bool SteerAlong(const FString& Character, const TArray<FVector>& Waypoints, float Speed);

	/** Steering in the axes of the stream: metres and radians, as on the wire. */
	bool SendSteer(const MotionBridge::FSteer& Message);

	/** Lets go of steering. */
	bool StopSteering(const FString& Character);

	/** Where a character is shown, in the axes of its stream. False, after an error event, before it is. */
	bool FindPlace(const FString& Character, MotionBridge::FPlace& Out);

	bool SendControl(const FString& Character, MotionBridge::EAction Action);

	const MotionBridge::FSession& GetSession() const { return Session; }

	/** Null when there is none. Do not keep it across frames. */
	MotionBridge::FCharacterStream* FindCharacter(const std::string& Name) { return Session.FindCharacter(Name); }

	EMotionBridgeConnection GetState() const { return static_cast<EMotionBridgeConnection>(Session.GetState()); }

	/** What the last change of state said. */
	const FString& GetDetail() const { return Detail; }

	FMotionBridgeOnConnection OnConnectionChanged;
	FMotionBridgeOnPrompt OnPrompt;
	FMotionBridgeOnError OnErrorEvent;
	FMotionBridgeOnCharacter OnAdded;
	FMotionBridgeOnCharacter OnRemoved;

private:
	explicit FMotionBridgeClient(const FMotionBridgeConnectionSettings& Settings);

	bool Send(const MotionBridge::FClientMessage& Message, const FString& Character);
	std::optional<MotionBridge::FPlace> SamplePlace(const FString& Character);
	/** Tells the log and whoever listens. */
	void Fail(const FMotionBridgeErrorEvent& Event);

	//~ Begin ISessionHost interface
	virtual void OpenSocket() override;
	virtual void SendBytes(MotionBridge::FBytes Message) override;
	virtual void CloseSocket(int Code, std::string_view Reason) override;
	virtual void OnConnection(MotionBridge::EConnection State, std::string_view Reason) override;
	virtual void OnPromptStatus(const MotionBridge::FPromptStatus& Message) override;
	virtual void OnErrorMessage(const MotionBridge::FErrorMessage& Message) override;
	virtual void OnCharacterAdded(MotionBridge::FCharacterStream& Stream) override;
	virtual void OnCharacterRemoved(MotionBridge::FCharacterStream& Stream) override;
	//~ End ISessionHost interface

	FString Url;
	FString Detail;
	MotionBridge::FSession Session;
	TSharedPtr<FMotionBridgeSocket, ESPMode::ThreadSafe> Socket;
	FTSTicker::FDelegateHandle TickerHandle;
};
