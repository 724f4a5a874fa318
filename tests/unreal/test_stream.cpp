// The pose buffer, the clock, and a session from hello to reconnect, without sockets and without waiting.

#include "connected.h"

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

TEST_CASE("hello says what the configuration says, and welcome connects")
{
	FRecordingHost Host;
	FSessionConfig Config;
	Config.ClientVersion = "0.1.0";
	Config.Token = "t0k";
	Config.FrameRate = 60.0;
	Config.Encoding = EEncoding::Int16;
	FSession Session(Config, Host);
	CHECK(Session.GetWelcome() == nullptr);
	Session.Connect(0.0);
	CHECK(Host.Opened == 1);
	CHECK(Host.Sent.empty());
	Session.SocketOpened(0.1);
	const FHello Hello = Host.Last<FHello>();
	CHECK(Hello.Version == 1);
	CHECK(Hello.Client == "motionbridge-unreal");
	CHECK(Hello.Token == "t0k");
	CHECK(Hello.FrameRate == 60.0);
	CHECK(Hello.Encoding == EEncoding::Int16);
	CHECK(!Hello.Resume);
	FMessage Welcome;
	Encode(FServerMessage(MakeWelcome()), Welcome);
	Session.MessageReceived(View(Welcome), 0.2);
	CHECK(Session.GetState() == EConnection::Connected);
	CHECK(Host.Log == std::vector<std::string>{"opening", "greeting", "connected", "anew"});
	CHECK(Session.GetWelcome()->Session == "s");
}

TEST_CASE("messages wait for the connection, bounded, and are refused before they leave when they are wrong")
{
	FRecordingHost Host;
	FSessionConfig Config;
	Config.MaxWaiting = 2;
	FSession Session(Config, Host);
	FProtocolError Error;
	FPrompt Prompt;
	Prompt.Id = Session.NextId();
	Prompt.Text = "a person walks";
	CHECK(!Session.Send(Prompt, Error));
	CHECK(Error.Message.find("not connected") != std::string::npos);
	Session.Connect(0.0);
	CHECK(Session.Send(Prompt, Error));
	CHECK(Session.Send(Prompt, Error));
	CHECK(!Session.Send(Prompt, Error));
	CHECK(Error.Message.find("2 messages wait") != std::string::npos);
	Prompt.Text = std::string(501, 'a');
	CHECK(!Session.Send(Prompt, Error));
	CHECK(Error.Field == "text");
	CHECK(Error.Message.find("500") != std::string::npos);
	Prompt.Text = "a person sits";
	Prompt.Seconds = std::nan("");
	CHECK(!Session.Send(Prompt, Error));
	CHECK(Error.Field == "seconds");
	Session.SocketOpened(0.0);
	FMessage Welcome;
	Encode(FServerMessage(MakeWelcome()), Welcome);
	Session.MessageReceived(View(Welcome), 0.0);
	CHECK(Host.Sent.size() == 3);
	CHECK(Host.Last<FPrompt>().Text == "a person walks");
}

