// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"

#include "MotionBridgeCore/Coordinates.h"

#include <string>
#include <string_view>

/** Between the engine's types and those of MotionBridgeCore. */
namespace MotionBridge
{

inline FString ToEngine(std::string_view Text)
{
	const FUTF8ToTCHAR Converted(Text.data(), static_cast<int32>(Text.size()));
	return FString::ConstructFromPtrSize(Converted.Get(), Converted.Length());
}

inline std::string FromEngine(const FString& Text)
{
	const FTCHARToUTF8 Converted(*Text, Text.Len());
	return std::string(reinterpret_cast<const char*>(Converted.Get()), static_cast<size_t>(Converted.Length()));
}

inline FVector ToEngine(const FVec3& Vector)
{
	return FVector(Vector.X, Vector.Y, Vector.Z);
}

inline FVec3 FromEngine(const FVector& Vector)
{
	return {Vector.X, Vector.Y, Vector.Z};
}

inline FQuat ToEngine(const FQuaternion& Rotation)
{
	return FQuat(Rotation.X, Rotation.Y, Rotation.Z, Rotation.W);
}

inline FQuaternion FromEngine(const FQuat& Rotation)
{
	return {Rotation.X, Rotation.Y, Rotation.Z, Rotation.W};
}

} // namespace MotionBridge
