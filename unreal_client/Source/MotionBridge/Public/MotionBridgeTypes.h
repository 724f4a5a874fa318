// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"

#include "MotionBridgeTypes.generated.h"

/** State of the connection to a server. */
UENUM(BlueprintType)
enum class EMotionBridgeConnection : uint8
{
	/** Not wanted, or given up. */
	Closed,
	/** The socket is being opened. */
	Opening,
	/** The server has not answered yet. */
	Greeting,
	Connected,
	/** Lost; the next attempt is waited for. */
	WaitingToReconnect
};

/** What becomes of a prompt. Each accepted one ends finished, cancelled or failed, unless the session is lost. */
UENUM(BlueprintType)
enum class EMotionBridgePromptStatus : uint8
{
	Accepted,
	Started,
	Finished,
	Cancelled,
	Failed
};

/** What a character does when its last prompt has ended. */
UENUM(BlueprintType)
enum class EMotionBridgeOnEnd : uint8
{
	/** Stands and breathes. */
	Idle,
	/** Plays the same prompt again. */
	Repeat,
	/** Holds the last pose. */
	Hold
};

/** Where the travel of a character's root goes. */
UENUM(BlueprintType)
enum class EMotionBridgeRootMotion : uint8
{
	/** Nowhere: the character moves on the spot. */
	InPlace,
	/** To the pelvis bone: the mesh walks away from its actor. */
	MoveMesh,
	/** To the actor, which the mesh stays with. For UMotionBridgeComponent only. */
	MoveActor
};

/** Where the server is, and how to talk to it. */
USTRUCT(BlueprintType)
struct MOTIONBRIDGE_API FMotionBridgeConnectionSettings
{
	GENERATED_BODY()

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	FString Url = TEXT("ws://127.0.0.1:8765");

	/** Secret, when the server asks for one. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	FString Token;

	/** Frames per second, 10 to 120. Poses are interpolated between frames. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge", meta = (ClampMin = "10", ClampMax = "120"))
	float FrameRate = 30.0f;

	/** Half the bytes; rotations are off by up to 0.0035 degrees. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	bool bCompactRotations = false;
};

/** Settings of one prompt. */
USTRUCT(BlueprintType)
struct MOTIONBRIDGE_API FMotionBridgePromptOptions
{
	GENERATED_BODY()

	/** Length, 0.5 to 9.8; 0 lets the server choose. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	float Seconds = 0.0f;

	/** For the same motion again; negative lets the server draw one. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	int64 Seed = -1;

	/** Classifier-free guidance scale, 0 to 20; negative is the model's own. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	float Guidance = -1.0f;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	EMotionBridgeOnEnd OnEnd = EMotionBridgeOnEnd::Idle;
};

/** One sentence of a timeline. */
USTRUCT(BlueprintType)
struct MOTIONBRIDGE_API FMotionBridgeTimelineEntry
{
	GENERATED_BODY()

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	FString Text;

	/** Length, 0.5 to 9.8; 0 lets the server choose. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	float Seconds = 0.0f;

	/** For the same motion again; negative lets the server draw one. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	int64 Seed = -1;
};

/** What became of a prompt. */
USTRUCT(BlueprintType)
struct MOTIONBRIDGE_API FMotionBridgePromptEvent
{
	GENERATED_BODY()

	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString Character;

	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString PromptId;

	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	EMotionBridgePromptStatus Status = EMotionBridgePromptStatus::Accepted;

	/** Started: the length it got. 0 otherwise. */
	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	float Seconds = 0.0f;

	/** Started: the seed it got. -1 otherwise. */
	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	int64 Seed = -1;

	/** Cancelled and failed: why. */
	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString Reason;
};

/** Something was refused or failed, by the server or before it was sent. */
USTRUCT(BlueprintType)
struct MOTIONBRIDGE_API FMotionBridgeErrorEvent
{
	GENERATED_BODY()

	/** See SPEC.md, "Errors". */
	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString Code;

	/** Which value, which limit, what to do. */
	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString Message;

	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString Character;

	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString PromptId;

	UPROPERTY(BlueprintReadOnly, Category = "MotionBridge")
	FString Field;
};

/** Bones that stand for one slot of a character, from the pelvis outward. */
USTRUCT(BlueprintType)
struct MOTIONBRIDGE_API FMotionBridgeBoneEntry
{
	GENERATED_BODY()

	/** pelvis, spine, neck, head, or left_ or right_ with collar, shoulder, elbow, wrist, hip, knee, ankle or foot. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	FName Slot;

	/** One bone, or several for spine and neck; none leaves the slot to its rest pose. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	TArray<FName> Bones;
};