TEST_CASE("a lost connection is opened again, later each time, and the session resumed when the server offers it")
{
	FConnected Test;
	FWelcome Welcome = MakeWelcome();
	Test.Session.SocketClosed(1006, "", 1.0);
	CHECK(Test.Session.GetState() == EConnection::WaitingToReconnect);
	double Now = 1.0;
	double Waited = 0.0;
	for (const double Longest : {0.5, 1.0, 2.0, 4.0, 8.0, 8.0})
	{
		const int Opened = Test.Host.Opened;
		const double Start = Now;
		while (Test.Host.Opened == Opened)
		{
			Now += 0.01;
			Test.Session.Tick(Now);
			REQUIRE(Now < Start + Longest + 0.02);
		}
		Waited = Now - Start;
		CHECK(Waited >= 0.5 * Longest - 0.001);
		if (Longest < 8.0)
		{
			Test.Session.SocketClosed(1006, "", Now);
		}
		else
		{
			break;
		}
	}
	Welcome.Resume = "tok";
	Test.Greet(Welcome, Now);
	Test.Bytes(MakeStatus("hero", "p", EStatus::Accepted), Now);
	Test.Bytes(MakeFrames("hero", 0, 20), Now);
	Test.Session.Tick(Now);
	Test.Session.Tick(Now + 0.2);
	const double Playhead = Test.Session.FindCharacter("hero")->GetPlayhead();
	CHECK(Playhead > 5.0);
	Test.Session.SocketClosed(1006, "", Now + 0.2);
	Test.Session.Tick(Now + 1.0);
	Test.Session.SocketOpened(Now + 1.0);
	CHECK(Test.Host.Last<FHello>().Resume == "tok");
	Welcome.bResumed = true;
	Welcome.Characters = {"hero"};
	Test.Message(FServerMessage(Welcome), Now + 1.0);
	CHECK(Test.Host.Log.back() == "continues");
	CHECK(Test.Session.FindCharacter("hero")->GetPlayhead() >= Playhead);
	CHECK(Test.Session.FindCharacter("hero")->GetBuffer().GetNewest() == 19);
}

TEST_CASE("hello says how many messages of the session have arrived, over all its connections")
{
	FConnected Test;
	FWelcome Welcome = MakeWelcome();
	Welcome.Resume = "tok";
	const auto Drop = [&Test](double Now)
	{
		Test.Session.SocketClosed(1006, "", Now);
		Test.Session.Tick(Now + 10.0);
		Test.Session.SocketOpened(Now + 10.0);
		return Test.Host.Last<FHello>();
	};
	CHECK(!Drop(0.0).Received);
	FErrorMessage Error;
	Error.Code = "internal";
	Test.Message(FServerMessage(Error), 10.0);
	Test.Message(FServerMessage(Welcome), 10.0);
	CHECK(Drop(20.0).Received == 0);
	Welcome.bResumed = true;
	Test.Message(FServerMessage(Welcome), 30.0);
	Test.Bytes(MakeStatus("hero", "p", EStatus::Accepted), 30.0);
	Test.Bytes(MakeFrames("hero", 0, 20), 30.0);
	// One that cannot be read, one of a type to come, and one more welcome, which alone does not count.
	Test.Bytes(FromHex("c1"), 30.0);
	Test.Bytes(FromHex("81a474797065a56c61746572"), 30.0);
	Test.Message(FServerMessage(Welcome), 30.0);
	CHECK(Drop(40.0).Received == 4);
	Test.Message(FServerMessage(Welcome), 50.0);
	Test.Bytes(MakeFrames("hero", 20, 1), 50.0);
	CHECK(Drop(60.0).Received == 5);
	Welcome.bResumed = false;
	Test.Message(FServerMessage(Welcome), 70.0);
	Test.Bytes(MakeFrames("hero", 0, 1), 70.0);
	CHECK(Drop(80.0).Received == 1);
}

TEST_CASE("a session that cannot be resumed starts anew")
{
	FConnected Test;
	Test.Bytes(MakeStatus("hero", "p", EStatus::Accepted), 0.0);
	Test.Bytes(MakeFrames("hero", 0, 20), 0.0);
	Test.Session.SocketClosed(1006, "", 1.0);
	Test.Session.Tick(2.0);
	Test.Host.Log.clear();
	Test.Greet(MakeWelcome(), 2.0);
	CHECK(Test.Host.Log == std::vector<std::string>{"greeting", "removed hero", "connected", "anew"});
	CHECK(Test.Session.FindCharacter("hero") == nullptr);
}

