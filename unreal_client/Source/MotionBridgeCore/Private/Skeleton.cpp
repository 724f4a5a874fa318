// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Skeleton.h"

namespace MotionBridge
{

namespace
{

const FJointInfo JointTable[Limits::JointCount] = {
	{"pelvis", -1, {0.0, 0.95, 0.0}},
	{"left_hip", 0, {0.08, -0.085, 0.0}},
	{"right_hip", 0, {-0.08, -0.085, 0.0}},
	{"spine1", 0, {0.0, 0.1, 0.0}},
	{"left_knee", 1, {0.0, -0.4, 0.0}},
	{"right_knee", 2, {0.0, -0.4, 0.0}},
	{"spine2", 3, {0.0, 0.13, 0.0}},
	{"left_ankle", 4, {0.0, -0.39, 0.0}},
	{"right_ankle", 5, {0.0, -0.39, 0.0}},
	{"spine3", 6, {0.0, 0.08, 0.0}},
	{"left_foot", 7, {0.0, -0.055, 0.13}},
	{"right_foot", 8, {0.0, -0.055, 0.13}},
	{"neck", 9, {0.0, 0.19, 0.0}},
	{"left_collar", 9, {0.05, 0.12, 0.0}},
	{"right_collar", 9, {-0.05, 0.12, 0.0}},
	{"head", 12, {0.0, 0.1, 0.02}},
	{"left_shoulder", 13, {0.13, 0.02, 0.0}},
	{"right_shoulder", 14, {-0.13, 0.02, 0.0}},
	{"left_elbow", 16, {0.27, 0.0, 0.0}},
	{"right_elbow", 17, {-0.27, 0.0, 0.0}},
	{"left_wrist", 18, {0.25, 0.0, 0.0}},
	{"right_wrist", 19, {-0.25, 0.0, 0.0}},
};

} // namespace

const FJointInfo& GetJoint(int Index)
{
	return JointTable[Index];
}

int FindJoint(std::string_view Name)
{
	for (int Index = 0; Index < Limits::JointCount; ++Index)
	{
		if (JointTable[Index].Name == Name)
		{
			return Index;
		}
	}
	return -1;
}

bool FindJointOrder(const FSkeletonTable& Skeleton, FJointOrder& Order, std::string& Fault)
{
	const auto Refuse = [&Fault](std::string_view Why)
	{
		Fault =
			"the server's skeleton " + std::string(Why) + "; use a plugin and a server of the same protocol version";
		return false;
	};
	if (Skeleton.Joints.size() != size_t(Limits::JointCount))
	{
		return Refuse("has " + std::to_string(Skeleton.Joints.size()) + " joints, not 22");
	}
	Order.fill(-1);
	for (size_t Index = 0; Index < Skeleton.Joints.size(); ++Index)
	{
		const int Joint = FindJoint(Skeleton.Joints[Index].Name);
		if (Joint < 0)
		{
			return Refuse("has an unknown joint, " + Skeleton.Joints[Index].Name);
		}
		if (Order[size_t(Joint)] >= 0)
		{
			return Refuse("has the joint " + Skeleton.Joints[Index].Name + " twice");
		}
		Order[size_t(Joint)] = static_cast<int>(Index);
	}
	for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
	{
		const int Parent = JointTable[Joint].Parent;
		const int64_t Wanted = Parent < 0 ? -1 : Order[size_t(Parent)];
		if (Skeleton.Joints[size_t(Order[size_t(Joint)])].Parent != Wanted)
		{
			return Refuse("hangs the joint " + std::string(JointTable[Joint].Name) + " on another parent");
		}
	}
	return true;
}

void ForwardKinematics(
	const FPose& Pose, FQuaternion (*Rotations)[Limits::JointCount], FVec3 (*Positions)[Limits::JointCount])
{
	FQuaternion Globals[Limits::JointCount];
	FVec3 Places[Limits::JointCount];
	for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
	{
		const float* Local = Pose.Rotations[Joint];
		const FQuaternion Rotation{Local[0], Local[1], Local[2], Local[3]};
		const int Parent = JointTable[Joint].Parent;
		Globals[Joint] = Parent < 0 ? Rotation : Mul(Globals[Parent], Rotation);
		Places[Joint] = Parent < 0 ? FVec3{Pose.Root[0], Pose.Root[1], Pose.Root[2]}
								   : Places[Parent] + MulVec(Globals[Parent], JointTable[Joint].Offset);
		if (Rotations)
		{
			(*Rotations)[Joint] = Globals[Joint];
		}
		if (Positions)
		{
			(*Positions)[Joint] = Places[Joint];
		}
	}
}

} // namespace MotionBridge
