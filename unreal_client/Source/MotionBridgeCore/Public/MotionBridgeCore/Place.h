// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Poses.h"
#include "MotionBridgeCore/Rotation.h"

namespace MotionBridge
{

/** A point of the ground, metres of the wire's axes, and the way that a character faces there. */
struct FPlace
{
	/** Its height is 0. */
	FVec3 Point;
	/** Radians about +Y: 0 faces +Z, positive toward +X, the left. */
	double Heading = 0.0;
};

/** Where a pose stands. */
MOTIONBRIDGECORE_API FPlace PlaceOf(const FPose& Pose);

/** From a place's own axes (X to its left, Z ahead) to those that the place is given in; heights do not count. */
MOTIONBRIDGECORE_API FVec3 FromLocal(const FPlace& Place, const FVec3& Local);

/** An angle in radians as one within -pi to pi. */
MOTIONBRIDGECORE_API double WrapAngle(double Radians);

} // namespace MotionBridge
