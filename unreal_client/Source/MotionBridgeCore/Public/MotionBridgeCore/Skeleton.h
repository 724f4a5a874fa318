// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Messages.h"
#include "MotionBridgeCore/PoseBuffer.h"
#include "MotionBridgeCore/Rotation.h"

namespace MotionBridge
{

/** Joints in the order of protocol/skeleton.json, parents before children. */
enum class EJoint : uint8_t
{
	Pelvis,
	LeftHip,
	RightHip,
	Spine1,
	LeftKnee,
	RightKnee,
	Spine2,
	LeftAnkle,
	RightAnkle,
	Spine3,
	LeftFoot,
	RightFoot,
	Neck,
	LeftCollar,
	RightCollar,
	Head,
	LeftShoulder,
	RightShoulder,
	LeftElbow,
	RightElbow,
	LeftWrist,
	RightWrist
};

struct FJointInfo
{
	std::string_view Name;
	/** Index of the parent, -1 for the pelvis. */
	int Parent;
	/** Metres from the parent in the T-pose. */
	FVec3 Offset;
};

/** Joint Index of protocol/skeleton.json. */
MOTIONBRIDGECORE_API const FJointInfo& GetJoint(int Index);

/** Index of a joint by its name; -1 when there is none. */
MOTIONBRIDGECORE_API int FindJoint(std::string_view Name);

/**
 * Where each of our joints stands in a server's skeleton. False, with what is wrong in Fault, when the server's joints
 * are not ours or hang together in another way.
 */
MOTIONBRIDGECORE_API bool FindJointOrder(const FSkeletonTable& Skeleton, FJointOrder& Order, std::string& Fault);

/** Global rotations of the joints of a pose, and their positions in metres; either may be null. */
MOTIONBRIDGECORE_API void ForwardKinematics(
	const FPose& Pose, FQuaternion (*Rotations)[Limits::JointCount], FVec3 (*Positions)[Limits::JointCount]);

} // namespace MotionBridge
