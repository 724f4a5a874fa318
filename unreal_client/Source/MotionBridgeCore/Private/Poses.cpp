// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Poses.h"

#include <cmath>
#include <cstdio>
#include <cstring>

namespace MotionBridge
{

namespace
{

constexpr int64_t RootBytes = 12;
constexpr double Int16Scale = 32767.0;

int64_t ComponentBytes(EEncoding Encoding)
{
	return Encoding == EEncoding::Float32 ? 4 : 2;
}

float LoadFloat(const uint8_t* At)
{
	const uint32_t Bits = uint32_t(At[0]) | uint32_t(At[1]) << 8 | uint32_t(At[2]) << 16 | uint32_t(At[3]) << 24;
	float Value;
	std::memcpy(&Value, &Bits, sizeof(Value));
	return Value;
}

int16_t LoadInt16(const uint8_t* At)
{
	const uint16_t Bits = static_cast<uint16_t>(At[0] | At[1] << 8);
	int16_t Value;
	std::memcpy(&Value, &Bits, sizeof(Value));
	return Value;
}

/** Rotation Index of a block, counted over frames and joints, and its length before scaling. */
double LoadRotation(const FPoseBlocks& Blocks, int64_t Index, double (&Out)[4])
{
	const int64_t Size = ComponentBytes(Blocks.Encoding);
	const uint8_t* At = Blocks.Rotations.Data + Index * 4 * Size;
	double Squares = 0.0;
	for (int Axis = 0; Axis < 4; ++Axis, At += Size)
	{
		Out[Axis] = Blocks.Encoding == EEncoding::Float32 ? double(LoadFloat(At)) : LoadInt16(At) / Int16Scale;
		Squares += Out[Axis] * Out[Axis];
	}
	return std::sqrt(Squares);
}

std::string FindSizeFault(FBytes Block, int64_t Wanted)
{
	if (Block.Size == static_cast<size_t>(Wanted))
	{
		return {};
	}
	return "block has " + std::to_string(Block.Size) + " bytes, its frames need " + std::to_string(Wanted);
}

} // namespace

std::string FindRootFault(const FPoseBlocks& Blocks)
{
	std::string Fault = FindSizeFault(Blocks.Root, RootBytes * Blocks.Count);
	for (int64_t Index = 0; Fault.empty() && Index < 3 * Blocks.Count; ++Index)
	{
		// Written so that a NaN fails too.
		if (!(std::fabs(LoadFloat(Blocks.Root.Data + 4 * Index)) <= float(Limits::MaxRootMetres)))
		{
			Fault = "root positions must be finite and within 100000 m of the origin";
		}
	}
	return Fault;
}

std::string FindRotationFault(const FPoseBlocks& Blocks)
{
	const int64_t Rotations = Blocks.Count * Limits::JointCount;
	std::string Fault = FindSizeFault(Blocks.Rotations, Rotations * 4 * ComponentBytes(Blocks.Encoding));
	for (int64_t Index = 0; Fault.empty() && Index < Rotations; ++Index)
	{
		double Rotation[4];
		const double Length = LoadRotation(Blocks, Index, Rotation);
		if (!(std::fabs(Length - 1.0) <= Limits::UnitTolerance))
		{
			char Text[96];
			std::snprintf(Text, sizeof(Text), "quaternions must have length 1 within 0.001, one has %.4g", Length);
			Fault = Text;
		}
	}
	return Fault;
}

std::string FindContactFault(const FPoseBlocks& Blocks)
{
	return FindSizeFault(Blocks.Contacts, Blocks.Count);
}

void UnpackPose(const FPoseBlocks& Blocks, int64_t Index, FPose& Out)
{
	for (int Axis = 0; Axis < 3; ++Axis)
	{
		Out.Root[Axis] = LoadFloat(Blocks.Root.Data + Index * RootBytes + 4 * Axis);
	}
	const bool bScale = Blocks.Encoding == EEncoding::Int16;
	for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
	{
		double Rotation[4];
		const double Length = LoadRotation(Blocks, Index * Limits::JointCount + Joint, Rotation);
		for (int Axis = 0; Axis < 4; ++Axis)
		{
			Out.Rotations[Joint][Axis] = static_cast<float>(bScale ? Rotation[Axis] / Length : Rotation[Axis]);
		}
	}
	Out.Contacts = Blocks.Contacts.Data[Index] & 0x0f;
}

} // namespace MotionBridge
