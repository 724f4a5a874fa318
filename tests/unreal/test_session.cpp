// A session from hello to reconnect, without sockets and without waiting.

#include "connected.h"

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

namespace MotionBridge::Tests
{

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
	for (const int Code : {1000, 1001, 1006, 4000, 4003, 4011, 4013, 4014, 4015})
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

} // namespace MotionBridge::Tests
