// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Place.h"

namespace MotionBridge
{

namespace
{

constexpr double TwoPi = 6.283185307179586;

} // namespace

FPlace PlaceOf(const FPose& Pose)
{
	const float(&Root)[4] = Pose.Rotations[0];
	const FVec3 Ahead = MulVec(FQuaternion{Root[0], Root[1], Root[2], Root[3]}, FVec3{0.0, 0.0, 1.0});
	return {{Pose.Root[0], 0.0, Pose.Root[2]}, std::atan2(Ahead.X, Ahead.Z)};
}

FVec3 FromLocal(const FPlace& Place, const FVec3& Local)
{
	const double Half = 0.5 * Place.Heading;
	const FQuaternion Turn{0.0, std::sin(Half), 0.0, std::cos(Half)};
	return Place.Point + MulVec(Turn, FVec3{Local.X, 0.0, Local.Z});
}

double WrapAngle(double Radians)
{
	return std::remainder(Radians, TwoPi);
}

} // namespace MotionBridge
