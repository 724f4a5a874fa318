// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include <cmath>

/** Vectors and quaternions (xyzw, unit length) with the names of the Python module server/motion/rotation.py. */
namespace MotionBridge
{

struct FVec3
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;
};

struct FQuaternion
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;
	double W = 1.0;
};

inline FVec3 operator+(const FVec3& A, const FVec3& B)
{
	return {A.X + B.X, A.Y + B.Y, A.Z + B.Z};
}

inline FVec3 operator-(const FVec3& A, const FVec3& B)
{
	return {A.X - B.X, A.Y - B.Y, A.Z - B.Z};
}

inline FVec3 operator*(const FVec3& A, double Scale)
{
	return {A.X * Scale, A.Y * Scale, A.Z * Scale};
}

inline double Dot(const FVec3& A, const FVec3& B)
{
	return A.X * B.X + A.Y * B.Y + A.Z * B.Z;
}

inline FVec3 Cross(const FVec3& A, const FVec3& B)
{
	return {A.Y * B.Z - A.Z * B.Y, A.Z * B.X - A.X * B.Z, A.X * B.Y - A.Y * B.X};
}

inline double Length(const FVec3& A)
{
	return std::sqrt(Dot(A, A));
}

inline double Dot(const FQuaternion& A, const FQuaternion& B)
{
	return A.X * B.X + A.Y * B.Y + A.Z * B.Z + A.W * B.W;
}

inline FQuaternion Normalized(const FQuaternion& A)
{
	const double Scale = 1.0 / std::sqrt(Dot(A, A));
	return {A.X * Scale, A.Y * Scale, A.Z * Scale, A.W * Scale};
}

/** First B, then A. */
inline FQuaternion Mul(const FQuaternion& A, const FQuaternion& B)
{
	return {A.W * B.X + A.X * B.W + A.Y * B.Z - A.Z * B.Y, A.W * B.Y - A.X * B.Z + A.Y * B.W + A.Z * B.X,
		A.W * B.Z + A.X * B.Y - A.Y * B.X + A.Z * B.W, A.W * B.W - A.X * B.X - A.Y * B.Y - A.Z * B.Z};
}

inline FQuaternion Inv(const FQuaternion& A)
{
	return {-A.X, -A.Y, -A.Z, A.W};
}

inline FVec3 MulVec(const FQuaternion& A, const FVec3& B)
{
	const FVec3 Axis{A.X, A.Y, A.Z};
	const FVec3 Twice = Cross(Axis, B) * 2.0;
	return B + Twice * A.W + Cross(Axis, Twice);
}

inline FVec3 Normalized(const FVec3& A)
{
	return A * (1.0 / Length(A));
}

/** Rotation whose x axis is Primary, and whose y axis is Secondary made perpendicular to it. */
inline FQuaternion FromTwoAxes(const FVec3& Primary, const FVec3& Secondary)
{
	const FVec3 X = Normalized(Primary);
	const FVec3 Z = Normalized(Cross(X, Secondary));
	const FVec3 Y = Cross(Z, X);
	// Of the four ways to read a quaternion off a matrix, the one with the largest divisor.
	const double Sums[4] = {1.0 + X.X - Y.Y - Z.Z, 1.0 - X.X + Y.Y - Z.Z, 1.0 - X.X - Y.Y + Z.Z, 1.0 + X.X + Y.Y + Z.Z};
	if (Sums[3] >= 1.0)
	{
		return Normalized(FQuaternion{Y.Z - Z.Y, Z.X - X.Z, X.Y - Y.X, Sums[3]});
	}
	if (Sums[0] >= Sums[1] && Sums[0] >= Sums[2])
	{
		return Normalized(FQuaternion{Sums[0], X.Y + Y.X, Z.X + X.Z, Y.Z - Z.Y});
	}
	if (Sums[1] >= Sums[2])
	{
		return Normalized(FQuaternion{X.Y + Y.X, Sums[1], Y.Z + Z.Y, Z.X - X.Z});
	}
	return Normalized(FQuaternion{Z.X + X.Z, Y.Z + Z.Y, Sums[2], X.Y - Y.X});
}

/** Angle between two rotations, radians, 0 to pi. */
inline double AngleBetween(const FQuaternion& A, const FQuaternion& B)
{
	const FQuaternion Change = Mul(Inv(A), B);
	const double Sine = std::sqrt(Change.X * Change.X + Change.Y * Change.Y + Change.Z * Change.Z);
	return 2.0 * std::atan2(Sine, std::fabs(Change.W));
}

/** The shorter way from A to B, at constant speed. */
inline FQuaternion Slerp(const FQuaternion& A, FQuaternion B, double Alpha)
{
	double Cosine = Dot(A, B);
	if (Cosine < 0.0)
	{
		B = {-B.X, -B.Y, -B.Z, -B.W};
		Cosine = -Cosine;
	}
	double FromA = 1.0 - Alpha;
	double FromB = Alpha;
	// Closer than this the sine is too small to divide by, and the chord is as good as the arc.
	if (Cosine < 0.9995)
	{
		const double Angle = std::acos(Cosine);
		FromA = std::sin(FromA * Angle) / std::sin(Angle);
		FromB = std::sin(FromB * Angle) / std::sin(Angle);
	}
	return Normalized(
		{FromA * A.X + FromB * B.X, FromA * A.Y + FromB * B.Y, FromA * A.Z + FromB * B.Z, FromA * A.W + FromB * B.W});
}

} // namespace MotionBridge
