// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Rotation.h"
#include "MotionBridgeCore/Types.h"

namespace MotionBridge
{

/** Model spaces a rig may have; SPEC.md, "Frame of reference". */
enum class EAxes : uint8_t
{
	/** Right-handed, +Y up, faces +Z, metres: glTF, VRM, Mixamo. */
	Wire,
	/** Left-handed, +Y up, faces +Z, metres. */
	Unity,
	/** Left-handed, +Z up, faces +X, centimetres. */
	UnrealActor,
	/** Left-handed, +Z up, faces +Y, centimetres: Epic's mannequins. */
	UnrealMesh
};

constexpr int AxesCount = 4;

/** Name in the golden vectors, such as `unreal_mesh`. */
MOTIONBRIDGECORE_API std::string_view ToText(EAxes Axes);

/** Units of the model space in one metre. */
MOTIONBRIDGECORE_API double UnitsPerMetre(EAxes Axes);

/** From the wire's metres to the model space, and back. */
MOTIONBRIDGECORE_API FVec3 ToModel(EAxes Axes, const FVec3& Metres);
MOTIONBRIDGECORE_API FVec3 FromModel(EAxes Axes, const FVec3& Position);
MOTIONBRIDGECORE_API FQuaternion ToModel(EAxes Axes, const FQuaternion& Rotation);
MOTIONBRIDGECORE_API FQuaternion FromModel(EAxes Axes, const FQuaternion& Rotation);

} // namespace MotionBridge
