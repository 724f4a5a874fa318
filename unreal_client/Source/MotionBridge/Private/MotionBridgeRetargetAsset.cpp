// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeRetargetAsset.h"

#include "BonePose.h"
#include "MotionBridgeClient.h"
#include "MotionBridgeConvert.h"
#include "Roles/LiveLinkAnimationTypes.h"

#include "MotionBridgeCore/Skeleton.h"

void UMotionBridgeRetargetAsset::BuildRig(const FCompactPose& Pose)
{
	const FBoneContainer& Container = Pose.GetBoneContainer();
	const FReferenceSkeleton& Skeleton = Container.GetReferenceSkeleton();
	TArray<FName> Names;
	TArray<int32> Parents;
	TArray<FTransform> ReferencePose;
	for (int32 Bone = 0; Bone < Pose.GetNumBones(); ++Bone)
	{
		const FCompactPoseBoneIndex Index(Bone);
		Names.Add(Skeleton.GetBoneName(Container.MakeMeshPoseIndex(Index).GetInt()));
		Parents.Add(Container.GetParentBoneIndex(Index).GetInt());
		ReferencePose.Add(Container.GetRefPoseTransform(Index));
	}
	FString Fault;
	if (!Rig.Build(Names, Parents, ReferencePose, Bones, Fault))
	{
		UE_LOG(LogMotionBridge, Warning, TEXT("%s: %s"), *GetName(), *Fault);
		Rig = FMotionBridgeRig();
	}
	RigSerialNumber = Container.GetSerialNumber();
	bRigTried = true;
}

void UMotionBridgeRetargetAsset::ResolveJoints(const TArray<FName>& BoneNames)
{
	SubjectBones = BoneNames;
	Joints.Reset();
	for (const FName& Name : BoneNames)
	{
		Joints.Add(MotionBridge::FindJoint(MotionBridge::FromEngine(Name.ToString())));
	}
}

void UMotionBridgeRetargetAsset::BuildPoseFromAnimationData(float, const FLiveLinkSkeletonStaticData* InSkeletonData,
	const FLiveLinkAnimationFrameData* InFrameData, FCompactPose& OutPose)
{
	if (!InSkeletonData || !InFrameData)
	{
		return;
	}
	if (!bRigTried || RigSerialNumber != OutPose.GetBoneContainer().GetSerialNumber())
	{
		BuildRig(OutPose);
	}
	if (SubjectBones != InSkeletonData->BoneNames)
	{
		ResolveJoints(InSkeletonData->BoneNames);
	}
	if (!Rig.IsBuilt() || Rig.Num() != OutPose.GetNumBones() || InFrameData->Transforms.Num() != Joints.Num())
	{
		return;
	}
	MotionBridge::FPose Pose;
	for (float(&Rotation)[4] : Pose.Rotations)
	{
		Rotation[3] = 1.0f;
	}
	for (int32 Bone = 0; Bone < Joints.Num(); ++Bone)
	{
		const int32 Joint = Joints[Bone];
		if (Joint < 0)
		{
			continue;
		}
		const FTransform& Sent = InFrameData->Transforms[Bone];
		const MotionBridge::FQuaternion Rotation =
			MotionBridge::FromModel(MotionBridge::EAxes::UnrealMesh, MotionBridge::FromEngine(Sent.GetRotation()));
		Pose.Rotations[Joint][0] = static_cast<float>(Rotation.X);
		Pose.Rotations[Joint][1] = static_cast<float>(Rotation.Y);
		Pose.Rotations[Joint][2] = static_cast<float>(Rotation.Z);
		Pose.Rotations[Joint][3] = static_cast<float>(Rotation.W);
		if (Joint == static_cast<int32>(MotionBridge::EJoint::Pelvis))
		{
			const MotionBridge::FVec3 Root = MotionBridge::FromModel(
				MotionBridge::EAxes::UnrealMesh, MotionBridge::FromEngine(Sent.GetTranslation()));
			Pose.Root[0] = static_cast<float>(Root.X);
			Pose.Root[1] = static_cast<float>(Root.Y);
			Pose.Root[2] = static_cast<float>(Root.Z);
		}
	}
	Rig.SetPose(Pose, RootMotion);
	for (int32 Bone = 0; Bone < OutPose.GetNumBones(); ++Bone)
	{
		if (Rig.IsDriven(Bone))
		{
			OutPose[FCompactPoseBoneIndex(Bone)].SetRotation(Rig.GetRotation(Bone));
		}
	}
	OutPose[FCompactPoseBoneIndex(Rig.GetPelvis())].SetTranslation(Rig.GetPelvisTranslation());
}
