// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "MotionBridgeClient.h"
#include "Subsystems/GameInstanceSubsystem.h"

#include "MotionBridgeSubsystem.generated.h"

DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(
	FMotionBridgeConnectionEvent, EMotionBridgeConnection, State, const FString&, Detail);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FMotionBridgePromptStatusEvent, const FMotionBridgePromptEvent&, Event);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FMotionBridgeErrorOccurredEvent, const FMotionBridgeErrorEvent&, Event);

/**
 * MotionBridge for Blueprints. Lives as long as the game instance, so a connection outlasts levels. Prompts sent before
 * the connection is there wait for it. A Live Link source to the same URL shares the connection.
 */
UCLASS()
class MOTIONBRIDGE_API UMotionBridgeSubsystem : public UGameInstanceSubsystem
{
	GENERATED_BODY()

public:
	//~ Begin USubsystem interface
	virtual void Deinitialize() override;
	//~ End USubsystem interface

	/** Connects and stays connected: a lost connection is opened again by itself. */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	void Connect(const FMotionBridgeConnectionSettings& Settings);

	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	void Disconnect();

	UFUNCTION(BlueprintPure, Category = "MotionBridge")
	EMotionBridgeConnection GetConnectionState() const;

	/** A sentence for one character, at once. Returns the prompt id; empty, after On Error, when it is refused. */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	FString SendPrompt(const FString& Character, const FString& Text, const FMotionBridgePromptOptions& Options);

	/** A sentence for one character, after what plays and waits. */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	FString QueuePrompt(const FString& Character, const FString& Text, const FMotionBridgePromptOptions& Options);

	/** Several sentences for one character, played in order in place of what plays and waits. Returns the prompt ids.
	 */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	TArray<FString> SetTimeline(
		const FString& Character, const TArray<FMotionBridgeTimelineEntry>& Entries, EMotionBridgeOnEnd OnEnd);

	/**
	 * Bends the path of a walking character: by YawDegrees to the right of where it faces now, or will when it is first
	 * shown; speed in cm/s, 0 for its own. False, after On Error, when it is refused. A MotionBridge component steers
	 * in the axes of the world.
	 */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool Steer(const FString& Character, float YawDegrees, float Speed);

	/**
	 * Bends the path of a walking character along 1 to 32 way-points, in order: cm from where it stands now, or will
	 * when it is first shown, X ahead and Y to its right; heights do not count. Speed in cm/s, 0 for its own. After the
	 * last one it walks straight on. False, after On Error, when it is refused. A MotionBridge component takes
	 * locations of the world.
	 */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool SteerAlong(const FString& Character, const TArray<FVector>& Waypoints, float Speed);

	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool StopSteering(const FString& Character);

	/** Cancels the prompts that play and wait; the character goes idle. */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool Stop(const FString& Character);

	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool Pause(const FString& Character);

	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool Resume(const FString& Character);

	/** Ends the character. */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool Remove(const FString& Character);

	/** Whether the server lets the character's root travel. */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool SetRootMotion(const FString& Character, bool bTravels);

	UPROPERTY(BlueprintAssignable, Category = "MotionBridge")
	FMotionBridgeConnectionEvent OnConnectionChanged;

	UPROPERTY(BlueprintAssignable, Category = "MotionBridge")
	FMotionBridgePromptStatusEvent OnPromptStatus;

	UPROPERTY(BlueprintAssignable, Category = "MotionBridge")
	FMotionBridgeErrorOccurredEvent OnError;

	/** The connection; null before Connect and after Disconnect. Game thread. */
	TSharedPtr<FMotionBridgeClient, ESPMode::ThreadSafe> GetClient() const { return Client; }

	/** The connection; null, after On Error, when Connect has not been called. */
	FMotionBridgeClient* NeedClient();

private:
	bool SendControl(const FString& Character, MotionBridge::EAction Action);

	TSharedPtr<FMotionBridgeClient, ESPMode::ThreadSafe> Client;
	FDelegateHandle ConnectionHandle;
	FDelegateHandle PromptHandle;
	FDelegateHandle ErrorHandle;
};
