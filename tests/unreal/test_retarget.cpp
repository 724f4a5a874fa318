// The golden retarget cases of protocol/vectors/retarget, and the tables of bone names.

#include "MotionBridgeCore/BoneNames.h"
#include "support.h"

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

namespace MotionBridge::Tests
{

constexpr double Degrees = 57.29577951308232;

struct FRetargetCase
{
	std::string Name;
	FRig Rig;
	std::vector<FPose> Poses;
	double Scale = 0.0;
	/** Frame after frame. */
	std::vector<FQuaternion> Rotations;
	std::vector<FVec3> Pelvis;
	struct FDirection
	{
		int From;
		int To;
		std::vector<FVec3> Wanted;
	};
	std::vector<FDirection> Directions;
	double DegreesWithoutAlignment = 0.0;
};

FVec3 ReadVector(FCaseReader& Cases)
{
	const double X = Cases.Number(), Y = Cases.Number(), Z = Cases.Number();
	return {X, Y, Z};
}

FQuaternion ReadQuaternion(FCaseReader& Cases)
{
	const FVec3 Axis = ReadVector(Cases);
	return {Axis.X, Axis.Y, Axis.Z, Cases.Number()};
}

FRetargetCase ReadCase(FCaseReader& Cases, const std::string& Name)
{
	FRetargetCase Out;
	Out.Name = Name;
	const std::string Axes = Cases.Word();
	for (int Index = 0; Index < AxesCount; ++Index)
	{
		Out.Rig.Axes = ToText(static_cast<EAxes>(Index)) == Axes ? static_cast<EAxes>(Index) : Out.Rig.Axes;
	}
	const int BoneCount = Cases.Integer();
	for (int Bone = 0; Bone < BoneCount; ++Bone)
	{
		FRigBone Info;
		Info.Name = Cases.Word();
		Info.Parent = Cases.Integer();
		Info.Position = ReadVector(Cases);
		Info.Rotation = Normalized(ReadQuaternion(Cases));
		Out.Rig.Bones.push_back(Info);
	}
	for (int Left = Cases.Integer(); Left > 0; --Left)
	{
		const int Slot = FindSlot(Cases.Word());
		for (int Bones = Cases.Integer(); Bones > 0; --Bones)
		{
			Out.Rig.Map[size_t(Slot)].push_back(Cases.Integer());
		}
	}
	const int Frames = Cases.Integer();
	for (int Frame = 0; Frame < Frames; ++Frame)
	{
		FPose Pose;
		for (float& Part : Pose.Root)
		{
			Part = static_cast<float>(Cases.Number());
		}
		for (float(&Rotation)[4] : Pose.Rotations)
		{
			for (float& Part : Rotation)
			{
				Part = static_cast<float>(Cases.Number());
			}
		}
		Out.Poses.push_back(Pose);
	}
	Out.Scale = Cases.Number();
	for (int Index = 0; Index < Frames * BoneCount; ++Index)
	{
		Out.Rotations.push_back(ReadQuaternion(Cases));
	}
	for (int Frame = 0; Frame < Frames; ++Frame)
	{
		Out.Pelvis.push_back(ReadVector(Cases));
	}
	for (int Left = Cases.Integer(); Left > 0; --Left)
	{
		FRetargetCase::FDirection Direction{Cases.Integer(), 0, {}};
		Direction.To = Cases.Integer();
		for (int Frame = 0; Frame < Frames; ++Frame)
		{
			Direction.Wanted.push_back(ReadVector(Cases));
		}
		Out.Directions.push_back(Direction);
	}
	Out.DegreesWithoutAlignment = Cases.Number();
	return Out;
}

std::vector<FRetargetCase> ReadCases()
{
	FCaseReader Cases("retarget");
	std::vector<FRetargetCase> Out;
	std::string Name;
	while (Cases.Next(Name))
	{
		Out.push_back(ReadCase(Cases, Name));
	}
	return Out;
}

/** The largest angle, degrees, between where bones point and where they must. */
double LargestDirectionError(FRetargeter& Retargeter, const FRetargetCase& Case)
{
	const std::vector<FRigBone>& Bones = Case.Rig.Bones;
	double Largest = 0.0;
	for (size_t Frame = 0; Frame < Case.Poses.size(); ++Frame)
	{
		std::vector<FQuaternion> Locals(Bones.size()), Globals(Bones.size());
		std::vector<FVec3> Positions(Bones.size());
		FVec3 Pelvis;
		Retargeter.Apply(Case.Poses[Frame], Locals.data(), Pelvis);
		for (size_t Bone = 0; Bone < Bones.size(); ++Bone)
		{
			const size_t Parent = size_t(std::max(Bones[Bone].Parent, 0));
			Globals[Bone] = Bone == 0 ? Locals[Bone] : Mul(Globals[Parent], Locals[Bone]);
			Positions[Bone] =
				Bone == 0 ? Bones[Bone].Position : Positions[Parent] + MulVec(Globals[Parent], Bones[Bone].Position);
		}
		for (const FRetargetCase::FDirection& Direction : Case.Directions)
		{
			const FVec3 Got = Normalized(Positions[size_t(Direction.To)] - Positions[size_t(Direction.From)]);
			const FVec3 Wanted = Direction.Wanted[Frame];
			Largest = std::max(Largest, Degrees * std::atan2(Length(Cross(Got, Wanted)), Dot(Got, Wanted)));
		}
	}
	return Largest;
}

TEST_CASE("retargeting equals the reference on every golden rig")
{
	const std::vector<FRetargetCase> Cases = ReadCases();
	CHECK(Cases.size() >= 8);
	for (const FRetargetCase& Case : Cases)
	{
		CAPTURE(Case.Name);
		FRetargeter Retargeter;
		std::string Fault;
		const bool bBuilt = Retargeter.Build(Case.Rig, Fault);
		CAPTURE(Fault);
		REQUIRE(bBuilt);
		CHECK(std::fabs(Retargeter.GetScale() - Case.Scale) < 1e-6);
		const double Metre = UnitsPerMetre(Case.Rig.Axes);
		const size_t Bones = Case.Rig.Bones.size();
		std::vector<FQuaternion> Locals(Bones);
		double Worst = 0.0;
		for (size_t Frame = 0; Frame < Case.Poses.size(); ++Frame)
		{
			FVec3 Pelvis;
			Retargeter.Apply(Case.Poses[Frame], Locals.data(), Pelvis);
			CHECK(Length(Pelvis - Case.Pelvis[Frame]) < 1e-4 * Metre);
			for (size_t Bone = 0; Bone < Bones; ++Bone)
			{
				FQuaternion Got = Locals[Bone];
				const FQuaternion Wanted = Case.Rotations[Frame * Bones + Bone];
				Got = Dot(Got, Wanted) < 0.0 ? FQuaternion{-Got.X, -Got.Y, -Got.Z, -Got.W} : Got;
				const double Parts[] = {Got.X - Wanted.X, Got.Y - Wanted.Y, Got.Z - Wanted.Z, Got.W - Wanted.W};
				for (const double Part : Parts)
				{
					Worst = std::max(Worst, std::fabs(Part));
				}
			}
		}
		CHECK(Worst < 1e-4);
		CHECK(LargestDirectionError(Retargeter, Case) < 0.1);
	}
}

TEST_CASE("without the alignment the same rigs fail, by as much as the reference says")
{
	double Largest = 0.0;
	for (const FRetargetCase& Case : ReadCases())
	{
		CAPTURE(Case.Name);
		FRetargeter Retargeter;
		std::string Fault;
		REQUIRE(Retargeter.Build(Case.Rig, Fault, false));
		const double Error = LargestDirectionError(Retargeter, Case);
		CHECK(std::fabs(Error - Case.DegreesWithoutAlignment) < 0.1);
		Largest = std::max(Largest, Error);
	}
	CHECK(Largest > 45.0);
}

TEST_CASE("bones of the known conventions are found by their names")
{
	int Checked = 0;
	for (const FRetargetCase& Case : ReadCases())
	{
		CAPTURE(Case.Name);
		const FNamedMap Found = MapBonesByName(Case.Rig.Bones);
		if (Case.Name == "bare")
		{
			continue;
		}
		++Checked;
		for (size_t Slot = 0; Slot < size_t(SlotCount); ++Slot)
		{
			CAPTURE(ToText(static_cast<ESlot>(Slot)));
			CHECK(Found.Map[Slot] == Case.Rig.Map[Slot]);
		}
	}
	CHECK(Checked >= 7);
}

FNamedMap MapNames(const std::vector<std::string>& Names)
{
	std::vector<FRigBone> Bones;
	for (const std::string& Name : Names)
	{
		Bones.push_back({Name, int(Bones.size()) - 1, {}, {}});
	}
	return MapBonesByName(Bones);
}

TEST_CASE("conventions are told apart")
{
	CHECK(MapNames({"root", "pelvis", "spine_01", "thigh_l", "calf_l"}).Convention == "mannequin");
	CHECK(MapNames({"mixamorig7:Hips", "mixamorig7:LeftUpLeg", "mixamorig7:LeftArm"}).Convention == "mixamo");
	CHECK(MapNames({"J_Bip_C_Hips", "J_Bip_L_UpperArm"}).Convention == "vroid");
	CHECK(MapNames({"hips", "leftUpperArm", "leftLowerArm"}).Convention == "humanoid");
	CHECK(MapNames({"pelvis", "left_hip", "left_knee", "left_collar"}).Convention == "smpl");
	CHECK(MapNames({"Bone", "Bone.001"}).Convention.empty());
	CHECK(MapNames({"Armature|Hips", "Armature|Left Upper Arm"}).Found == 2);
}

TEST_CASE("rigs that do not hang together are refused with a reason")
{
	FRig Rig;
	FRetargeter Retargeter;
	std::string Fault;
	CHECK(!Retargeter.Build(Rig, Fault));
	Rig.Bones = {{"root", -1, {}, {}}, {"hips", 2, {0, 0, 90}, {}}, {"leg", 0, {}, {}}};
	Rig.Map[0] = {1};
	CHECK(!Retargeter.Build(Rig, Fault));
	CHECK(Fault.find("hips") != std::string::npos);
	Rig.Bones[1].Parent = 0;
	Rig.Map[4] = {9};
	CHECK(!Retargeter.Build(Rig, Fault));
	CHECK(Fault.find("left_collar") != std::string::npos);
	Rig.Map[4].clear();
	CHECK(Retargeter.Build(Rig, Fault));
	Rig.Map[0].clear();
	CHECK(!Retargeter.Build(Rig, Fault));
	CHECK(Fault.find("pelvis") != std::string::npos);
	CHECK(!Retargeter.IsBuilt());
}

} // namespace MotionBridge::Tests
