// The pose buffer and the clock, without waiting; what a whole stream allocates.

#include "support.h"

#include <cmath>
#include <new>

#include <doctest/doctest.h>

namespace
{
bool bCounting = false;
int64_t Allocations = 0;
} // namespace

// Replaced for the whole program, so that a test can count.
void* operator new(std::size_t Size)
{
	Allocations += bCounting ? 1 : 0;
	void* Memory = std::malloc(Size ? Size : 1);
	if (!Memory)
	{
		std::abort();
	}
	return Memory;
}

void operator delete(void* Memory) noexcept
{
	std::free(Memory);
}

void operator delete(void* Memory, std::size_t) noexcept
{
	std::free(Memory);
}

namespace MotionBridge::Tests
{

void Insert(FPoseBuffer& Buffer, int64_t First, int64_t Count, std::string_view Prompt = {}, double Angle = 0.01)
{
	WithFrames(MakeFrames("main", First, Count, Prompt, Angle),
		[&Buffer](const FFrames& Frames) { Buffer.Insert(Frames, SameOrder()); });
}

void Receive(FCharacterStream& Stream, int64_t First, int64_t Count, double Now, double Forward = 0.02)
{
	WithFrames(MakeFrames("main", First, Count, {}, 0.01, Forward),
		[&](const FFrames& Frames) { Stream.Receive(Frames, SameOrder(), Now); });
}

double AngleOf(const FPose& Pose)
{
	return 2.0 * std::atan2(double(Pose.Rotations[3][1]), double(Pose.Rotations[3][3]));
}

TEST_CASE("for each index the newest frame wins")
{
	FPoseBuffer Buffer(16);
	Insert(Buffer, 0, 6, "a");
	Insert(Buffer, 3, 2, "b", 0.5);
	CHECK(Buffer.GetNewest() == 5);
	CHECK(Buffer.PromptOf(2) == "a");
	CHECK(Buffer.PromptOf(3) == "b");
	CHECK(Buffer.PromptOf(5) == "a");
	CHECK(Buffer.PromptOf(6).empty());
	CHECK(std::fabs(AngleOf(*Buffer.Find(4)) - 2.0) < 1e-6);
	CHECK(Buffer.CountAfter(1) == 4);
}

TEST_CASE("a buffer keeps its capacity of frames and nothing older")
{
	FPoseBuffer Buffer(8);
	Insert(Buffer, 0, 20);
	CHECK(Buffer.Find(11) == nullptr);
	CHECK(Buffer.FirstFrom(0) == 12);
	CHECK(Buffer.Find(19) != nullptr);
	Insert(Buffer, 2, 3);
	CHECK(Buffer.Find(3) == nullptr);
	Insert(Buffer, 1000000, 1);
	CHECK(Buffer.Find(19) == nullptr);
	CHECK(Buffer.GetNewest() == 1000000);
	WithFrames(MakeFrames("main", Limits::MaxFrameIndex, 1, {}, 0.0, 0.0),
		[&Buffer](const FFrames& Frames) { Buffer.Insert(Frames, SameOrder()); });
	CHECK(Buffer.Find(Limits::MaxFrameIndex) != nullptr);
}

TEST_CASE("between frames positions are linear and rotations slerp, across short gaps too")
{
	FPoseBuffer Buffer;
	Insert(Buffer, 0, 3, {}, 0.4);
	Insert(Buffer, 6, 2, {}, 0.4);
	FPose Pose;
	CHECK(Buffer.Sample(1.25, 10, Pose) == ESample::Smooth);
	CHECK(std::fabs(AngleOf(Pose) - 0.5) < 1e-6);
	CHECK(std::fabs(Pose.Root[2] - 0.025f) < 1e-6f);
	CHECK(Pose.Contacts == 1);
	CHECK(Buffer.Sample(4.0, 10, Pose) == ESample::AcrossGap);
	CHECK(std::fabs(AngleOf(Pose) - 1.6) < 1e-6);
	CHECK(Buffer.Sample(4.0, 3, Pose) == ESample::Held);
	CHECK(std::fabs(AngleOf(Pose) - 0.8) < 1e-6);
	CHECK(Buffer.Sample(9.5, 10, Pose) == ESample::Held);
	CHECK(std::fabs(AngleOf(Pose) - 2.8) < 1e-6);
	CHECK(FPoseBuffer().Sample(0.0, 10, Pose) == ESample::Nothing);
}

TEST_CASE("interpolated rotations take the shorter way and stay of unit length")
{
	FPose From = MakePose(0.2, 0.0f), To = MakePose(0.6, 1.0f), Between;
	for (float& Part : To.Rotations[3])
	{
		Part = -Part;
	}
	Interpolate(From, To, 0.5, Between);
	CHECK(std::fabs(std::fabs(AngleOf(Between)) - 0.4) < 1e-6);
	for (const float(&Rotation)[4] : Between.Rotations)
	{
		const double Squares = Rotation[0] * Rotation[0] + Rotation[1] * Rotation[1] + Rotation[2] * Rotation[2] +
			Rotation[3] * Rotation[3];
		CHECK(std::fabs(Squares - 1.0) < 1e-6);
	}
}

TEST_CASE("the clock starts with half the lead and then runs at the frame rate")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	FPose Pose;
	Receive(Stream, 0, 3, 0.0);
	Stream.Advance(0.01);
	CHECK(Stream.GetPlayback() == EPlayback::Waiting);
	CHECK(Stream.SamplePose(Pose) == ESample::Nothing);
	Receive(Stream, 3, 1, 0.02);
	Stream.Advance(0.02);
	CHECK(Stream.GetPlayback() == EPlayback::Playing);
	CHECK(Stream.GetPlayhead() == 0.0);
	Receive(Stream, 4, 56, 0.03);
	for (int Frame = 1; Frame <= 60; ++Frame)
	{
		Stream.Advance(0.02 + Frame / 60.0);
	}
	// Two seconds ahead at first, so it may run up to 3 % fast until it is near.
	CHECK(Stream.GetPlayhead() > 30.0);
	CHECK(Stream.GetPlayhead() < 30.0 * 1.031);
	CHECK(Stream.SamplePose(Pose) == ESample::Smooth);
	CHECK(std::fabs(Stream.TimeOf(31) - (1.02 + (31.0 - Stream.GetPlayhead()) / 30.0)) < 1e-9);
}