TEST_CASE("refusals that would repeat end the session, with what to do")
{
	for (const int Code : {4001, 4002, 4008, 4009, 4010, 1009})
	{
		FConnected Test;
		FErrorMessage Message;
		Message.Code = "unauthorized";
		Message.Message = "wrong token";
		Test.Message(FServerMessage(Message), 1.0);
		Test.Session.SocketClosed(Code, "", 1.0);
		CHECK(Test.Session.GetState() == EConnection::Closed);
		CHECK(Test.Host.LastDetail.find("wrong token; ") != std::string::npos);
		Test.Session.Tick(100.0);
		CHECK(Test.Host.Opened == 1);
	}
	for (const int Code : {1000, 1001, 1006, 4000, 4003, 4011, 4013})
	{
		FConnected Test;
		Test.Session.SocketClosed(Code, "why", 1.0);
		CHECK(Test.Session.GetState() == EConnection::WaitingToReconnect);
	}
}

TEST_CASE("an unanswered attempt is given up and tried again")
{
	FRecordingHost Host;
	FSession Session({}, Host);
	Session.Connect(0.0);
	Session.SocketOpened(1.0);
	Session.Tick(9.9);
	CHECK(Session.GetState() == EConnection::Greeting);
	Session.Tick(10.1);
	CHECK(Session.GetState() == EConnection::WaitingToReconnect);
	CHECK(Host.LastDetail.find("motionbridge serve") != std::string::npos);
	Session.Tick(11.0);
	CHECK(Host.Opened == 2);
}

/** Disconnects as soon as it hears of a state. */
struct FFickleHost : FRecordingHost
{
	FSession* Session = nullptr;
	EConnection Fatal;

	explicit FFickleHost(EConnection In)
		: Fatal(In)
	{}
	void OnConnection(EConnection State, std::string_view Detail) override
	{
		FRecordingHost::OnConnection(State, Detail);
		if (State == Fatal)
		{
			Session->Disconnect();
		}
	}
};

TEST_CASE("disconnecting from within an event ends the session at once")
{
	FMessage Welcome;
	Encode(FServerMessage(MakeWelcome()), Welcome);
	for (const EConnection Fatal :
		{EConnection::Opening, EConnection::Greeting, EConnection::Connected, EConnection::WaitingToReconnect})
	{
		FFickleHost Host(Fatal);
		FSession Session({}, Host);
		Host.Session = &Session;
		Session.Connect(0.0);
		CHECK(Host.Opened == (Fatal == EConnection::Opening ? 0 : 1));
		Session.SocketOpened(0.0);
		CHECK(Host.Sent.empty() == (Fatal <= EConnection::Greeting));
		Session.MessageReceived(View(Welcome), 0.0);
		Session.SocketClosed(1006, "", 1.0);
		Session.Tick(100.0);
		CHECK(Session.GetState() == EConnection::Closed);
		CHECK(Host.Log.back() == "closed");
		CHECK(Host.Opened <= 1);
	}
}

TEST_CASE("disconnecting is final and forgets everything")
{
	FConnected Test;
	Test.Bytes(MakeStatus("hero", "p", EStatus::Accepted), 0.0);
	Test.Session.Disconnect();
	Test.Session.Disconnect();
	CHECK(Test.Session.GetState() == EConnection::Closed);
	CHECK(Test.Host.Log.back() == "removed hero");
	Test.Session.SocketClosed(1006, "", 1.0);
	Test.Bytes(MakeFrames("hero", 0, 5), 1.0);
	Test.Session.Tick(50.0);
	CHECK(Test.Host.Opened == 1);
	Test.Session.Connect(51.0);
	CHECK(Test.Host.Opened == 2);
}

TEST_CASE("frames of a removed character are ignored until it is accepted again")
{
	FConnected Test;
	FProtocolError Error;
	Test.Bytes(MakeFrames("hero", 0, 5), 0.0);
	CHECK(Test.Session.FindCharacter("hero") == nullptr);
	Test.Bytes(MakeStatus("hero", "p", EStatus::Accepted), 0.0);
	Test.Bytes(MakeFrames("hero", 0, 5), 0.0);
	FControl Remove;
	Remove.Character = "hero";
	Remove.Action = EAction::Remove;
	CHECK(Test.Session.Send(Remove, Error));
	Test.Bytes(MakeFrames("hero", 5, 5), 0.0);
	CHECK(Test.Session.FindCharacter("hero") == nullptr);
	Test.Bytes(MakeStatus("hero", "q", EStatus::Accepted), 0.0);
	Test.Bytes(MakeFrames("hero", 0, 1), 0.0);
	CHECK(Test.Session.FindCharacter("hero")->GetBuffer().GetNewest() == 0);
}

