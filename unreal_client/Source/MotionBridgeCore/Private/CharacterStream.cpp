// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/CharacterStream.h"

#include <algorithm>
#include <cmath>

namespace MotionBridge
{

namespace
{

/** Seconds of lost frames that are interpolated over; before longer ones the last pose is held. */
constexpr double LongestGapSeconds = 0.5;
/** Share of the lead that running dry adds to the delay, and seconds in which half of it wears off. */
constexpr double ExtraShare = 0.125;
constexpr double ExtraHalfLife = 30.0;
/** The delay never asks for more of the lead than this: a server does not send more than the lead. */
constexpr double MaxDelayShare = 0.8;
/** How much faster or slower than real time the clock may run. */
constexpr double MaxSpeedChange = 0.03;
/** A longer step is a hitch of the game, which says nothing about the network. */
constexpr double HitchSeconds = 0.2;

} // namespace

FCharacterStream::FCharacterStream(std::string InName, int Capacity)
	: Name(std::move(InName))
	, Buffer(Capacity)
{}

void FCharacterStream::Reset(double InFrameRate, double InLead)
{
	Buffer.Clear();
	State = EPlayback::Waiting;
	bPaused = false;
	FrameRate = InFrameRate;
	Lead = InLead;
	Playhead = -1.0;
	WaitingSince = -1.0;
	Extra = 0.0;
	Starvations = 0;
}

double FCharacterStream::GetDelay() const
{
	return std::min(0.5 * Lead + Extra, MaxDelayShare * Lead);
}

void FCharacterStream::Receive(const FFrames& Frames, const FJointOrder& Order, double Now)
{
	const int64_t Earliest = HasStarted() ? static_cast<int64_t>(std::floor(Playhead)) + 1 : 0;
	const int Kept = Buffer.Insert(Frames, Order, Earliest);
	if (Kept > 0 && State == EPlayback::Waiting && WaitingSince < 0.0)
	{
		WaitingSince = Now;
	}
}

void FCharacterStream::SetPaused(bool bInPaused)
{
	bPaused = bInPaused;
}

void FCharacterStream::Advance(double Now)
{
	const double Seconds = std::max(Now - LastTime, 0.0);
	LastTime = Now;
	if (bPaused)
	{
		return;
	}
	Extra *= std::exp2(-std::min(Seconds, HitchSeconds) / ExtraHalfLife);
	if (State == EPlayback::Playing)
	{
		Play(Seconds);
	}
	else if (WaitingSince >= 0.0)
	{
		Start();
	}
}

void FCharacterStream::Start()
{
	const int64_t Next = Buffer.FirstFrom(HasStarted() ? static_cast<int64_t>(std::floor(Playhead)) + 1 : 0);
	if (Next == FPoseBuffer::Empty)
	{
		return;
	}
	const double Held = static_cast<double>(Buffer.GetNewest() - Next + 1) / FrameRate;
	// A server that sends no more than it has must not be waited for without end.
	if (Held < GetDelay() && LastTime - WaitingSince < Lead)
	{
		return;
	}
	const double MaxGap = LongestGapSeconds * FrameRate;
	Playhead = HasStarted() && double(Next) - Playhead <= MaxGap ? Playhead : double(Next);
	State = EPlayback::Playing;
	WaitingSince = -1.0;
}

void FCharacterStream::Play(double Seconds)
{
	Playhead += Seconds * FrameRate * Speed();
	const double Newest = static_cast<double>(Buffer.GetNewest());
	if (Playhead < Newest)
	{
		return;
	}
	Playhead = Newest;
	State = EPlayback::Waiting;
	if (Seconds < HitchSeconds)
	{
		++Starvations;
		Extra = std::min(Extra + ExtraShare * Lead, MaxDelayShare * Lead);
	}
}

double FCharacterStream::Speed() const
{
	const double Held = (static_cast<double>(Buffer.GetNewest()) - Playhead) / FrameRate;
	const double Low = 0.5 * GetDelay();
	const double High = 1.5 * Lead + 1.0 / FrameRate;
	if (Held < Low)
	{
		return 1.0 - MaxSpeedChange * (1.0 - Held / Low);
	}
	return Held > High ? 1.0 + MaxSpeedChange * std::min((Held - High) / High, 1.0) : 1.0;
}

ESample FCharacterStream::SamplePose(FPose& Out) const
{
	if (!HasStarted())
	{
		return ESample::Nothing;
	}
	return Buffer.Sample(Playhead, static_cast<int64_t>(LongestGapSeconds * FrameRate), Out);
}

} // namespace MotionBridge