TEST_CASE("a stream that never fills the delay is started after a lead's time")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	Receive(Stream, 0, 1, 1.0);
	Stream.Advance(1.2);
	CHECK(!Stream.HasStarted());
	Stream.Advance(1.26);
	CHECK(Stream.HasStarted());
}

TEST_CASE("frames that come after their time are dropped, frames ahead are replaced")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	Receive(Stream, 0, 10, 0.0);
	Stream.Advance(0.0);
	Stream.Advance(0.15);
	const double Shown = Stream.GetPlayhead();
	REQUIRE(Shown > 4.0);
	Receive(Stream, 0, 10, 0.15, 1.0);
	CHECK(Stream.GetBuffer().Find(4)->Root[2] == doctest::Approx(0.08));
	CHECK(Stream.GetBuffer().Find(5)->Root[2] == doctest::Approx(5.0));
	CHECK(Stream.GetPlayhead() == Shown);
}

/** Plays Seconds at 60 Hz; the server sends frame i at i/30 - 0.25 plus what Late says, in seconds. */
template <class TLate>
double PlayWith(FCharacterStream& Stream, double Seconds, TLate Late)
{
	int64_t Sent = 0;
	double Before = -1.0;
	double LargestStep = 0.0;
	for (int Step = 0; Step < Seconds * 60; ++Step)
	{
		const double Now = Step / 60.0;
		while (double(Sent) / 30.0 - 0.25 + Late(Sent) <= Now)
		{
			Receive(Stream, Sent++, 1, Now);
		}
		Stream.Advance(Now);
		if (Before >= 0.0)
		{
			LargestStep = std::max(LargestStep, Stream.GetPlayhead() - Before);
		}
		Before = Stream.HasStarted() ? Stream.GetPlayhead() : -1.0;
	}
	return LargestStep;
}

TEST_CASE("jitter within the delay is not seen at all")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	FRandom Random{5};
	const double Step =
		PlayWith(Stream, 30.0, [&Random](int64_t) { return 0.08 * double(Random.Below(1000)) / 1000.0; });
	CHECK(Stream.GetStarvations() == 0);
	CHECK(Step < 0.5 * 1.031);
	CHECK(std::fabs(Stream.GetPlayhead() - 30.0 * 30.0) < 30.0 * 0.3);
}

