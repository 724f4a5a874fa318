// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Messages.h"

#include <vector>

namespace MotionBridge
{

/** Position of each of our joints in the rotations of a stream; the identity for servers of version 1. */
using FJointOrder = std::array<int, Limits::JointCount>;

enum class ESample : uint8_t
{
	/** Nothing held at or before the time asked for: the pose is unchanged. */
	Nothing,
	/** A frame, or between two neighbours. */
	Smooth,
	/** Across a gap of lost frames. */
	AcrossGap,
	/** The last frame held, because what follows it has not come. */
	Held
};

/**
 * The last frames of a character's timeline by absolute index; a frame received again replaces the one held. All memory
 * is taken by the constructor.
 */
class MOTIONBRIDGECORE_API FPoseBuffer
{
public:
	/** Empty is what Newest and Oldest are of a buffer without frames. */
	static constexpr int64_t Empty = -1;
	/** 512 frames are 4.2 s at the highest rate; a server keeps no more than 2 s ahead. */
	static constexpr int DefaultCapacity = 512;

	explicit FPoseBuffer(int Capacity = DefaultCapacity);

	/** Takes in the frames of a message from index Earliest on, and returns how many. A far jump ahead drops the rest.
	 */
	int Insert(const FFrames& Frames, const FJointOrder& Order, int64_t Earliest = 0);

	void Clear();

	int64_t GetNewest() const { return Newest; }

	/** The lowest index held that is at least From; Empty when there is none. */
	int64_t FirstFrom(int64_t From) const;

	/** The frame of an index; null when it is not held. */
	const FPose* Find(int64_t Index) const;

	/** Frames that follow Index without a gap: what a `playhead` message reports. */
	int64_t CountAfter(int64_t Index) const;

	/** The prompt that a frame belongs to; empty for idle motion and for frames not held. */
	std::string_view PromptOf(int64_t Index) const;

	/**
	 * The pose at a time in frames: positions between frames linear, rotations by slerp. Across gaps of up to MaxGap
	 * frames too; before a longer one the last frame is held.
	 */
	ESample Sample(double Frame, int64_t MaxGap, FPose& Out) const;

private:
	struct FSlot
	{
		int64_t Index = Empty;
		uint16_t Prompt = 0;
		FPose Pose;
	};

	uint16_t InternPrompt(const std::optional<std::string_view>& Prompt);
	size_t SlotOf(int64_t Index) const { return static_cast<size_t>(Index % int64_t(Slots.size())); }

	std::vector<FSlot> Slots;
	/** The last few prompt ids; entry 0 is none. */
	std::vector<std::string> Prompts;
	uint16_t NewestPrompt = 0;
	int64_t Newest = Empty;
};

/** The pose between two others. Contacts are the earlier one's. */
MOTIONBRIDGECORE_API void Interpolate(const FPose& From, const FPose& To, double Alpha, FPose& Out);

} // namespace MotionBridge
