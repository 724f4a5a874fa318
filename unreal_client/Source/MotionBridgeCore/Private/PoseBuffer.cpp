// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/PoseBuffer.h"

#include "MotionBridgeCore/Rotation.h"

#include <algorithm>
#include <cmath>

namespace MotionBridge
{

namespace
{

/** Distinct prompts remembered: more than can play within one buffer of frames. */
constexpr size_t PromptCapacity = 64;
/** Bytes of a name of 64 code points. */
constexpr size_t LongestName = 4 * Limits::MaxNameCharacters;

FQuaternion LoadQuaternion(const float (&Rotation)[4])
{
	return {Rotation[0], Rotation[1], Rotation[2], Rotation[3]};
}

} // namespace

FPoseBuffer::FPoseBuffer(int Capacity)
	: Slots(static_cast<size_t>(std::max(Capacity, 2)))
	, Prompts(PromptCapacity)
{
	for (std::string& Prompt : Prompts)
	{
		Prompt.reserve(LongestName);
	}
}

void FPoseBuffer::Clear()
{
	for (FSlot& Slot : Slots)
	{
		Slot.Index = Empty;
	}
	Newest = Empty;
}

uint16_t FPoseBuffer::InternPrompt(const std::optional<std::string_view>& Prompt)
{
	if (!Prompt)
	{
		return 0;
	}
	if (NewestPrompt == 0 || Prompts[NewestPrompt] != *Prompt)
	{
		NewestPrompt = static_cast<uint16_t>(NewestPrompt % (PromptCapacity - 1) + 1);
		Prompts[NewestPrompt].assign(Prompt->data(), Prompt->size());
	}
	return NewestPrompt;
}

int FPoseBuffer::Insert(const FFrames& Frames, const FJointOrder& Order, int64_t Earliest)
{
	const int64_t End = Frames.First + Frames.Poses.Count;
	Newest = std::max(Newest, End - 1);
	Earliest = std::max(Earliest, Newest - int64_t(Slots.size()) + 1);
	const uint16_t Prompt = InternPrompt(Frames.Prompt);
	int Kept = 0;
	for (int64_t Index = std::max(Frames.First, Earliest); Index < End; ++Index, ++Kept)
	{
		FSlot& Slot = Slots[SlotOf(Index)];
		FPose Sent;
		UnpackPose(Frames.Poses, Index - Frames.First, Sent);
		Slot.Index = Index;
		Slot.Prompt = Prompt;
		Slot.Pose = Sent;
		for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
		{
			std::copy_n(Sent.Rotations[Order[static_cast<size_t>(Joint)]], 4, Slot.Pose.Rotations[Joint]);
		}
	}
	return Kept;
}

const FPose* FPoseBuffer::Find(int64_t Index) const
{
	if (Index < 0 || Index > Newest || Index <= Newest - int64_t(Slots.size()))
	{
		return nullptr;
	}
	const FSlot& Slot = Slots[SlotOf(Index)];
	return Slot.Index == Index ? &Slot.Pose : nullptr;
}

int64_t FPoseBuffer::FirstFrom(int64_t From) const
{
	const int64_t Start = std::max({From, int64_t(0), Newest - int64_t(Slots.size()) + 1});
	for (int64_t Index = Start; Index <= Newest; ++Index)
	{
		if (Find(Index))
		{
			return Index;
		}
	}
	return Empty;
}

int64_t FPoseBuffer::CountAfter(int64_t Index) const
{
	int64_t Count = 0;
	while (Find(Index + Count + 1))
	{
		++Count;
	}
	return Count;
}

std::string_view FPoseBuffer::PromptOf(int64_t Index) const
{
	return Find(Index) ? std::string_view(Prompts[Slots[SlotOf(Index)].Prompt]) : std::string_view();
}

ESample FPoseBuffer::Sample(double Frame, int64_t MaxGap, FPose& Out) const
{
	const double Floor = std::floor(Frame);
	int64_t Before = static_cast<int64_t>(Floor);
	const int64_t Furthest = std::max(Before - int64_t(Slots.size()), int64_t(0));
	while (Before >= Furthest && !Find(Before))
	{
		--Before;
	}
	const FPose* From = Before >= Furthest ? Find(Before) : nullptr;
	if (!From)
	{
		return ESample::Nothing;
	}
	if (static_cast<double>(Before) == Frame)
	{
		Out = *From;
		return ESample::Smooth;
	}
	const int64_t After = FirstFrom(static_cast<int64_t>(Floor) + 1);
	if (After == Empty || After - Before > MaxGap)
	{
		Out = *From;
		return ESample::Held;
	}
	Interpolate(*From, *Find(After), (Frame - double(Before)) / double(After - Before), Out);
	return After - Before == 1 ? ESample::Smooth : ESample::AcrossGap;
}

void Interpolate(const FPose& From, const FPose& To, double Alpha, FPose& Out)
{
	for (int Axis = 0; Axis < 3; ++Axis)
	{
		Out.Root[Axis] = static_cast<float>(From.Root[Axis] + Alpha * (double(To.Root[Axis]) - From.Root[Axis]));
	}
	for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
	{
		const FQuaternion Between =
			Slerp(LoadQuaternion(From.Rotations[Joint]), LoadQuaternion(To.Rotations[Joint]), Alpha);
		Out.Rotations[Joint][0] = static_cast<float>(Between.X);
		Out.Rotations[Joint][1] = static_cast<float>(Between.Y);
		Out.Rotations[Joint][2] = static_cast<float>(Between.Z);
		Out.Rotations[Joint][3] = static_cast<float>(Between.W);
	}
	Out.Contacts = From.Contacts;
}

} // namespace MotionBridge
