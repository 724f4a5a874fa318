// What a session begun anew is told, when the one before could not be resumed.

#include "connected.h"

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

namespace MotionBridge::Tests
{

namespace
{

FPrompt Ask(
	FConnected& Test, const char* Character, const char* Id, EMode Mode = EMode::Replace, EOnEnd OnEnd = EOnEnd::Idle)
{
	FPrompt Prompt;
	Prompt.Character = Character;
	Prompt.Id = Id;
	Prompt.Text = "a person walks";
	Prompt.Seed = 7;
	Prompt.Mode = Mode;
	Prompt.OnEnd = OnEnd;
	FProtocolError Error;
	REQUIRE(Test.Session.Send(Prompt, Error));
	return Prompt;
}

void Steer(FConnected& Test, std::optional<double> Heading, std::vector<std::array<double, 2>> Waypoints)
{
	FSteer Message;
	Message.Character = "hero";
	Message.Heading = Heading;
	if (!Waypoints.empty())
	{
		Message.Waypoints = std::move(Waypoints);
	}
	FProtocolError Error;
	REQUIRE(Test.Session.Send(Message, Error));
}

void Control(FConnected& Test, const char* Character, EAction Action)
{
	FControl Message;
	Message.Character = Character;
	Message.Action = Action;
	FProtocolError Error;
	REQUIRE(Test.Session.Send(Message, Error));
}

/** Loses the connection, and with it the session unless bResumed; only what is sent after that stays in the host. */
void Lose(FConnected& Test, double Now, bool bResumed = false)
{
	Test.Session.SocketClosed(1006, "", Now);
	Test.Session.Tick(Now + 0.6);
	Test.Session.SocketOpened(Now + 0.6);
	Test.Host.Sent.clear();
	FWelcome Welcome = MakeWelcome();
	Welcome.Resume = "tok";
	Welcome.bResumed = bResumed;
	Test.Message(FServerMessage(Welcome), Now + 0.6);
}

/** Types of what was sent, and of prompts and controls what they say. */
std::vector<std::string> SentTo(const FConnected& Test)
{
	std::vector<std::string> Out;
	for (const FMessage& Data : Test.Host.Sent)
	{
		FClientMessage Decoded;
		FProtocolError Error;
		REQUIRE(DecodeClient(View(Data), Decoded, Error));
		if (const FPrompt* Prompt = std::get_if<FPrompt>(&Decoded))
		{
			Out.push_back("prompt " + Prompt->Id + (Prompt->Mode == EMode::Queue ? " queue" : " replace"));
		}
		else if (const FControl* Message = std::get_if<FControl>(&Decoded))
		{
			Out.push_back("control " + Message->Character + " " + std::to_string(int(Message->Action)));
		}
		else if (std::holds_alternative<FSteer>(Decoded))
		{
			Out.push_back("steer");
		}
	}
	return Out;
}

/** Accepts a prompt of a character and plays its frames from First on until Now + 0.5. */
void Play(FConnected& Test, const char* Character, const char* Id, double Now, int64_t First = 0, double Angle = 0.01)
{
	Test.Bytes(MakeStatus(Character, Id, EStatus::Accepted), Now);
	Test.Bytes(MakeFrames(Character, First, 60, {}, Angle, 0.1), Now);
	Test.Session.Tick(Now);
	Test.Session.Tick(Now + 0.5);
}

FPlace Standing(FConnected& Test)
{
	FPose Pose;
	REQUIRE(Test.Session.FindCharacter("hero")->SamplePose(Pose) != ESample::Nothing);
	return PlaceOf(Pose);
}

} // namespace

TEST_CASE("a place turns points from its own axes")
{
	const FPlace Place = PlaceOf(MakePose(0.5 * 3.141592653589793, 2.0f));
	CHECK(std::fabs(Place.Heading - 0.5 * 3.141592653589793) < 1e-6);
	// It faces +X: what lies ahead lies there, and -Z is to its left.
	const FVec3 Point = FromLocal(Place, {0.5, 9.0, 3.0});
	CHECK(std::fabs(Point.X - 3.0) < 1e-6);
	CHECK(Point.Y == 0.0);
	CHECK(std::fabs(Point.Z - 1.5) < 1e-6);
	CHECK(std::fabs(WrapAngle(4.0) - (4.0 - 2.0 * 3.141592653589793)) < 1e-12);
}

TEST_CASE("prompts that were not over are sent again, the first at once and the others after it")
{
	FConnected Test;
	Ask(Test, "hero", "done");
	Test.Bytes(MakeStatus("hero", "done", EStatus::Accepted), 0.0);
	Test.Bytes(MakeStatus("hero", "done", EStatus::Finished), 0.0);
	Ask(Test, "hero", "plays", EMode::Queue);
	Play(Test, "hero", "plays", 0.0);
	FTimeline Timeline;
	Timeline.Character = "hero";
	Timeline.Mode = EMode::Queue;
	Timeline.Prompts = {{"t1", "a person bows", 2.0, 5, {}}, {"t2", "a person sits", {}, {}, {}}};
	FProtocolError Error;
	REQUIRE(Test.Session.Send(Timeline, Error));
	Test.Session.SocketClosed(1006, "", 1.0);
	Ask(Test, "hero", "asked-meanwhile", EMode::Queue);
	Test.Session.Tick(2.0);
	Test.Session.SocketOpened(2.0);
	Test.Host.Sent.clear();
	Test.Message(FServerMessage(MakeWelcome()), 2.0);
	CHECK(SentTo(Test) ==
		std::vector<std::string>{
			"prompt plays replace", "prompt t1 queue", "prompt t2 queue", "prompt asked-meanwhile queue"});
	CHECK(Test.Host.Last<FPrompt>().Seed == 7);
}

TEST_CASE("after a resume only what may never have arrived is sent again, and its duplicate is no error")
{
	FConnected Test;
	Lose(Test, 0.0);
	Ask(Test, "hero", "arrived");
	Play(Test, "hero", "arrived", 1.0);
	Ask(Test, "hero", "perhaps", EMode::Queue);
	Lose(Test, 2.0, true);
	CHECK(SentTo(Test) == std::vector<std::string>{"prompt perhaps queue"});
	FErrorMessage Error;
	Error.Code = "duplicate_id";
	Error.Id = "perhaps";
	Test.Host.Log.clear();
	Test.Message(FServerMessage(Error), 3.0);
	CHECK(Test.Host.Log.empty());
	Lose(Test, 4.0, true);
	CHECK(SentTo(Test).empty());
}

TEST_CASE("a refused timeline is forgotten as a whole")
{
	FConnected Test;
	FTimeline Timeline;
	Timeline.Id = "group";
	Timeline.Prompts = {{"t1", "a person bows", {}, {}, {}}, {"t2", "a person sits", {}, {}, {}}};
	FProtocolError Error;
	REQUIRE(Test.Session.Send(Timeline, Error));
	FErrorMessage Refusal;
	Refusal.Code = "too_many_characters";
	Refusal.Id = "group";
	Test.Message(FServerMessage(Refusal), 0.0);
	CHECK(Test.Host.Log.back() == "error too_many_characters");
	Lose(Test, 1.0);
	CHECK(SentTo(Test).empty());
}

TEST_CASE("a path goes with the character to where its new timeline begins, without the way-points that were reached")
{
	FConnected Test;
	Ask(Test, "hero", "p");
	Play(Test, "hero", "p", 0.0, 0, 0.03);
	const FPlace Before = Standing(Test);
	REQUIRE(Before.Point.Z > 1.0);
	const FVec3 Near{Before.Point.X, 0.0, Before.Point.Z + 1.2};
	const FVec3 Far{4.0, 0.0, Before.Point.Z - 5.0};
	Steer(Test, 0.7, {{Near.X, Near.Z}, {Far.X, Far.Z}});
	for (int Step = 0; Step <= 30; ++Step)
	{
		Test.Session.Tick(0.5 + Step / 60.0);
	}
	const FPlace Left = Standing(Test);
	REQUIRE(Left.Point.Z > Near.Z - 0.4);
	Test.Session.SocketClosed(1006, "", 1.0);
	Test.Session.Tick(1.6);
	Test.Session.SocketOpened(1.6);
	const FPlace Lost = Standing(Test);
	CHECK(Lost.Point.Z > Left.Point.Z); // it walked on while the connection was down
	Test.Host.Sent.clear();
	Test.Message(FServerMessage(MakeWelcome()), 1.6);
	CHECK(SentTo(Test) == std::vector<std::string>{"prompt p replace"});
	Test.Bytes(MakeStatus("hero", "p", EStatus::Accepted), 2.0);
	Test.Host.Sent.clear();
	Test.Bytes(MakeFrames("hero", 40, 30, {}, 0.02, 0.5), 2.0);
	Test.Session.Tick(2.0);
	REQUIRE(SentTo(Test) == std::vector<std::string>{"steer"});
	const FPlace Now = Standing(Test);
	FClientMessage Decoded;
	FProtocolError Error;
	REQUIRE(DecodeClient(View(Test.Host.Sent.front()), Decoded, Error));
	const FSteer& Again = *std::get_if<FSteer>(&Decoded);
	REQUIRE(Again.Waypoints);
	REQUIRE(Again.Waypoints->size() == 1);
	CHECK(std::fabs((*Again.Waypoints)[0][0] - Now.Point.X - (Far.X - Lost.Point.X)) < 1e-6);
	CHECK(std::fabs((*Again.Waypoints)[0][1] - Now.Point.Z - (Far.Z - Lost.Point.Z)) < 1e-6);
	CHECK(Again.Heading == 0.7);
}

TEST_CASE("root motion, pause and idling are told again, what held its pose is not")
{
	FConnected Test;
	Ask(Test, "hero", "a");
	Play(Test, "hero", "a", 0.0);
	Control(Test, "hero", EAction::RootMotionOff);
	Control(Test, "hero", EAction::Pause);
	for (const auto& [Character, OnEnd] : {std::pair("idle", EOnEnd::Idle), std::pair("held", EOnEnd::Hold)})
	{
		Ask(Test, Character, Character, EMode::Replace, OnEnd);
		Test.Bytes(MakeStatus(Character, Character, EStatus::Accepted), 0.0);
		Test.Bytes(MakeStatus(Character, Character, EStatus::Finished), 0.0);
	}
	Ask(Test, "gone", "b");
	Test.Bytes(MakeStatus("gone", "b", EStatus::Accepted), 0.0);
	Control(Test, "gone", EAction::Remove);
	Lose(Test, 1.0);
	CHECK(SentTo(Test) ==
		std::vector<std::string>{"prompt a replace", "prompt restored-idle1 replace", "control idle 2"});
	Test.Host.Sent.clear();
	Test.Bytes(MakeStatus("hero", "a", EStatus::Accepted), 2.0);
	CHECK(SentTo(Test) == std::vector<std::string>{"control hero 5", "control hero 0"});
	CHECK(Test.Session.FindCharacter("hero")->GetPlayback() == EPlayback::Paused);
}

TEST_CASE("nothing is told again when that is switched off, after Disconnect, or to the first session")
{
	FSessionConfig Config;
	Config.bRestore = false;
	FConnected Off(Config);
	Ask(Off, "hero", "a");
	Play(Off, "hero", "a", 0.0);
	Steer(Off, 1.0, {});
	Lose(Off, 1.0);
	CHECK(SentTo(Off).empty());
	FConnected Left;
	Ask(Left, "hero", "a");
	Left.Session.Disconnect();
	Left.Session.Connect(1.0);
	Left.Session.SocketOpened(1.0);
	Left.Host.Sent.clear();
	Left.Message(FServerMessage(MakeWelcome()), 1.0);
	CHECK(SentTo(Left).empty());
}

TEST_CASE("an attempt that is given up closes so that the session can be resumed")
{
	FConnected Test;
	Test.Session.SocketClosed(1006, "", 0.0);
	Test.Session.Tick(1.0);
	Test.Session.Tick(20.0);
	CHECK(std::count(Test.Host.Log.begin(), Test.Host.Log.end(), "close 4011") == 2);
	CHECK(std::count(Test.Host.Log.begin(), Test.Host.Log.end(), "close 1001") == 0);
}

} // namespace MotionBridge::Tests
