// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Limits.h"
#include "MotionBridgeCore/Poses.h"
#include "MotionBridgeCore/Types.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/**
 * The messages of motionbridge.v1. Meaning, units and limits of every field: SPEC.md, under the message's name.
 * An optional without a value is a key that is absent; other members start at the protocol's defaults.
 */
namespace MotionBridge
{

enum class EMode : uint8_t
{
	Replace,
	Queue
};

enum class EOnEnd : uint8_t
{
	Idle,
	Repeat,
	Hold
};

enum class EAction : uint8_t
{
	Pause,
	Resume,
	Stop,
	Remove,
	RootMotionOn,
	RootMotionOff
};

enum class EStatus : uint8_t
{
	Accepted,
	Started,
	Finished,
	Cancelled,
	Failed
};

struct FHello
{
	static constexpr std::string_view Type = "hello";

	int64_t Version = Limits::ProtocolVersion;
	std::string Client;
	std::string ClientVersion;
	std::optional<std::string> Token;
	double FrameRate = Limits::DefaultFrameRate;
	EEncoding Encoding = EEncoding::Float32;
	std::optional<std::string> Resume;
	std::optional<int64_t> Received;
};

struct FPrompt
{
	static constexpr std::string_view Type = "prompt";

	std::string Character = Limits::DefaultCharacter;
	std::string Id;
	std::string Text;
	std::optional<double> Seconds;
	std::optional<int64_t> Seed;
	std::optional<double> Guidance;
	EMode Mode = EMode::Replace;
	EOnEnd OnEnd = EOnEnd::Idle;
};

struct FTimelinePrompt
{
	std::string Id;
	std::string Text;
	std::optional<double> Seconds;
	std::optional<int64_t> Seed;
	std::optional<double> Guidance;
};

struct FTimeline
{
	static constexpr std::string_view Type = "timeline";

	std::string Character = Limits::DefaultCharacter;
	std::optional<std::string> Id;
	std::vector<FTimelinePrompt> Prompts;
	EMode Mode = EMode::Replace;
	EOnEnd OnEnd = EOnEnd::Idle;
};

struct FSteer
{
	static constexpr std::string_view Type = "steer";

	std::string Character = Limits::DefaultCharacter;
	std::optional<std::string> Id;
	std::optional<double> Heading;
	std::optional<double> Speed;
	/** Pairs of x and z, metres. */
	std::optional<std::vector<std::array<double, 2>>> Waypoints;
};

struct FControl
{
	static constexpr std::string_view Type = "control";

	std::string Character = Limits::DefaultCharacter;
	std::optional<std::string> Id;
	EAction Action = EAction::Stop;
};

/** Sent several times a second: its character is a view, so that sending allocates nothing. */
struct FPlayhead
{
	static constexpr std::string_view Type = "playhead";

	std::string_view Character = Limits::DefaultCharacter;
	int64_t Frame = 0;
	int64_t Buffered = 0;
};

struct FGenerate
{
	static constexpr std::string_view Type = "generate";

	std::string Id;
	std::string Text;
	std::optional<double> Seconds;
	std::optional<double> FrameRate;
	std::optional<int64_t> Seed;
	std::optional<double> Guidance;
	std::optional<int64_t> Steps;
};

struct FEdit
{
	static constexpr std::string_view Type = "edit";

	std::string Id;
	std::string Text;
	std::optional<int64_t> Seed;
	std::optional<double> Guidance;
	std::optional<int64_t> Steps;
	double FrameRate = 0.0;
	/** Half-open, in order, disjoint. */
	std::vector<std::array<int64_t, 2>> Ranges;
	FPoseBlocks Poses;
};

struct FServerLimits
{
	int64_t TextCharacters = Limits::MaxTextCharacters;
	double SecondsMin = Limits::MinSeconds;
	double SecondsMax = Limits::MaxSeconds;
	double FrameRateMin = Limits::MinFrameRate;
	double FrameRateMax = Limits::MaxFrameRate;
	int64_t MessageBytes = Limits::MaxMessageBytes;
	int64_t MessagesPerSecond = Limits::MessagesPerSecond;
	int64_t Characters = Limits::MaxCharacters;
	int64_t QueuedPrompts = Limits::MaxQueuedPrompts;
	int64_t TimelinePrompts = Limits::MaxTimelinePrompts;
	int64_t PendingRequests = Limits::MaxPendingRequests;
};

struct FJoint
{
	std::string Name;
	int64_t Parent = -1;
	/** Metres from the parent in the rest pose; the root's is its height over the floor. */
	std::array<double, 3> Offset = {0.0, 0.0, 0.0};
};

struct FSkeletonTable
{
	std::string Name;
	std::vector<FJoint> Joints;
	std::array<int64_t, 4> Feet = {0, 0, 0, 0};
};

struct FWelcome
{
	static constexpr std::string_view Type = "welcome";

	int64_t Version = 0;
	std::string Server;
	std::string ServerVersion;
	std::string Model;
	std::string Session;
	std::optional<std::string> Resume;
	bool bResumed = false;
	std::vector<std::string> Characters;
	std::vector<std::string> Supports;
	double FrameRate = Limits::DefaultFrameRate;
	EEncoding Encoding = EEncoding::Float32;
	double ModelFrameRate = 0.0;
	double Lead = Limits::DefaultLeadSeconds;
	FServerLimits ServerLimits;
	FSkeletonTable Skeleton;
};

struct FPromptStatus
{
	static constexpr std::string_view Type = "prompt_status";

	std::string Character;
	std::string Id;
	EStatus Status = EStatus::Accepted;
	std::optional<int64_t> Frame;
	std::optional<double> Seconds;
	std::optional<int64_t> Seed;
	std::optional<std::string> Reason;
};

/** The hot message: everything in it lies in the message's memory, so that decoding allocates nothing. */
struct FFrames
{
	static constexpr std::string_view Type = "frames";

	std::string_view Character;
	int64_t First = 0;
	double FrameRate = 0.0;
	std::optional<std::string_view> Prompt;
	FPoseBlocks Poses;
};

/** Its pose blocks lie in the message's memory. */
struct FClip
{
	static constexpr std::string_view Type = "clip";

	std::string Id;
	std::string Text;
	int64_t Seed = 0;
	double FrameRate = 0.0;
	FPoseBlocks Poses;
};

struct FErrorMessage
{
	static constexpr std::string_view Type = "error";

	std::string Code;
	std::string Message;
	std::optional<std::string> Id;
	std::optional<std::string> Character;
	std::optional<std::string> Field;
};

struct FStats
{
	static constexpr std::string_view Type = "stats";

	int64_t FramesSent = 0;
	int64_t FramesDropped = 0;
	std::optional<double> GenerationSeconds;
};

using FClientMessage = std::variant<FHello, FPrompt, FTimeline, FSteer, FControl, FPlayhead, FGenerate, FEdit>;
using FServerMessage = std::variant<FWelcome, FPromptStatus, FFrames, FClip, FErrorMessage, FStats>;

/** Names on the wire of an enumeration's values, in order. */
MOTIONBRIDGECORE_API std::string_view ToText(EEncoding Value);
MOTIONBRIDGECORE_API std::string_view ToText(EMode Value);
MOTIONBRIDGECORE_API std::string_view ToText(EOnEnd Value);
MOTIONBRIDGECORE_API std::string_view ToText(EAction Value);
MOTIONBRIDGECORE_API std::string_view ToText(EStatus Value);

} // namespace MotionBridge
