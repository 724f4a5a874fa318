// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Coordinates.h"

namespace MotionBridge
{

namespace
{

/** Component i of the target is Sign[i] times component Order[i] of the source; positions also take the scale. */
struct FAxesTable
{
	std::string_view Name;
	int PositionOrder[3];
	double PositionSign[3];
	int RotationOrder[3];
	double RotationSign[3];
	double Scale;
};

constexpr FAxesTable AxesTable[AxesCount] = {
	{"wire", {0, 1, 2}, {1, 1, 1}, {0, 1, 2}, {1, 1, 1}, 1.0},
	{"unity", {0, 1, 2}, {-1, 1, 1}, {0, 1, 2}, {1, -1, -1}, 1.0},
	{"unreal_actor", {2, 0, 1}, {1, -1, 1}, {2, 0, 1}, {-1, 1, -1}, 100.0},
	{"unreal_mesh", {0, 2, 1}, {1, 1, 1}, {0, 2, 1}, {-1, -1, -1}, 100.0},
};

const FAxesTable& Row(EAxes Axes)
{
	return AxesTable[static_cast<int>(Axes)];
}

FVec3 Permute(const FVec3& In, const int (&Order)[3], const double (&Sign)[3])
{
	const double Parts[3] = {In.X, In.Y, In.Z};
	return {Sign[0] * Parts[Order[0]], Sign[1] * Parts[Order[1]], Sign[2] * Parts[Order[2]]};
}

FVec3 PermuteBack(const FVec3& In, const int (&Order)[3], const double (&Sign)[3])
{
	double Parts[3] = {};
	Parts[Order[0]] = Sign[0] * In.X;
	Parts[Order[1]] = Sign[1] * In.Y;
	Parts[Order[2]] = Sign[2] * In.Z;
	return {Parts[0], Parts[1], Parts[2]};
}

} // namespace

std::string_view ToText(EAxes Axes)
{
	return Row(Axes).Name;
}

double UnitsPerMetre(EAxes Axes)
{
	return Row(Axes).Scale;
}

FVec3 ToModel(EAxes Axes, const FVec3& Metres)
{
	return Permute(Metres, Row(Axes).PositionOrder, Row(Axes).PositionSign) * Row(Axes).Scale;
}

FVec3 FromModel(EAxes Axes, const FVec3& Position)
{
	return PermuteBack(Position, Row(Axes).PositionOrder, Row(Axes).PositionSign) * (1.0 / Row(Axes).Scale);
}

FQuaternion ToModel(EAxes Axes, const FQuaternion& Rotation)
{
	const FVec3 Turned = Permute({Rotation.X, Rotation.Y, Rotation.Z}, Row(Axes).RotationOrder, Row(Axes).RotationSign);
	return {Turned.X, Turned.Y, Turned.Z, Rotation.W};
}

FQuaternion FromModel(EAxes Axes, const FQuaternion& Rotation)
{
	const FVec3 Turned =
		PermuteBack({Rotation.X, Rotation.Y, Rotation.Z}, Row(Axes).RotationOrder, Row(Axes).RotationSign);
	return {Turned.X, Turned.Y, Turned.Z, Rotation.W};
}

} // namespace MotionBridge
