// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Place.h"

namespace MotionBridge
{

namespace
{

constexpr double TwoPi = 6.283185307179586;

FVec3 TurnAboutUp(const FVec3& Vector, double Radians)
{
	return MulVec(FQuaternion{0.0, std::sin(0.5 * Radians), 0.0, std::cos(0.5 * Radians)}, Vector);
}

} // namespace

FPlace PlaceOf(const FPose& Pose)
{
	const float(&Root)[4] = Pose.Rotations[0];
	const FVec3 Ahead = MulVec(FQuaternion{Root[0], Root[1], Root[2], Root[3]}, FVec3{0.0, 0.0, 1.0});
	return {{Pose.Root[0], 0.0, Pose.Root[2]}, std::atan2(Ahead.X, Ahead.Z)};
}

FVec3 ToLocal(const FPlace& Place, const FVec3& Point)
{
	return TurnAboutUp({Point.X - Place.Point.X, 0.0, Point.Z - Place.Point.Z}, -Place.Heading);
}

FVec3 FromLocal(const FPlace& Place, const FVec3& Local)
{
	return Place.Point + TurnAboutUp({Local.X, 0.0, Local.Z}, Place.Heading);
}

double WrapAngle(double Radians)
{
	return std::remainder(Radians, TwoPi);
}

} // namespace MotionBridge
