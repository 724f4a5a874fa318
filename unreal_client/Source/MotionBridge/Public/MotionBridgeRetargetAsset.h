// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "LiveLinkRetargetAsset.h"
#include "MotionBridgeRig.h"

#include "MotionBridgeRetargetAsset.generated.h"

/**
 * Puts a MotionBridge subject onto any skeleton: choose it as Retarget Asset of a Live Link Pose node, or a Blueprint
 * of it with a table of bones. Each node has an object of its own, used by one animation thread at a time.
 */
UCLASS(Blueprintable)
class MOTIONBRIDGE_API UMotionBridgeRetargetAsset : public ULiveLinkRetargetAsset
{
	GENERATED_BODY()

public:
	/** Slots whose bones are not found by their names; all others are mapped by themselves. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	TArray<FMotionBridgeBoneEntry> Bones;

	/** MoveActor counts as InPlace here: a pose cannot move an actor. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "MotionBridge")
	EMotionBridgeRootMotion RootMotion = EMotionBridgeRootMotion::MoveMesh;

	//~ Begin ULiveLinkRetargetAsset interface
	virtual void BuildPoseFromAnimationData(float DeltaTime, const FLiveLinkSkeletonStaticData* InSkeletonData,
		const FLiveLinkAnimationFrameData* InFrameData, FCompactPose& OutPose) override;
	//~ End ULiveLinkRetargetAsset interface

private:
	void BuildRig(const FCompactPose& Pose);
	void ResolveJoints(const TArray<FName>& BoneNames);

	FMotionBridgeRig Rig;
	/** Of the bones the rig was built for; they change with the level of detail. */
	uint16 RigSerialNumber = 0;
	bool bRigTried = false;
	TArray<FName> SubjectBones;
	/** Our joint for each bone of the subject, -1 for others. */
	TArray<int32> Joints;
};