TEST_CASE("running dry holds the pose, adds delay, and never plays a frame twice or jumps")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	const double Quiet = Stream.GetDelay();
	const double Step = PlayWith(Stream, 6.0, [](int64_t Frame) { return Frame >= 90 ? 0.4 : 0.0; });
	CHECK(Stream.GetStarvations() == 1);
	CHECK(Stream.GetDelay() > Quiet);
	CHECK(Stream.GetDelay() <= 0.8 * 0.25 + 1e-9);
	CHECK(Step < 0.5 * 1.031);
	CHECK(Stream.GetPlayback() == EPlayback::Playing);
	const double Grown = Stream.GetDelay();
	for (int64_t Frame = 0; Frame < 3000; ++Frame)
	{
		Receive(Stream, 200 + Frame, 1, 6.0 + double(Frame) / 30.0);
		Stream.Advance(6.0 + double(Frame) / 30.0);
	}
	CHECK(Stream.GetDelay() < Grown);
}

TEST_CASE("a hitch of the game is not taken for a bad network")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	Receive(Stream, 0, 10, 0.0);
	Stream.Advance(0.0);
	Stream.Advance(5.0);
	CHECK(Stream.GetStarvations() == 0);
	CHECK(Stream.GetPlayhead() == 9.0);
	CHECK(Stream.GetDelay() == doctest::Approx(0.125));
}

TEST_CASE("after a long gap playback goes on at the new frames")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	Receive(Stream, 0, 5, 0.0);
	Stream.Advance(0.0);
	Stream.Advance(0.15);
	Stream.Advance(0.30);
	CHECK(Stream.GetPlayback() == EPlayback::Waiting);
	Receive(Stream, 200, 8, 5.0);
	Stream.Advance(5.0);
	CHECK(Stream.GetPlayhead() == 200.0);
	CHECK(Stream.GetPlayback() == EPlayback::Playing);
}

TEST_CASE("a paused stream stands still")
{
	FCharacterStream Stream("main");
	Stream.Reset(30.0, 0.25);
	Receive(Stream, 0, 30, 0.0);
	Stream.Advance(0.0);
	Stream.SetPaused(true);
	Stream.Advance(1.0);
	CHECK(Stream.GetPlayhead() == 0.0);
	CHECK(Stream.GetPlayback() == EPlayback::Paused);
	Stream.SetPaused(false);
	Stream.Advance(1.1);
	CHECK(Stream.GetPlayhead() == doctest::Approx(3.0).epsilon(0.04));
}

TEST_CASE("a stream in steady state allocates nothing: receive, play, sample, retarget, report")
{
	const std::string Character = "a character with a name too long for small strings";
	std::vector<FMessage> Messages;
	for (int Frame = 0; Frame < 900; Frame += 2)
	{
		Messages.push_back(MakeFrames(
			Character, Frame, 2, Frame % 200 < 100 ? "the first of two prompts, with a long id" : "the second prompt"));
	}
	FRig Rig;
	Rig.Bones = {{"pelvis", -1, {0, 0, 95}, {}}, {"spine_01", 0, {0, 0, 20}, {}}, {"head", 1, {0, 0, 40}, {}}};
	Rig.Map[0] = {0};
	Rig.Map[1] = {1};
	Rig.Map[3] = {2};
	FRetargeter Retargeter;
	std::string Fault;
	REQUIRE(Retargeter.Build(Rig, Fault));
	struct FQuietHost : ISessionHost
	{
		int Sent = 0;
		void OpenSocket() override {}
		void SendBytes(FBytes) override { ++Sent; }
		void CloseSocket(int, std::string_view) override {}
	} Host;
	FSession Session({}, Host);
	FMessage Welcome;
	Encode(FServerMessage(MakeWelcome()), Welcome);
	Session.Connect(0.0);
	Session.SocketOpened(0.0);
	Session.MessageReceived(View(Welcome), 0.0);
	const FMessage Accepted = MakeStatus(Character, "p", EStatus::Accepted);
	Session.MessageReceived(View(Accepted), 0.0);
	FQuaternion Locals[3];
	FVec3 Pelvis;
	FPose Pose;
	int Smooth = 0;
	for (size_t Step = 0; Step < Messages.size(); ++Step)
	{
		bCounting = Step >= 30;
		const double Now = double(Step) / 15.0;
		Session.MessageReceived(View(Messages[Step]), Now);
		for (int Draw = 0; Draw < 4; ++Draw)
		{
			Session.Tick(Now + Draw / 60.0);
			Smooth += Session.GetCharacters()[0]->SamplePose(Pose) == ESample::Smooth ? 1 : 0;
			Retargeter.Apply(Pose, Locals, Pelvis);
		}
	}
	bCounting = false;
	CHECK(Allocations == 0);
	CHECK(Smooth > 1500);
	CHECK(Host.Sent > 100);
}

} // namespace MotionBridge::Tests
