// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeRig.h"

#include "MotionBridgeConvert.h"

#include "MotionBridgeCore/BoneNames.h"

namespace
{

/** Replaces the slots that the table names. False, with what to do, when it names what is not there. */
bool ApplyTable(
	const TArray<FMotionBridgeBoneEntry>& Table, const TArray<FName>& Names, MotionBridge::FRig& Rig, FString& OutFault)
{
	for (const FMotionBridgeBoneEntry& Entry : Table)
	{
		const int Slot = MotionBridge::FindSlot(MotionBridge::FromEngine(Entry.Slot.ToString()));
		if (Slot < 0)
		{
			OutFault = FString::Printf(
				TEXT("the table of bones has an unknown slot %s; see its tooltip"), *Entry.Slot.ToString());
			return false;
		}
		std::vector<int>& Chain = Rig.Map[static_cast<size_t>(Slot)];
		Chain.clear();
		for (const FName& Bone : Entry.Bones)
		{
			const int32 Index = Names.IndexOfByKey(Bone);
			if (Index == INDEX_NONE)
			{
				OutFault = FString::Printf(
					TEXT("the table of bones names %s, which the skeleton does not have"), *Bone.ToString());
				return false;
			}
			Chain.push_back(Index);
		}
	}
	return true;
}

} // namespace

bool FMotionBridgeRig::Build(const TArray<FName>& Names, const TArray<int32>& Parents,
	const TArray<FTransform>& ReferencePose, const TArray<FMotionBridgeBoneEntry>& Table, FString& OutFault)
{
	MotionBridge::FRig Rig;
	TArray<FTransform> Component;
	for (int32 Bone = 0; Bone < Names.Num(); ++Bone)
	{
		const int32 Parent = Parents[Bone];
		Component.Add(Parent < 0 ? ReferencePose[Bone] : ReferencePose[Bone] * Component[Parent]);
		// Positions with the scale of the bones above taken in, so that the core need not know of it.
		MotionBridge::FRigBone Info;
		Info.Name = MotionBridge::FromEngine(Names[Bone].ToString());
		Info.Parent = Parent;
		const FQuat Above = Parent < 0 ? FQuat::Identity : Component[Parent].GetRotation();
		const FVector From = Parent < 0 ? FVector::ZeroVector : Component[Parent].GetTranslation();
		Info.Position = MotionBridge::FromEngine(Above.UnrotateVector(Component[Bone].GetTranslation() - From));
		Info.Rotation = MotionBridge::FromEngine(Above.Inverse() * Component[Bone].GetRotation());
		Rig.Bones.push_back(Info);
	}
	MotionBridge::FNamedMap Found = MotionBridge::MapBonesByName(Rig.Bones);
	Rig.Map = Found.Map;
	Convention = MotionBridge::ToEngine(Found.Convention);
	std::string Fault;
	if (!ApplyTable(Table, Names, Rig, OutFault))
	{
		return false;
	}
	if (!Retargeter.Build(Rig, Fault))
	{
		OutFault = MotionBridge::ToEngine(Fault);
		return false;
	}
	Locals.resize(Rig.Bones.size());
	Driven.Init(false, Names.Num());
	for (const std::vector<int>& Chain : Rig.Map)
	{
		for (int32 Bone : Chain)
		{
			for (; Bone >= 0 && !Driven[Bone]; Bone = Parents[Bone])
			{
				Driven[Bone] = true;
			}
		}
	}
	const int32 Parent = Parents[Retargeter.GetPelvis()];
	AbovePelvis = Parent < 0 ? FTransform::Identity : Component[Parent];
	return true;
}

void FMotionBridgeRig::SetPose(const MotionBridge::FPose& Pose, EMotionBridgeRootMotion RootMotion)
{
	MotionBridge::FVec3 Pelvis;
	Retargeter.Apply(Pose, Locals.data(), Pelvis);
	if (RootMotion != EMotionBridgeRootMotion::MoveMesh)
	{
		Pelvis.X = 0.0;
		Pelvis.Y = 0.0;
	}
	PelvisTranslation = AbovePelvis.InverseTransformPosition(MotionBridge::ToEngine(Pelvis));
}

FQuat FMotionBridgeRig::GetRotation(int32 Bone) const
{
	return MotionBridge::ToEngine(Locals[static_cast<size_t>(Bone)]);
}
