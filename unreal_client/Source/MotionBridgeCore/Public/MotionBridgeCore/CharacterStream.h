// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/PoseBuffer.h"

namespace MotionBridge
{

enum class EPlayback : uint8_t
{
	/** Gathers frames; the last pose is held. */
	Waiting,
	Playing,
	Paused
};

/**
 * One character's frames and the clock that plays them. Times are seconds of one monotonic clock of the caller's.
 *
 * The clock starts when the delay's worth of frames is held: half the server's lead at first. Each time it runs dry it
 * stops at the newest frame, waits for that much again, and waits longer from then on; the extra wears off. While it
 * plays it slows down a little when few frames are left, and speeds up when there are more than the server's lead.
 */
class MOTIONBRIDGECORE_API FCharacterStream
{
public:
	explicit FCharacterStream(std::string InName, int Capacity = FPoseBuffer::DefaultCapacity);

	/** Starts over for a new timeline: Lead in seconds, FrameRate in frames per second. */
	void Reset(double InFrameRate, double InLead);

	/** Takes in frames; those that are shown already are dropped. */
	void Receive(const FFrames& Frames, const FJointOrder& Order, double Now);

	/** Moves the playhead to Now. */
	void Advance(double Now);

	void SetPaused(bool bInPaused);

	/** The pose at the playhead; ESample::Nothing leaves Out as it was. */
	ESample SamplePose(FPose& Out) const;

	const std::string& GetName() const { return Name; }
	const FPoseBuffer& GetBuffer() const { return Buffer; }
	EPlayback GetPlayback() const { return bPaused ? EPlayback::Paused : State; }
	bool HasStarted() const { return Playhead >= 0.0; }

	/** In frames; -1 before the first. */
	double GetPlayhead() const { return Playhead; }

	/** Seconds of the caller's clock at which a frame near the playhead is due. */
	double TimeOf(int64_t Frame) const { return LastTime + (static_cast<double>(Frame) - Playhead) / FrameRate; }

	/** Seconds of frames that the clock wants before it starts. */
	double GetDelay() const;

	/** Times that the clock ran dry since Reset. */
	int GetStarvations() const { return Starvations; }

	double GetFrameRate() const { return FrameRate; }

private:
	void Start();
	void Play(double Seconds);
	double Speed() const;

	std::string Name;
	FPoseBuffer Buffer;
	EPlayback State = EPlayback::Waiting;
	bool bPaused = false;
	double FrameRate = Limits::DefaultFrameRate;
	double Lead = Limits::DefaultLeadSeconds;
	double Playhead = -1.0;
	double LastTime = 0.0;
	/** When the first frame that waits to be played came; negative while there is none. */
	double WaitingSince = -1.0;
	/** Seconds of delay added by running dry. */
	double Extra = 0.0;
	int Starvations = 0;
};

} // namespace MotionBridge
