// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "MotionBridgeTypes.h"

#include "MotionBridgeCore/Retarget.h"

#include <vector>

/** A skeleton of the engine's, +Y forward as Epic's mannequins, that streamed poses can be put onto. For one thread. */
class MOTIONBRIDGE_API FMotionBridgeRig
{
public:
	/**
	 * Reads a skeleton in its reference pose, parents first, and maps its bones by name; Table replaces single slots.
	 * False, with what to do in OutFault, when no pelvis is found or the table names what is not there.
	 */
	bool Build(const TArray<FName>& Names, const TArray<int32>& Parents, const TArray<FTransform>& ReferencePose,
		const TArray<FMotionBridgeBoneEntry>& Table, FString& OutFault);

	/** Works the pose out; GetRotation and GetPelvisTranslation then hold it. Allocates nothing. */
	void SetPose(const MotionBridge::FPose& Pose, EMotionBridgeRootMotion RootMotion);

	/** Local rotation of a bone. */
	FQuat GetRotation(int32 Bone) const;

	/**
	 * Whether a bone is to follow the stream: it stands for a joint, or bones below it do, which need it at rest. All
	 * others, such as fingers and faces, are free for other animation.
	 */
	bool IsDriven(int32 Bone) const { return Driven[Bone]; }

	/** Local translation of the pelvis bone. */
	FVector GetPelvisTranslation() const { return PelvisTranslation; }

	int32 GetPelvis() const { return Retargeter.GetPelvis(); }
	int32 Num() const { return static_cast<int32>(Locals.size()); }
	bool IsBuilt() const { return Retargeter.IsBuilt(); }

	/** Factor of the root's travel. */
	double GetScale() const { return Retargeter.GetScale(); }

	/** Naming convention the bones were found by; for display. */
	const FString& GetConvention() const { return Convention; }

private:
	MotionBridge::FRetargeter Retargeter;
	std::vector<MotionBridge::FQuaternion> Locals;
	TArray<bool> Driven;
	FTransform AbovePelvis;
	FVector PelvisTranslation = FVector::ZeroVector;
	FString Convention;
};
