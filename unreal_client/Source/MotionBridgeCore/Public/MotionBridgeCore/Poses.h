// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Limits.h"
#include "MotionBridgeCore/Types.h"

namespace MotionBridge
{

/** How rotations are stored on the wire. */
enum class EEncoding : uint8_t
{
	Float32,
	Int16
};

/** Bits of FPose::Contacts. */
enum EContact : uint8_t
{
	LeftHeel = 1,
	LeftToe = 2,
	RightHeel = 4,
	RightToe = 8
};

/**
 * One frame of one character in the wire's frame of reference: right-handed, +Y up, faces +Z, +X is its left.
 * Rotations are local, xyzw, of unit length, relative to the T-pose.
 */
struct FPose
{
	/** Pelvis position, metres. */
	float Root[3] = {0.0f, 0.0f, 0.0f};
	float Rotations[Limits::JointCount][4] = {};
	/** EContact bits: which parts of the feet are on the ground. */
	uint8_t Contacts = 0;
};

/** The three packed blocks of `frames`, `clip` and `edit`, in the message's memory. */
struct FPoseBlocks
{
	int64_t Count = 0;
	EEncoding Encoding = EEncoding::Float32;
	FBytes Root;
	FBytes Rotations;
	FBytes Contacts;
};

/** What is wrong with a block, empty when nothing is: its length, a position out of range, a rotation not of unit
 * length. */
MOTIONBRIDGECORE_API std::string FindRootFault(const FPoseBlocks& Blocks);
MOTIONBRIDGECORE_API std::string FindRotationFault(const FPoseBlocks& Blocks);
MOTIONBRIDGECORE_API std::string FindContactFault(const FPoseBlocks& Blocks);

/** Frame Index, 0 to Count - 1, of blocks without faults. int16 rotations are brought to unit length. */
MOTIONBRIDGECORE_API void UnpackPose(const FPoseBlocks& Blocks, int64_t Index, FPose& Out);

} // namespace MotionBridge
