// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Retarget.h"

namespace MotionBridge
{

/** How a rig's bones are found by their names. */
struct FNamedMap
{
	/** Naming convention that fits best: `mannequin`, `mixamo`, `vroid`, `humanoid` or `smpl`; empty when none has a
	 * pelvis. */
	std::string_view Convention;
	FBoneMap Map;
	/** Slots that have bones. */
	int Found = 0;
};

/**
 * Maps bones by the names of UE4 and UE5 mannequins, Mixamo, VRoid/VRM, plain humanoids (hips, upper_arm, ...) and
 * SMPL. Case, prefixes such as `mixamorig:` and the signs _ - . and space are ignored.
 */
MOTIONBRIDGECORE_API FNamedMap MapBonesByName(const std::vector<FRigBone>& Bones);

} // namespace MotionBridge
