// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/BoneNames.h"

#include <algorithm>
#include <cctype>

namespace MotionBridge
{

namespace
{

/**
 * Names of a slot's bones, from the pelvis outward, apart by spaces. In names of limbs `<` stands for left or right and
 * `?` for l or r. All in the form that Simplify makes.
 */
struct FConvention
{
	std::string_view Name;
	std::string_view Pelvis;
	std::string_view Spine;
	std::string_view Neck;
	std::string_view Head;
	/** Collar, shoulder, elbow, wrist, hip, knee, ankle, foot. */
	std::string_view Limbs[8];
};

constexpr FConvention Conventions[] = {
	{"mannequin", "pelvis", "spine01 spine02 spine03 spine04 spine05", "neck01 neck02", "head",
		{"clavicle?", "upperarm?", "lowerarm?", "hand?", "thigh?", "calf?", "foot?", "ball?"}},
	{"mixamo", "hips", "spine spine1 spine2", "neck", "head",
		{"<shoulder", "<arm", "<forearm", "<hand", "<upleg", "<leg", "<foot", "<toebase"}},
	{"vroid", "jbipchips", "jbipcspine jbipcchest jbipcupperchest", "jbipcneck", "jbipchead",
		{"jbip?shoulder", "jbip?upperarm", "jbip?lowerarm", "jbip?hand", "jbip?upperleg", "jbip?lowerleg", "jbip?foot",
			"jbip?toebase"}},
	{"humanoid", "hips", "spine chest upperchest", "neck", "head",
		{"<shoulder", "<upperarm", "<lowerarm", "<hand", "<upperleg", "<lowerleg", "<foot", "<toes"}},
	{"smpl", "pelvis", "spine1 spine2 spine3", "neck", "head",
		{"<collar", "<shoulder", "<elbow", "<wrist", "<hip", "<knee", "<ankle", "<foot"}},
};

constexpr int FirstLimb[] = {static_cast<int>(ESlot::LeftCollar), static_cast<int>(ESlot::RightCollar)};

/** Lower case, without what stands before a `:` or `|`, and without signs. */
std::string Simplify(std::string_view Name)
{
	const size_t Prefix = Name.find_last_of(":|");
	std::string Out;
	for (const char Sign : Prefix == std::string_view::npos ? Name : Name.substr(Prefix + 1))
	{
		if (std::isalnum(static_cast<unsigned char>(Sign)))
		{
			Out += static_cast<char>(std::tolower(static_cast<unsigned char>(Sign)));
		}
	}
	return Out;
}

std::string ForSide(std::string_view Pattern, bool bLeft)
{
	std::string Out;
	for (const char Sign : Pattern)
	{
		if (Sign == '<')
		{
			Out += bLeft ? "left" : "right";
		}
		else
		{
			Out += Sign == '?' ? (bLeft ? 'l' : 'r') : Sign;
		}
	}
	return Out;
}

/** The bones of the names in a list, those that there are. */
std::vector<int> FindAll(const std::vector<std::string>& Bones, std::string_view List)
{
	std::vector<int> Found;
	while (!List.empty())
	{
		const size_t End = std::min(List.find(' '), List.size());
		for (size_t Bone = 0; Bone < Bones.size(); ++Bone)
		{
			if (Bones[Bone] == List.substr(0, End))
			{
				Found.push_back(static_cast<int>(Bone));
				break;
			}
		}
		List.remove_prefix(std::min(End + 1, List.size()));
	}
	return Found;
}

FNamedMap MapBy(const FConvention& Convention, const std::vector<std::string>& Names)
{
	FNamedMap Out;
	Out.Convention = Convention.Name;
	const std::string_view Torso[] = {Convention.Pelvis, Convention.Spine, Convention.Neck, Convention.Head};
	for (size_t Slot = 0; Slot < 4; ++Slot)
	{
		Out.Map[Slot] = FindAll(Names, Torso[Slot]);
	}
	for (const int First : FirstLimb)
	{
		for (int Limb = 0; Limb < 8; ++Limb)
		{
			Out.Map[size_t(First + Limb)] = FindAll(Names, ForSide(Convention.Limbs[Limb], First == FirstLimb[0]));
		}
	}
	for (const std::vector<int>& Chain : Out.Map)
	{
		Out.Found += Chain.empty() ? 0 : 1;
	}
	return Out;
}

} // namespace

FNamedMap MapBonesByName(const std::vector<FRigBone>& Bones)
{
	std::vector<std::string> Names;
	for (const FRigBone& Bone : Bones)
	{
		Names.push_back(Simplify(Bone.Name));
	}
	FNamedMap Best;
	for (const FConvention& Convention : Conventions)
	{
		FNamedMap Map = MapBy(Convention, Names);
		if (!Map.Map[0].empty() && Map.Found > Best.Found)
		{
			Best = std::move(Map);
		}
	}
	return Best;
}

} // namespace MotionBridge
