// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Retarget.h"

#include "MotionBridgeCore/Skeleton.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace MotionBridge
{

namespace
{

/** A resting elbow or knee that is bent less, in radians, does not tell where its hinge is. */
constexpr double MinHingeBend = 20.0 * 3.141592653589793 / 180.0;
/** Cosine between the hinge read off a rig and the usual one, below which the joint is bent backwards. */
constexpr double Hyperextended = -0.5;
/** Bones closer than this give no direction. */
constexpr double MinAimMetres = 0.001;
/** For tables: no slot. */
constexpr int NoSlot = -1;

/** What fixes the twist of a bone about its direction, or replaces the direction. */
enum class ESecond : uint8_t
{
	/** The body's forward direction. */
	Forward,
	/** The hinge of an elbow, which bends forward. */
	Elbow,
	/** The hinge of a knee, which bends backward. */
	Knee,
	/** Up, with the bone's heading: soles stay on the ground whatever the height of the ankle. */
	Level,
	/** None: the bone rests upright and looks forward in both. */
	Upright,
	/** None: keeps its rest rotation relative to the bone above. */
	Parent
};

/**
 * A chain of bones that stands for a chain of joints. Above is the slot it hangs on and Base the joint there. Its
 * direction runs from its first bone to the first bone of one of the slots Toward, best first. Limb has the slots of
 * the limb whose plane fixes the twist.
 */
struct FSlotInfo
{
	std::string_view Name;
	int JointCount;
	EJoint Joints[3];
	int Above;
	EJoint Base;
	int Toward[3];
	ESecond Second;
	std::array<int, 3> Limb;
};

constexpr int Slot(ESlot Which)
{
	return static_cast<int>(Which);
}

constexpr FSlotInfo One(std::string_view Name, EJoint Joint, int Above, EJoint Base, int Toward, ESecond Second,
	std::array<int, 3> Limb = {NoSlot, NoSlot, NoSlot})
{
	return {Name, 1, {Joint, Joint, Joint}, Above, Base, {Toward, NoSlot, NoSlot}, Second, Limb};
}

constexpr std::array<int, 3> LimbOf(ESlot Upper)
{
	return {Slot(Upper), Slot(Upper) + 1, Slot(Upper) + 2};
}

/** The torso is aligned as one, by the line from pelvis to neck: straightening each spine bone would bend the body. */
constexpr FSlotInfo Slots[SlotCount] = {
	{"pelvis", 1, {EJoint::Pelvis, EJoint::Pelvis, EJoint::Pelvis}, NoSlot, EJoint::Pelvis,
		{Slot(ESlot::Neck), Slot(ESlot::Head), Slot(ESlot::Spine)}, ESecond::Forward, {NoSlot, NoSlot, NoSlot}},
	{"spine", 3, {EJoint::Spine1, EJoint::Spine2, EJoint::Spine3}, Slot(ESlot::Pelvis), EJoint::Pelvis,
		{NoSlot, NoSlot, NoSlot}, ESecond::Parent, {NoSlot, NoSlot, NoSlot}},
	One("neck", EJoint::Neck, Slot(ESlot::Spine), EJoint::Spine3, Slot(ESlot::Head), ESecond::Forward),
	One("head", EJoint::Head, Slot(ESlot::Neck), EJoint::Neck, NoSlot, ESecond::Upright),
	One("left_collar", EJoint::LeftCollar, Slot(ESlot::Spine), EJoint::Spine3, Slot(ESlot::LeftShoulder),
		ESecond::Forward),
	One("left_shoulder", EJoint::LeftShoulder, Slot(ESlot::LeftCollar), EJoint::LeftCollar, Slot(ESlot::LeftElbow),
		ESecond::Elbow, LimbOf(ESlot::LeftShoulder)),
	One("left_elbow", EJoint::LeftElbow, Slot(ESlot::LeftShoulder), EJoint::LeftShoulder, Slot(ESlot::LeftWrist),
		ESecond::Elbow, LimbOf(ESlot::LeftShoulder)),
	One("left_wrist", EJoint::LeftWrist, Slot(ESlot::LeftElbow), EJoint::LeftElbow, NoSlot, ESecond::Parent),
	One("left_hip", EJoint::LeftHip, Slot(ESlot::Pelvis), EJoint::Pelvis, Slot(ESlot::LeftKnee), ESecond::Knee,
		LimbOf(ESlot::LeftHip)),
	One("left_knee", EJoint::LeftKnee, Slot(ESlot::LeftHip), EJoint::LeftHip, Slot(ESlot::LeftAnkle), ESecond::Knee,
		LimbOf(ESlot::LeftHip)),
	One("left_ankle", EJoint::LeftAnkle, Slot(ESlot::LeftKnee), EJoint::LeftKnee, Slot(ESlot::LeftFoot),
		ESecond::Level),
	One("left_foot", EJoint::LeftFoot, Slot(ESlot::LeftAnkle), EJoint::LeftAnkle, NoSlot, ESecond::Parent),
	One("right_collar", EJoint::RightCollar, Slot(ESlot::Spine), EJoint::Spine3, Slot(ESlot::RightShoulder),
		ESecond::Forward),
	One("right_shoulder", EJoint::RightShoulder, Slot(ESlot::RightCollar), EJoint::RightCollar, Slot(ESlot::RightElbow),
		ESecond::Elbow, LimbOf(ESlot::RightShoulder)),
	One("right_elbow", EJoint::RightElbow, Slot(ESlot::RightShoulder), EJoint::RightShoulder, Slot(ESlot::RightWrist),
		ESecond::Elbow, LimbOf(ESlot::RightShoulder)),
	One("right_wrist", EJoint::RightWrist, Slot(ESlot::RightElbow), EJoint::RightElbow, NoSlot, ESecond::Parent),
	One("right_hip", EJoint::RightHip, Slot(ESlot::Pelvis), EJoint::Pelvis, Slot(ESlot::RightKnee), ESecond::Knee,
		LimbOf(ESlot::RightHip)),
	One("right_knee", EJoint::RightKnee, Slot(ESlot::RightHip), EJoint::RightHip, Slot(ESlot::RightAnkle),
		ESecond::Knee, LimbOf(ESlot::RightHip)),
	One("right_ankle", EJoint::RightAnkle, Slot(ESlot::RightKnee), EJoint::RightKnee, Slot(ESlot::RightFoot),
		ESecond::Level),
	One("right_foot", EJoint::RightFoot, Slot(ESlot::RightAnkle), EJoint::RightAnkle, NoSlot, ESecond::Parent),
};

int FirstJoint(int Which)
{
	return static_cast<int>(Slots[Which].Joints[0]);
}

/** The rotation that takes the frame of two axes From to that of To; the first axis of each is exact. */
FQuaternion Turn(const FVec3 (&To)[2], const FVec3 (&From)[2])
{
	return Mul(FromTwoAxes(To[0], To[1]), Inv(FromTwoAxes(From[0], From[1])));
}

} // namespace

std::string_view ToText(ESlot Which)
{
	return Slots[Slot(Which)].Name;
}

int FindSlot(std::string_view Name)
{
	const FSlotInfo* Found =
		std::find_if(std::begin(Slots), std::end(Slots), [Name](const FSlotInfo& Info) { return Info.Name == Name; });
	return Found == std::end(Slots) ? -1 : static_cast<int>(Found - Slots);
}

bool FRetargeter::FindFault(std::string& Fault) const
{
	const int Count = static_cast<int>(Rig.Bones.size());
	for (int Bone = 0; Bone < Count; ++Bone)
	{
		const int Parent = Rig.Bones[size_t(Bone)].Parent;
		if (Bone == 0 ? Parent != -1 : Parent < 0 || Parent >= Bone)
		{
			Fault = "bone " + Rig.Bones[size_t(Bone)].Name + ": the first bone must be the root, parents come first";
			return true;
		}
	}
	for (int Which = 0; Which < SlotCount; ++Which)
	{
		for (const int Bone : Rig.Map[size_t(Which)])
		{
			if (Bone < 0 || Bone >= Count)
			{
				Fault = "slot " + std::string(Slots[Which].Name) + " names bone " + std::to_string(Bone) + " of " +
					std::to_string(Count);
				return true;
			}
		}
	}
	if (Count == 0 || !Has(Slot(ESlot::Pelvis)))
	{
		Fault = "the bone map has no pelvis; fill the table of bones in by hand";
		return true;
	}
	return false;
}

bool FRetargeter::Build(const FRig& InRig, std::string& Fault, bool bAlign)
{
	Rig = InRig;
	if (FindFault(Fault))
	{
		Rig.Bones.clear();
		return false;
	}
	const size_t Count = Rig.Bones.size();
	Up = ToModel(Rig.Axes, FVec3{0.0, 1.0, 0.0}) * (1.0 / UnitsPerMetre(Rig.Axes));
	Forward = ToModel(Rig.Axes, FVec3{0.0, 0.0, 1.0}) * (1.0 / UnitsPerMetre(Rig.Axes));
	RestRotations.resize(Count);
	RestPositions.resize(Count);
	Posed.resize(Count);
	Links.assign(Count, FLink());
	for (size_t Bone = 0; Bone < Count; ++Bone)
	{
		const FRigBone& Info = Rig.Bones[Bone];
		const size_t Parent = static_cast<size_t>(std::max(Info.Parent, 0));
		RestRotations[Bone] = Bone == 0 ? Info.Rotation : Mul(RestRotations[Parent], Info.Rotation);
		RestPositions[Bone] =
			Bone == 0 ? Info.Position : RestPositions[Parent] + MulVec(RestRotations[Parent], Info.Position);
	}
	for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
	{
		const FJointInfo& Info = GetJoint(Joint);
		const FVec3 Offset = ToModel(Rig.Axes, Info.Offset);
		Source[size_t(Joint)] = Info.Parent < 0 ? Offset : Source[size_t(Info.Parent)] + Offset;
	}
	Alignments.fill(FQuaternion());
	for (int Which = 0; Which < SlotCount; ++Which)
	{
		if (Has(Which))
		{
			Alignments[size_t(Which)] = bAlign ? Align(Which) : FQuaternion();
			LinkSlot(Which);
		}
	}
	Measure();
	return true;
}

void FRetargeter::LinkSlot(int Which)
{
	const FSlotInfo& Info = Slots[Which];
	const std::vector<int>& Chain = Rig.Map[size_t(Which)];
	const auto Along = [&Info](int Index) { return static_cast<int>(Index == 0 ? Info.Base : Info.Joints[Index - 1]); };
	for (size_t Place = 0; Place < Chain.size(); ++Place)
	{
		// Bone k of N stands for the stretch k/N to (k+1)/N of the joints and turns with the end of it.
		const double End = double(Place + 1) * Info.JointCount / double(Chain.size());
		const int Low = std::min(static_cast<int>(std::ceil(End)) - 1, Info.JointCount - 1);
		const size_t Bone = static_cast<size_t>(Chain[Place]);
		Links[Bone] = {Along(Low), Along(Low + 1), End - Low, Mul(Alignments[size_t(Which)], RestRotations[Bone])};
	}
}

FVec3 FRetargeter::RigAim(int Which, int Aim) const
{
	return FirstRest(Aim) - FirstRest(Which);
}

FVec3 FRetargeter::SourceAim(int Which, int Aim) const
{
	return Normalized(Source[size_t(FirstJoint(Aim))] - Source[size_t(FirstJoint(Which))]);
}

bool FRetargeter::FindAim(int Which, int& OutAim) const
{
	for (const int Aim : Slots[Which].Toward)
	{
		if (Aim != NoSlot && Has(Aim) && Length(RigAim(Which, Aim)) > MinAimMetres * UnitsPerMetre(Rig.Axes))
		{
			OutAim = Aim;
			return true;
		}
	}
	return false;
}

FQuaternion FRetargeter::Align(int Which) const
{
	const FSlotInfo& Info = Slots[Which];
	if (Info.Second == ESecond::Upright)
	{
		return {};
	}
	int Aim = NoSlot;
	if (!FindAim(Which, Aim))
	{
		return Info.Above == NoSlot ? FQuaternion() : Alignments[size_t(Info.Above)];
	}
	const FVec3 Ours = Normalized(RigAim(Which, Aim));
	const FVec3 Theirs = SourceAim(Which, Aim);
	switch (Info.Second)
	{
		case ESecond::Level:
			return Turn({Up, Theirs}, {Up, Ours});
		case ESecond::Elbow:
		case ESecond::Knee:
		{
			const FVec3 Flex = Info.Second == ESecond::Elbow ? Forward : Forward * -1.0;
			return Turn({Theirs, Hinge(Info.Limb, Theirs, Flex, true)}, {Ours, Hinge(Info.Limb, Ours, Flex, false)});
		}
		default:
			return Turn({Theirs, Forward}, {Ours, Forward});
	}
}

FVec3 FRetargeter::Hinge(const std::array<int, 3>& Limb, const FVec3& Direction, const FVec3& Flex, bool bSource) const
{
	const FVec3 Usual = Normalized(Cross(Direction, Flex));
	FVec3 Joints[3];
	for (size_t Part = 0; Part < 3; ++Part)
	{
		if (!bSource && !Has(Limb[Part]))
		{
			return Usual;
		}
		Joints[Part] = bSource ? Source[size_t(FirstJoint(Limb[Part]))] : FirstRest(Limb[Part]);
	}
	const FVec3 Upper = Normalized(Joints[1] - Joints[0]);
	const FVec3 Lower = Normalized(Joints[2] - Joints[1]);
	const FVec3 Axis = Cross(Upper, Lower);
	const double Bend = std::atan2(Length(Axis), Dot(Upper, Lower));
	if (Bend < MinHingeBend || Dot(Normalized(Axis), Usual) < Hyperextended)
	{
		return Usual;
	}
	return Normalized(Axis);
}

double FRetargeter::LegHeight(const FVec3& Hip, const FVec3& Knee, const FVec3& Ankle) const
{
	return Length(Knee - Hip) + Length(Ankle - Knee) + Dot(Ankle, Up);
}

bool FRetargeter::StandingHipHeight(double& Out) const
{
	Out = 0.0;
	for (const ESlot Hip : {ESlot::LeftHip, ESlot::RightHip})
	{
		const std::array<int, 3> Leg = LimbOf(Hip);
		if (!Has(Leg[0]) || !Has(Leg[1]) || !Has(Leg[2]))
		{
			return false;
		}
		Out += 0.5 * LegHeight(FirstRest(Leg[0]), FirstRest(Leg[1]), FirstRest(Leg[2]));
	}
	return true;
}

double FRetargeter::SourceHipHeight() const
{
	double Height = 0.0;
	for (const ESlot Hip : {ESlot::LeftHip, ESlot::RightHip})
	{
		const std::array<int, 3> Leg = LimbOf(Hip);
		const auto Joint = [this, &Leg](size_t Part) { return Source[size_t(FirstJoint(Leg[Part]))]; };
		Height += 0.5 * LegHeight(Joint(0), Joint(1), Joint(2));
	}
	return Height;
}

void FRetargeter::Measure()
{
	// Both heights are of legs stretched out straight, so that a rig which rests with its legs apart counts in full.
	const double SourcePelvis = Dot(Source[0], Up);
	const FVec3 Pelvis = FirstRest(Slot(ESlot::Pelvis));
	double Ours = 0.0;
	if (!StandingHipHeight(Ours))
	{
		Scale = Dot(Pelvis, Up) / SourcePelvis;
		Lift = 0.0;
		return;
	}
	const FVec3 Hips = (FirstRest(Slot(ESlot::LeftHip)) + FirstRest(Slot(ESlot::RightHip))) * 0.5;
	const double Above = Dot(MulVec(Alignments[0], Pelvis - Hips), Up);
	Scale = Ours / SourceHipHeight();
	Lift = Ours + Above - Scale * SourcePelvis;
}

void FRetargeter::Apply(const FPose& Pose, FQuaternion* OutLocals, FVec3& OutPelvis)
{
	FQuaternion Turned[Limits::JointCount];
	ForwardKinematics(Pose, &Turned, nullptr);
	for (FQuaternion& Rotation : Turned)
	{
		Rotation = ToModel(Rig.Axes, Normalized(Rotation));
	}
	for (size_t Bone = 0; Bone < Rig.Bones.size(); ++Bone)
	{
		const FLink& Link = Links[Bone];
		const FRigBone& Info = Rig.Bones[Bone];
		if (Link.High >= 0)
		{
			const FQuaternion Driver =
				Link.Share < 1.0 ? Slerp(Turned[Link.Low], Turned[Link.High], Link.Share) : Turned[Link.High];
			Posed[Bone] = Mul(Driver, Link.Rest);
		}
		else
		{
			Posed[Bone] = Bone == 0 ? Info.Rotation : Mul(Posed[size_t(Info.Parent)], Info.Rotation);
		}
		OutLocals[Bone] = Bone == 0 ? Posed[Bone] : Mul(Inv(Posed[size_t(Info.Parent)]), Posed[Bone]);
	}
	OutPelvis = ToModel(Rig.Axes, FVec3{Pose.Root[0], Pose.Root[1], Pose.Root[2]}) * Scale + Up * Lift;
}

} // namespace MotionBridge
