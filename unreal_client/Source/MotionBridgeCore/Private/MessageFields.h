// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Messages.h"

#include <limits>

/**
 * The fields of every message, in the order of SPEC.md, each with its rule: the one table that the reader, the writer
 * and the tests walk. A visitor has Required, Default and Optional, which take a key, a member and a rule, and Check,
 * which takes a key and a function that says what is wrong with the field just visited.
 */
namespace MotionBridge
{

struct FTextRule
{
	size_t Min;
	size_t Max;
	/** White space at both ends is not part of it. */
	bool bStrip = false;
};

/** Takes numbers up to Float32Slack past a limit, as the limit. */
struct FRealRule
{
	double Low = -std::numeric_limits<double>::max();
	double High = std::numeric_limits<double>::max();
};

struct FWholeRule
{
	int64_t Low;
	int64_t High = std::numeric_limits<int64_t>::max();
};

struct FFlagRule
{};

struct FBinaryRule
{};

/** An enumeration: its names on the wire are what ToText gives for 0 to Count - 1. */
struct FChoiceRule
{
	int Count;
};

struct FMapRule
{};

/** Of a std::vector. */
template <class TItemRule>
struct TListRule
{
	TItemRule Item;
	size_t Min = 0;
	size_t Max = std::numeric_limits<size_t>::max();
};

/** Of a std::array: exactly its number of items. */
template <class TItemRule>
struct TTupleRule
{
	TItemRule Item;
};

namespace Rules
{

constexpr FTextRule Name{1, Limits::MaxNameCharacters};
constexpr FTextRule Label{0, Limits::MaxNameCharacters};
constexpr FTextRule Text{1, Limits::MaxTextCharacters, true};
constexpr FTextRule Token{0, Limits::MaxTokenCharacters};
constexpr FTextRule Reason{0, Limits::MaxErrorCharacters};
constexpr FRealRule Finite{};
constexpr FRealRule Seconds{Limits::MinSeconds, Limits::MaxSeconds};
constexpr FRealRule Guidance{0.0, Limits::MaxGuidance};
constexpr FRealRule FrameRate{Limits::MinFrameRate, Limits::MaxFrameRate};
constexpr FRealRule Heading{-3.141592653589793, 3.141592653589793};
constexpr FRealRule Speed{0.0, Limits::MaxSpeed};
constexpr FRealRule Metres{-Limits::MaxRootMetres, Limits::MaxRootMetres};
constexpr FRealRule Lead{0.0};
constexpr FWholeRule Version{1};
constexpr FWholeRule Seed{0, Limits::MaxSeed};
constexpr FWholeRule Steps{1, Limits::MaxSteps};
constexpr FWholeRule FrameIndex{0, Limits::MaxFrameIndex};
constexpr FWholeRule Natural = FrameIndex;
constexpr FWholeRule FrameCount{1, Limits::MaxFrames};
constexpr FWholeRule Any{std::numeric_limits<int64_t>::min()};
constexpr FWholeRule Parent{-1};
constexpr FChoiceRule Encoding{2};
constexpr FChoiceRule Mode{2};
constexpr FChoiceRule OnEnd{3};
constexpr FChoiceRule Action{6};
constexpr FChoiceRule Status{5};

} // namespace Rules

/** Checks that need more than one field: what is wrong, empty when nothing is. */
std::string FindRepeatedId(const std::vector<FTimelinePrompt>& Prompts);
std::string FindLengthFault(int64_t Count, double FrameRate);
std::string FindRangeFault(const std::vector<std::array<int64_t, 2>>& Ranges, int64_t Count);

template <class TVisitor, class TPoses>
void DescribeBlocks(TVisitor& Visit, TPoses& Poses)
{
	Visit.Required("encoding", Poses.Encoding, Rules::Encoding);
	Visit.Required("root", Poses.Root, FBinaryRule{});
	Visit.Check("root", [&] { return FindRootFault(Poses); });
	Visit.Required("rotations", Poses.Rotations, FBinaryRule{});
	Visit.Check("rotations", [&] { return FindRotationFault(Poses); });
	Visit.Required("contacts", Poses.Contacts, FBinaryRule{});
	Visit.Check("contacts", [&] { return FindContactFault(Poses); });
}

/** The type of message that a const or plain reference is of. */
template <class T, class TMessage>
using TIfMessage = std::enable_if_t<std::is_same_v<std::remove_const_t<T>, TMessage>, int>;

template <class TVisitor, class T, TIfMessage<T, FHello> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("version", Message.Version, Rules::Version);
	Visit.Default("client", Message.Client, Rules::Label);
	Visit.Default("client_version", Message.ClientVersion, Rules::Label);
	Visit.Optional("token", Message.Token, Rules::Token);
	Visit.Default("frame_rate", Message.FrameRate, Rules::FrameRate);
	Visit.Default("encoding", Message.Encoding, Rules::Encoding);
	Visit.Optional("resume", Message.Resume, Rules::Token);
	Visit.Optional("received", Message.Received, Rules::Natural);
}

