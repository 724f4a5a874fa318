// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include <cstddef>
#include <cstdint>

/** Every number of the wire protocol. SPEC.md, "Limits", explains them; a test compares them with the server's. */
namespace MotionBridge::Limits
{

constexpr int64_t ProtocolVersion = 1;
constexpr const char* Subprotocol = "motionbridge.v1";
constexpr const char* DefaultUrl = "ws://127.0.0.1:8765";
constexpr const char* DefaultCharacter = "main";

constexpr int JointCount = 22;
constexpr double DefaultFrameRate = 30.0;
constexpr double MinFrameRate = 10.0;
constexpr double MaxFrameRate = 120.0;

constexpr size_t MaxTextCharacters = 500;
constexpr size_t MaxNameCharacters = 64;
constexpr size_t MaxTokenCharacters = 1024;
constexpr size_t MaxErrorCharacters = 2000;
constexpr int64_t MaxSeed = 4294967295;
constexpr double MinSeconds = 0.5;
constexpr double MaxSeconds = 9.8;
constexpr double MaxGuidance = 20.0;
constexpr int64_t MaxSteps = 64;
constexpr double MaxSpeed = 10.0;

constexpr int64_t MaxFrames = 1176;
constexpr int64_t MaxFrameIndex = 9007199254740991;
constexpr double MaxRootMetres = 1e5;
constexpr double UnitTolerance = 1e-3;

constexpr size_t MaxTimelinePrompts = 32;
constexpr size_t MaxQueuedPrompts = 32;
constexpr size_t MaxEditRanges = 16;
constexpr size_t MaxWaypoints = 32;
constexpr size_t MaxCharacters = 64;
constexpr size_t MaxPendingRequests = 4;

constexpr size_t MaxMessageBytes = 1048576;
constexpr size_t MaxDepth = 8;
constexpr size_t MaxValues = 16384;

constexpr double HelloTimeoutSeconds = 5.0;
constexpr double PingSeconds = 20.0;
constexpr double DefaultLeadSeconds = 0.25;
constexpr double MaxAheadSeconds = 2.0;
constexpr int64_t MessagesPerSecond = 100;

/** How far past a limit a number may be: rounding 9.8 to float 32 makes 9.8000002. */
constexpr double Float32Slack = 1e-6;

} // namespace MotionBridge::Limits
