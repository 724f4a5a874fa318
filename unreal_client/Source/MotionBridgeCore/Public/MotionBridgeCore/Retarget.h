// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Coordinates.h"
#include "MotionBridgeCore/Poses.h"

#include <array>
#include <string>
#include <vector>

/**
 * Puts streamed poses onto any rig, as protocol/retarget.py does, which says why. For a bone that stands for joint j,
 * in the rig's model space,
 *
 *     G_target = G_source(j) * A * R_rest        root = scale * streamed root, lifted to the rig's own hips
 *
 * with G_source the streamed global rotation, R_rest the bone's global rest rotation, and A the alignment of the rig's
 * rest pose with the wire's T-pose. Bones that stand for no joint keep their local rest rotation.
 */
namespace MotionBridge
{

/** The entries of a bone map, each after the one it hangs on. Only Pelvis must have a bone. */
enum class ESlot : uint8_t
{
	Pelvis,
	Spine,
	Neck,
	Head,
	LeftCollar,
	LeftShoulder,
	LeftElbow,
	LeftWrist,
	LeftHip,
	LeftKnee,
	LeftAnkle,
	LeftFoot,
	RightCollar,
	RightShoulder,
	RightElbow,
	RightWrist,
	RightHip,
	RightKnee,
	RightAnkle,
	RightFoot
};

constexpr int SlotCount = 20;

/** Name of a slot, such as `left_shoulder`; ESlot of a name, -1 when there is none. */
MOTIONBRIDGECORE_API std::string_view ToText(ESlot Slot);
MOTIONBRIDGECORE_API int FindSlot(std::string_view Name);

struct FRigBone
{
	std::string Name;
	/** Index of the parent, -1 for the one root. */
	int Parent = -1;
	/** Local rest pose in the rig's unit; the root's is in model space. */
	FVec3 Position;
	FQuaternion Rotation;
};

/** For each slot its bones, from the pelvis outward. */
using FBoneMap = std::array<std::vector<int>, SlotCount>;

/** A character's bones in rest pose, parents first; the floor is at height 0. */
struct FRig
{
	EAxes Axes = EAxes::UnrealMesh;
	std::vector<FRigBone> Bones;
	FBoneMap Map;
};

class MOTIONBRIDGECORE_API FRetargeter
{
public:
	/**
	 * Works out everything that does not depend on the pose. False, with what is wrong in Fault, for a rig that is no
	 * tree or has no pelvis. Without bAlign A is left out, which is there to show what A does.
	 */
	bool Build(const FRig& InRig, std::string& Fault, bool bAlign = true);

	/**
	 * A pose as local rotations of every bone (as many as the rig has), and the position of the pelvis bone in model
	 * space, in the rig's unit. Allocates nothing.
	 */
	void Apply(const FPose& Pose, FQuaternion* OutLocals, FVec3& OutPelvis);

	bool IsBuilt() const { return !Rig.Bones.empty(); }
	const FRig& GetRig() const { return Rig; }

	/** Factor of the root's travel, model metres per streamed metre. */
	double GetScale() const { return Scale; }

	/** The pelvis bone, or -1. */
	int GetPelvis() const { return IsBuilt() ? Rig.Map[0][0] : -1; }

	/** Global rest position of a bone in model space. */
	const FVec3& GetRestPosition(int Bone) const { return RestPositions[size_t(Bone)]; }

private:
	/** What drives a bone: the rotation Share of the way from joint Low to joint High. */
	struct FLink
	{
		int Low = -1;
		int High = -1;
		double Share = 1.0;
		/** A * R_rest: the bone's global rotation while the source stands in its T-pose. */
		FQuaternion Rest;
	};

	bool FindFault(std::string& Fault) const;
	void LinkSlot(int Slot);
	FQuaternion Align(int Slot) const;
	bool FindAim(int Slot, int& OutAim) const;
	FVec3 RigAim(int Slot, int Aim) const;
	FVec3 SourceAim(int Slot, int Aim) const;
	FVec3 Hinge(const std::array<int, 3>& Limb, const FVec3& Direction, const FVec3& Flex, bool bSource) const;
	bool StandingHipHeight(double& Out) const;
	double SourceHipHeight() const;
	double LegHeight(const FVec3& Hip, const FVec3& Knee, const FVec3& Ankle) const;
	void Measure();
	bool Has(int Slot) const { return !Rig.Map[size_t(Slot)].empty(); }
	const FVec3& FirstRest(int Slot) const { return RestPositions[size_t(Rig.Map[size_t(Slot)][0])]; }

	FRig Rig;
	std::vector<FQuaternion> RestRotations;
	std::vector<FVec3> RestPositions;
	std::vector<FLink> Links;
	std::vector<FQuaternion> Posed;
	std::array<FVec3, Limits::JointCount> Source{};
	std::array<FQuaternion, SlotCount> Alignments{};
	FVec3 Up;
	FVec3 Forward;
	double Scale = 1.0;
	double Lift = 0.0;
};

} // namespace MotionBridge