template <class TVisitor, class T, TIfMessage<T, FPrompt> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Default("character", Message.Character, Rules::Name);
	Visit.Required("id", Message.Id, Rules::Name);
	Visit.Required("text", Message.Text, Rules::Text);
	Visit.Optional("seconds", Message.Seconds, Rules::Seconds);
	Visit.Optional("seed", Message.Seed, Rules::Seed);
	Visit.Optional("guidance", Message.Guidance, Rules::Guidance);
	Visit.Default("mode", Message.Mode, Rules::Mode);
	Visit.Default("on_end", Message.OnEnd, Rules::OnEnd);
}

template <class TVisitor, class T, TIfMessage<T, FTimelinePrompt> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("id", Message.Id, Rules::Name);
	Visit.Required("text", Message.Text, Rules::Text);
	Visit.Optional("seconds", Message.Seconds, Rules::Seconds);
	Visit.Optional("seed", Message.Seed, Rules::Seed);
	Visit.Optional("guidance", Message.Guidance, Rules::Guidance);
}

template <class TVisitor, class T, TIfMessage<T, FTimeline> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Default("character", Message.Character, Rules::Name);
	Visit.Optional("id", Message.Id, Rules::Name);
	Visit.Required("prompts", Message.Prompts, TListRule<FMapRule>{{}, 1, Limits::MaxTimelinePrompts});
	Visit.Check("prompts", [&] { return FindRepeatedId(Message.Prompts); });
	Visit.Default("mode", Message.Mode, Rules::Mode);
	Visit.Default("on_end", Message.OnEnd, Rules::OnEnd);
}

template <class TVisitor, class T, TIfMessage<T, FSteer> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Default("character", Message.Character, Rules::Name);
	Visit.Optional("id", Message.Id, Rules::Name);
	Visit.Optional("heading", Message.Heading, Rules::Heading);
	Visit.Optional("speed", Message.Speed, Rules::Speed);
	Visit.Optional(
		"waypoints", Message.Waypoints, TListRule<TTupleRule<FRealRule>>{{Rules::Metres}, 1, Limits::MaxWaypoints});
}

template <class TVisitor, class T, TIfMessage<T, FControl> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Default("character", Message.Character, Rules::Name);
	Visit.Optional("id", Message.Id, Rules::Name);
	Visit.Required("action", Message.Action, Rules::Action);
}

template <class TVisitor, class T, TIfMessage<T, FPlayhead> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Default("character", Message.Character, Rules::Name);
	Visit.Required("frame", Message.Frame, Rules::FrameIndex);
	Visit.Default("buffered", Message.Buffered, Rules::Natural);
}

template <class TVisitor, class T, TIfMessage<T, FGenerate> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("id", Message.Id, Rules::Name);
	Visit.Required("text", Message.Text, Rules::Text);
	Visit.Optional("seconds", Message.Seconds, Rules::Seconds);
	Visit.Optional("frame_rate", Message.FrameRate, Rules::FrameRate);
	Visit.Optional("seed", Message.Seed, Rules::Seed);
	Visit.Optional("guidance", Message.Guidance, Rules::Guidance);
	Visit.Optional("steps", Message.Steps, Rules::Steps);
}

template <class TVisitor, class T, TIfMessage<T, FEdit> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("id", Message.Id, Rules::Name);
	Visit.Required("text", Message.Text, Rules::Text);
	Visit.Optional("seed", Message.Seed, Rules::Seed);
	Visit.Optional("guidance", Message.Guidance, Rules::Guidance);
	Visit.Optional("steps", Message.Steps, Rules::Steps);
	Visit.Required("frame_rate", Message.FrameRate, Rules::FrameRate);
	Visit.Required("count", Message.Poses.Count, Rules::FrameCount);
	Visit.Check("count", [&] { return FindLengthFault(Message.Poses.Count, Message.FrameRate); });
	Visit.Required("ranges", Message.Ranges, TListRule<TTupleRule<FWholeRule>>{{Rules::Any}, 1, Limits::MaxEditRanges});
	Visit.Check("ranges", [&] { return FindRangeFault(Message.Ranges, Message.Poses.Count); });
	DescribeBlocks(Visit, Message.Poses);
}

