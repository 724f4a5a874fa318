// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "Components/ActorComponent.h"
#include "CoreMinimal.h"
#include "MotionBridgeRig.h"
#include "MotionBridgeTypes.h"

#include "MotionBridgeCore/Messages.h"
#include "MotionBridgeCore/Place.h"

#include "MotionBridgeComponent.generated.h"

class FMotionBridgeClient;
class UMotionBridgeSubsystem;
class UPoseableMeshComponent;

/**
 * Drives a poseable mesh of its actor with a character's stream, without Live Link and without an Animation Blueprint.
 * Everything happens in its tick on the game thread; when its level closes it simply ticks no more, and holds nothing
 * of the connection that outlives it.
 */
UCLASS(ClassGroup = "MotionBridge", meta = (BlueprintSpawnableComponent))
class MOTIONBRIDGE_API UMotionBridgeComponent : public UActorComponent
{
	GENERATED_BODY()

public:
	UMotionBridgeComponent();

	/** Name of the character on the server. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	FString Character = TEXT("main");

	/** The sentence that Send Prompt sends. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge", meta = (MultiLine = true))
	FString Prompt = TEXT("a person walks forward and waves");

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	FMotionBridgePromptOptions Options;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	EMotionBridgeRootMotion RootMotion = EMotionBridgeRootMotion::MoveActor;

	/** Stops the actor at what it walks into. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	bool bSweep = false;

	/** Slots whose bones are not found by their names; all others are mapped by themselves. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	TArray<FMotionBridgeBoneEntry> Bones;

	/** Connect with Settings when play begins; off when something else calls Connect. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	bool bConnectOnBeginPlay = true;

	UPROPERTY(
		EditAnywhere, BlueprintReadWrite, Category = "MotionBridge", meta = (EditCondition = "bConnectOnBeginPlay"))
	FMotionBridgeConnectionSettings Settings;

	/** Sends Prompt at once. A button in the details panel, for use while playing in the editor. */
	UFUNCTION(BlueprintCallable, CallInEditor, Category = "MotionBridge")
	void SendPrompt();

	/**
	 * Bends a walk toward a direction of the world; speed in cm/s, 0 for its own. False, after the subsystem's On
	 * Error, when it is refused, and before the character is shown.
	 */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool SteerToward(FVector Direction, float Speed);

	/**
	 * Bends a walk through 1 to 32 locations of the world, in order, each reached within half a metre; heights do not
	 * count. Speed in cm/s, 0 for its own. After the last one it walks straight on. The actor must be the one that
	 * walks, or its mesh: not In Place. False as with Steer Toward.
	 */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	bool WalkTo(const TArray<FVector>& Locations, float Speed);

	/** After Character, Bones or the mesh have been changed. */
	UFUNCTION(BlueprintCallable, Category = "MotionBridge")
	void Rebuild();

	//~ Begin UActorComponent interface
	virtual void BeginPlay() override;
	virtual void TickComponent(
		float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction) override;
	//~ End UActorComponent interface

private:
	UMotionBridgeSubsystem* FindSubsystem() const;
	bool BuildRig(UPoseableMeshComponent& Mesh);
	void MoveActor(const MotionBridge::FPose& Pose);
	/** Starts a `steer` from where the character is shown; null when that is not known. */
	FMotionBridgeClient* BeginSteer(float Speed, MotionBridge::FSteer& OutMessage, MotionBridge::FPlace& OutPlace);
	/** A vector of the world in the axes of the stream, metres. */
	MotionBridge::FVec3 ToStream(const FVector& World) const;

	UPROPERTY(Transient)
	TObjectPtr<UPoseableMeshComponent> Mesh;

	FMotionBridgeRig Rig;
	std::string CharacterKey;
	FVector LastRoot = FVector::ZeroVector;
	bool bRootKnown = false;
	bool bBuildFailed = false;
};