TEST_CASE("pausing stops the clock at once, resuming lets it go")
{
	FConnected Test;
	FProtocolError Error;
	Test.Bytes(MakeStatus("main", "p", EStatus::Accepted), 0.0);
	FControl Control;
	Control.Action = EAction::Pause;
	CHECK(Test.Session.Send(Control, Error));
	CHECK(Test.Session.FindCharacter("main")->GetPlayback() == EPlayback::Paused);
	Control.Action = EAction::Resume;
	CHECK(Test.Session.Send(Control, Error));
	CHECK(Test.Session.FindCharacter("main")->GetPlayback() == EPlayback::Waiting);
}

TEST_CASE("the playhead is reported five times a second, with the frames held after it")
{
	FConnected Test;
	Test.Bytes(MakeStatus("main", "p", EStatus::Accepted), 0.0);
	Test.Bytes(MakeFrames("main", 0, 90), 0.0);
	Test.Host.Sent.clear();
	for (int Step = 0; Step <= 60; ++Step)
	{
		Test.Session.Tick(Step / 60.0);
	}
	CHECK(Test.Host.Sent.size() >= 5);
	CHECK(Test.Host.Sent.size() <= 6);
	const FPlayhead Last = Test.Host.Last<FPlayhead>();
	CHECK(Last.Frame >= 24);
	CHECK(Last.Buffered == 89 - Last.Frame);
}

TEST_CASE("unknown types are ignored, bad messages counted, neither ends the session")
{
	FConnected Test;
	Test.Bytes(FromHex("81a474797065a6667574757265"), 0.0);
	CHECK(Test.Session.GetBadMessages() == 0);
	Test.Bytes(FromHex("c1"), 0.0);
	CHECK(Test.Session.GetBadMessages() == 1);
	CHECK(Test.Session.GetState() == EConnection::Connected);
}

TEST_CASE("joints are looked up by name, and a skeleton of another kind is refused")
{
	FWelcome Welcome = MakeWelcome();
	std::swap(Welcome.Skeleton.Joints[20], Welcome.Skeleton.Joints[21]);
	{
		FConnected Test;
		Test.Session.SocketClosed(1006, "", 0.0);
		Test.Session.Tick(5.0);
		Test.Greet(Welcome, 5.0);
		CHECK(Test.Session.GetState() == EConnection::Connected);
		Test.Bytes(MakeStatus("main", "p", EStatus::Accepted), 5.0);
		FMessage Data = MakeFrames("main", 0, 1, {}, 0.0);
		// Rotation 20 on the wire is the right wrist now: half a turn about +X.
		const float Half[4] = {1.0f, 0.0f, 0.0f, 0.0f};
		WithFrames(Data,
			[&](const FFrames& Frames)
			{
				const std::ptrdiff_t At = Frames.Poses.Rotations.Data - Data.data() + 20 * 16;
				std::copy_n(reinterpret_cast<const uint8_t*>(Half), 16, Data.begin() + At);
			});
		Test.Bytes(Data, 5.0);
		const FPose* Pose = Test.Session.FindCharacter("main")->GetBuffer().Find(0);
		CHECK(Pose->Rotations[21][0] == 1.0f);
		CHECK(Pose->Rotations[20][0] == 0.0f);
	}
	Welcome.Skeleton.Joints[5].Name = "tail";
	FConnected Test;
	Test.Session.SocketClosed(1006, "", 0.0);
	Test.Session.Tick(5.0);
	Test.Greet(Welcome, 5.0);
	CHECK(Test.Session.GetState() == EConnection::Closed);
	CHECK(Test.Host.LastDetail.find("tail") != std::string::npos);
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