template <class TVisitor, class T, TIfMessage<T, FServerLimits> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Default("text_characters", Message.TextCharacters, Rules::Natural);
	Visit.Default("seconds_min", Message.SecondsMin, Rules::Finite);
	Visit.Default("seconds_max", Message.SecondsMax, Rules::Finite);
	Visit.Default("frame_rate_min", Message.FrameRateMin, Rules::Finite);
	Visit.Default("frame_rate_max", Message.FrameRateMax, Rules::Finite);
	Visit.Default("message_bytes", Message.MessageBytes, Rules::Natural);
	Visit.Default("messages_per_second", Message.MessagesPerSecond, Rules::Natural);
	Visit.Default("characters", Message.Characters, Rules::Natural);
	Visit.Default("queued_prompts", Message.QueuedPrompts, Rules::Natural);
	Visit.Default("timeline_prompts", Message.TimelinePrompts, Rules::Natural);
	Visit.Default("pending_requests", Message.PendingRequests, Rules::Natural);
}

template <class TVisitor, class T, TIfMessage<T, FJoint> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("name", Message.Name, Rules::Name);
	Visit.Required("parent", Message.Parent, Rules::Parent);
	Visit.Required("offset", Message.Offset, TTupleRule<FRealRule>{Rules::Finite});
}

template <class TVisitor, class T, TIfMessage<T, FSkeletonTable> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("name", Message.Name, Rules::Name);
	Visit.Required("joints", Message.Joints, TListRule<FMapRule>{{}, 1});
	Visit.Required("feet", Message.Feet, TTupleRule<FWholeRule>{Rules::Natural});
}

template <class TVisitor, class T, TIfMessage<T, FWelcome> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("version", Message.Version, Rules::Version);
	Visit.Required("server", Message.Server, Rules::Label);
	Visit.Required("server_version", Message.ServerVersion, Rules::Label);
	Visit.Required("model", Message.Model, Rules::Label);
	Visit.Required("session", Message.Session, Rules::Name);
	Visit.Optional("resume", Message.Resume, Rules::Token);
	Visit.Default("resumed", Message.bResumed, FFlagRule{});
	Visit.Default("characters", Message.Characters, TListRule<FTextRule>{Rules::Name});
	Visit.Required("supports", Message.Supports, TListRule<FTextRule>{Rules::Name});
	Visit.Required("frame_rate", Message.FrameRate, Rules::FrameRate);
	Visit.Required("encoding", Message.Encoding, Rules::Encoding);
	Visit.Required("model_frame_rate", Message.ModelFrameRate, Rules::Finite);
	Visit.Required("lead", Message.Lead, Rules::Lead);
	Visit.Required("limits", Message.ServerLimits, FMapRule{});
	Visit.Required("skeleton", Message.Skeleton, FMapRule{});
}

template <class TVisitor, class T, TIfMessage<T, FPromptStatus> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("character", Message.Character, Rules::Name);
	Visit.Required("id", Message.Id, Rules::Name);
	Visit.Required("status", Message.Status, Rules::Status);
	Visit.Optional("frame", Message.Frame, Rules::FrameIndex);
	Visit.Optional("seconds", Message.Seconds, Rules::Finite);
	Visit.Optional("seed", Message.Seed, Rules::Seed);
	Visit.Optional("reason", Message.Reason, Rules::Reason);
}

template <class TVisitor, class T, TIfMessage<T, FFrames> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("character", Message.Character, Rules::Name);
	Visit.Required("first", Message.First, Rules::FrameIndex);
	Visit.Required("frame_rate", Message.FrameRate, Rules::FrameRate);
	Visit.Optional("prompt", Message.Prompt, Rules::Name);
	Visit.Required("count", Message.Poses.Count, Rules::FrameCount);
	DescribeBlocks(Visit, Message.Poses);
}

template <class TVisitor, class T, TIfMessage<T, FClip> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("id", Message.Id, Rules::Name);
	Visit.Required("text", Message.Text, Rules::Text);
	Visit.Required("seed", Message.Seed, Rules::Seed);
	Visit.Required("frame_rate", Message.FrameRate, Rules::FrameRate);
	Visit.Required("count", Message.Poses.Count, Rules::FrameCount);
	DescribeBlocks(Visit, Message.Poses);
}

template <class TVisitor, class T, TIfMessage<T, FErrorMessage> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("code", Message.Code, Rules::Name);
	Visit.Required("message", Message.Message, Rules::Reason);
	Visit.Optional("id", Message.Id, Rules::Name);
	Visit.Optional("character", Message.Character, Rules::Name);
	Visit.Optional("field", Message.Field, Rules::Reason);
}

template <class TVisitor, class T, TIfMessage<T, FStats> = 0>
void Describe(TVisitor& Visit, T& Message)
{
	Visit.Required("frames_sent", Message.FramesSent, Rules::Natural);
	Visit.Required("frames_dropped", Message.FramesDropped, Rules::Natural);
	Visit.Optional("generation_seconds", Message.GenerationSeconds, Rules::Finite);
}

} // namespace MotionBridge
