// Stub of the engine's Core: formatting, logging, maths and parsing.

#pragma once

#include "core_types.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

inline std::string StubArgument(const TCHAR* Text)
{
	return StubNarrow(Text, std::char_traits<char16_t>::length(Text));
}
inline std::string StubArgument(double Value)
{
	return std::to_string(Value);
}
inline std::string StubArgument(int Value)
{
	return std::to_string(Value);
}

template <class... TArgs>
FString FString::Printf(const TCHAR* Format, TArgs... Args)
{
	const std::string Texts[] = {StubArgument(Args)...};
	std::string Out;
	size_t Next = 0;
	for (const TCHAR* At = Format; *At; ++At)
	{
		if (*At == u'%')
		{
			Out += Texts[Next++];
			++At;
		}
		else
		{
			Out += static_cast<char>(*At);
		}
	}
	return FString(Out.c_str());
}

#define DECLARE_LOG_CATEGORY_EXTERN(Name, Default, All) extern int Stub##Name
#define DEFINE_LOG_CATEGORY(Name) int Stub##Name = 0
#define UE_LOG(Category, Verbosity, Format, ...)    \
	do                                              \
	{                                               \
		(void)Stub##Category;                       \
		(void)FString::Printf(Format, __VA_ARGS__); \
	} while (false)

struct FVector
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;
	FVector() = default;
	FVector(double InX, double InY, double InZ)
		: X(InX)
		, Y(InY)
		, Z(InZ)
	{}
	static const FVector ZeroVector;
	FVector operator-(const FVector& B) const { return {X - B.X, Y - B.Y, Z - B.Z}; }
	FVector operator+(const FVector& B) const { return {X + B.X, Y + B.Y, Z + B.Z}; }
	FVector operator*(double Scale) const { return {X * Scale, Y * Scale, Z * Scale}; }
	FVector operator*(const FVector& B) const { return {X * B.X, Y * B.Y, Z * B.Z}; }
	bool Equals(const FVector& B, double Tolerance) const
	{
		return std::fabs(X - B.X) < Tolerance && std::fabs(Y - B.Y) < Tolerance && std::fabs(Z - B.Z) < Tolerance;
	}
};
inline const FVector FVector::ZeroVector;

struct FQuat
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;
	double W = 1.0;
	FQuat() = default;
	FQuat(double InX, double InY, double InZ, double InW)
		: X(InX)
		, Y(InY)
		, Z(InZ)
		, W(InW)
	{}
	static const FQuat Identity;
	FQuat operator*(const FQuat& B) const
	{
		return {W * B.X + X * B.W + Y * B.Z - Z * B.Y, W * B.Y - X * B.Z + Y * B.W + Z * B.X,
			W * B.Z + X * B.Y - Y * B.X + Z * B.W, W * B.W - X * B.X - Y * B.Y - Z * B.Z};
	}
	FQuat Inverse() const { return {-X, -Y, -Z, W}; }
	FVector RotateVector(const FVector& V) const
	{
		const FQuat Turned = *this * FQuat(V.X, V.Y, V.Z, 0.0) * Inverse();
		return {Turned.X, Turned.Y, Turned.Z};
	}
	FVector UnrotateVector(const FVector& V) const { return Inverse().RotateVector(V); }
};
inline const FQuat FQuat::Identity;

/** A * B: first A, then B. */
struct FTransform
{
	FTransform() = default;
	FTransform(const FQuat& InRotation, const FVector& InTranslation)
		: Rotation(InRotation)
		, Translation(InTranslation)
	{}
	static const FTransform Identity;
	FQuat GetRotation() const { return Rotation; }
	FVector GetTranslation() const { return Translation; }
	void SetRotation(const FQuat& In) { Rotation = In; }
	void SetTranslation(const FVector& In) { Translation = In; }
	FTransform operator*(const FTransform& B) const
	{
		return {B.Rotation * Rotation, B.Rotation.RotateVector(Translation * B.Scale) + B.Translation};
	}
	FVector InverseTransformPosition(const FVector& V) const { return Rotation.UnrotateVector(V - Translation); }
	FVector TransformVector(const FVector& V) const { return Rotation.RotateVector(V * Scale); }
	FVector TransformVectorNoScale(const FVector& V) const { return Rotation.RotateVector(V); }
	FVector InverseTransformVector(const FVector& V) const
	{
		const FVector Turned = Rotation.UnrotateVector(V);
		return {Turned.X / Scale.X, Turned.Y / Scale.Y, Turned.Z / Scale.Z};
	}
	void SetScale3D(const FVector& In) { Scale = In; }

private:
	FQuat Rotation;
	FVector Translation;
	FVector Scale{1.0, 1.0, 1.0};
};
inline const FTransform FTransform::Identity;

struct FMath
{
	template <class T>
	static T Clamp(T Value, T Low, T High)
	{
		return std::min(std::max(Value, Low), High);
	}
	static double DegreesToRadians(double Degrees) { return Degrees * 3.141592653589793 / 180.0; }
};

struct FPlatformTime
{
	static double Seconds();
	static uint64 Cycles64() { return 12345; }
};

struct FGuid
{};

struct FParse
{
	/** Of a quoted value all between the quotes; bShouldStopOnSeparator is about unquoted ones. */
	static bool Value(const TCHAR* Stream, const TCHAR* Match, FString& Out, bool = true)
	{
		const std::u16string All(Stream);
		const size_t At = All.find(Match);
		if (At == std::u16string::npos)
		{
			return false;
		}
		size_t Start = At + std::char_traits<char16_t>::length(Match);
		const bool bQuoted = Start < All.size() && All[Start] == u'"';
		Start += bQuoted ? 1 : 0;
		Out = FString(All.substr(Start, std::min(All.find(bQuoted ? u'"' : u' ', Start), All.size()) - Start).c_str());
		return true;
	}
	static bool Value(const TCHAR* Stream, const TCHAR* Match, float& Out)
	{
		FString Text;
		const bool bFound = Value(Stream, Match, Text);
		Out = bFound ? std::strtof(StubArgument(*Text).c_str(), nullptr) : Out;
		return bFound;
	}
	static bool Value(const TCHAR* Stream, const TCHAR* Match, int32& Out)
	{
		FString Text;
		const bool bFound = Value(Stream, Match, Text);
		Out = bFound ? std::atoi(StubArgument(*Text).c_str()) : Out;
		return bFound;
	}
};
