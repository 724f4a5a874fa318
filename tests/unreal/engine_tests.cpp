// The engine side of the plugin, run against the stubs. Without doctest, so that it compiles under ThreadSanitizer in a
// few seconds.

#include "MotionBridgeComponent.h"
#include "MotionBridgeLiveLinkSource.h"
#include "MotionBridgeLiveLinkSourceFactory.h"
#include "MotionBridgeModule.h"
#include "MotionBridgeRetargetAsset.h"
#include "MotionBridgeSubsystem.h"
#include "BonePose.h"
#include "Components/PoseableMeshComponent.h"
#include "Engine/GameInstance.h"
#include "Engine/SkinnedAsset.h"
#include "Engine/World.h"
#include "GameFramework/Actor.h"

#include "engine_support.h"

#include <array>
#include <atomic>
#include <cmath>
#include <thread>

namespace
{

/** Plays Seconds at 60 Hz while frames of Characters come in at 30 a second, a lead of 0.25 s ahead. */
void Play(FScriptedSocket& Socket, FMotionBridgeLiveLinkSource* Source, const std::vector<std::string>& Characters,
	double Seconds, int64_t First = 0)
{
	int64_t Sent = First;
	for (int Draw = 0; Draw < Seconds * 60; ++Draw)
	{
		while (double(Sent - First) / 30.0 - 0.25 <= Draw / 60.0)
		{
			for (const std::string& Character : Characters)
			{
				Socket.Deliver(MotionBridge::Tests::MakeFrames(Character, Sent, 1), 300);
			}
			++Sent;
		}
		Step(1.0 / 60.0);
		if (Source)
		{
			Source->Update();
		}
	}
}

void TestOrder()
{
	FRecordingLiveLink LiveLink;
	const TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> Client =
		FMotionBridgeClient::Create(FMotionBridgeConnectionSettings());
	FMotionBridgeLiveLinkSource Source(Client, {});
	Source.ReceiveClient(&LiveLink, FGuid());
	FScriptedSocket& Socket = *Sockets().back();
	CHECK(Socket.Url == TEXT("ws://127.0.0.1:8765"));
	CHECK(Socket.Protocol == TEXT("motionbridge.v1"));
	Socket.Open();
	Step(0.01);
	CHECK(Socket.Sent.size() == 1);
	Socket.Deliver(WelcomeMessage(), 100);
	Socket.Deliver(MotionBridge::Tests::MakeStatus("hero", "p", MotionBridge::EStatus::Accepted));
	Socket.Deliver(MotionBridge::Tests::MakeStatus("villain", "q", MotionBridge::EStatus::Accepted));
	Play(Socket, &Source, {"hero", "villain"}, 3.0);
	for (const char* Character : {"hero", "villain"})
	{
		const std::vector<FRecordingLiveLink::FEntry> Log = LiveLink.Of(Character);
		CHECK(Log.size() > 80);
		CHECK(Log.size() < 95);
		CHECK(Log[0].Kind == "static");
		CHECK(Log[0].Bones == 22 && Log[0].Properties == 4);
		for (size_t Index = 1; Index < Log.size(); ++Index)
		{
			CHECK(Log[Index].Kind == "frame");
			CHECK(Log[Index].Bones == 22 && Log[Index].Properties == 4);
			// Frame i is 0.02 m further along +Z on the wire: 2 cm along +Y of a mesh.
			CHECK(std::fabs(Log[Index].Root[1] - 2.0 * double(Index - 1)) < 1e-3);
			CHECK(std::fabs(Log[Index].Root[2] - 95.0) < 1e-3);
			CHECK(Log[Index].Time <= Clock);
			if (Index > 1)
			{
				CHECK(std::fabs(Log[Index].Time - Log[Index - 1].Time - 1.0 / 30.0) < 0.002);
			}
		}
	}
	// A lost session keeps its subjects and their static data; a new one begins again at frame 0.
	Socket.Closed.Broadcast(1006, FString(TEXT("gone")), false);
	Step(1.0);
	Step(1.0);
	FScriptedSocket& Second = *Sockets().back();
	CHECK(&Second != &Socket);
	Second.Open();
	Step(0.01);
	Second.Deliver(WelcomeMessage());
	Second.Deliver(MotionBridge::Tests::MakeStatus("hero", "r", MotionBridge::EStatus::Accepted));
	const size_t Before = LiveLink.Of("hero").size();
	Play(Second, &Source, {"hero"}, 1.0);
	const std::vector<FRecordingLiveLink::FEntry> Again = LiveLink.Of("hero");
	CHECK(Again.size() > Before + 20);
	CHECK(Again[Before].Kind == "frame");
	CHECK(std::fabs(Again[Before].Root[1]) < 2.1);
	CHECK(Source.IsSourceStillValid());
	CHECK(Source.RequestSourceShutdown());
	CHECK(!Source.IsSourceStillValid());
	CHECK(LiveLink.Of("hero").back().Kind == "remove");
	CHECK(LiveLink.Of("villain").back().Kind == "remove");
	const size_t Final = LiveLink.Log.size();
	Source.Update();
	CHECK(Source.RequestSourceShutdown());
	CHECK(LiveLink.Log.size() == Final);
}

void TestWantedCharactersOnly()
{
	FRecordingLiveLink LiveLink;
	const TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> Client =
		FMotionBridgeClient::Create(FMotionBridgeConnectionSettings());
	FMotionBridgeLiveLinkSource Source(Client, {TEXT("hero")});
	Source.ReceiveClient(&LiveLink, FGuid());
	FScriptedSocket& Socket = *Sockets().back();
	Socket.Open();
	Step(0.01);
	Socket.Deliver(WelcomeMessage());
	Socket.Deliver(MotionBridge::Tests::MakeStatus("hero", "p", MotionBridge::EStatus::Accepted));
	Socket.Deliver(MotionBridge::Tests::MakeStatus("villain", "q", MotionBridge::EStatus::Accepted));
	Step(0.01);
	CHECK(LiveLink.Log.size() == 1);
	CHECK(Client->SendControl(TEXT("hero"), MotionBridge::EAction::Remove));
	CHECK(LiveLink.Log.size() == 2 && LiveLink.Log.back().Kind == "remove");
}

/** The shutdown of everything, on the game thread, while another thread delivers messages without pause. */
void TestShutdownWhileReceiving()
{
	for (int Round = 0; Round < 30; ++Round)
	{
		FRecordingLiveLink LiveLink;
		TSharedPtr<FMotionBridgeClient, ESPMode::ThreadSafe> Client =
			FMotionBridgeClient::Create(FMotionBridgeConnectionSettings());
		TSharedPtr<FMotionBridgeLiveLinkSource> Source =
			MakeShared<FMotionBridgeLiveLinkSource>(TSharedRef<FMotionBridgeClient>(Client.Held), TArray<FString>());
		Source->ReceiveClient(&LiveLink, FGuid());
		const TSharedRef<FScriptedSocket> Socket = Sockets().back();
		std::atomic<bool> bStop{false};
		std::atomic<int> Delivered{0};
		std::thread Network(
			[&]()
			{
				Socket->Open();
				Socket->Deliver(WelcomeMessage());
				Socket->Deliver(MotionBridge::Tests::MakeStatus("main", "p", MotionBridge::EStatus::Accepted));
				const FMessage Frames = MotionBridge::Tests::MakeFrames("main", 0, 4);
				while (!bStop)
				{
					Socket->Deliver(Frames, 1000);
					++Delivered;
				}
				Socket->Closed.Broadcast(1000, FString(), true);
			});
		while (Delivered < 5 + Round || LiveLink.Log.size() < 2)
		{
			Step(0.001);
			Source->Update();
		}
		if (Round % 3 == 0)
		{
			Source.Reset();
		}
		else
		{
			CHECK(Source->RequestSourceShutdown());
		}
		Client.Reset();
		Source.Reset();
		Step(0.001);
		const int Now = Delivered;
		while (Delivered < Now + 3)
		{
			std::this_thread::yield();
		}
		bStop = true;
		Network.join();
		CHECK(LiveLink.Log[0].Kind == "static" && LiveLink.Log[1].Kind == "frame");
		CHECK(LiveLink.Log.back().Kind == "remove");
		CHECK(FTSTicker::GetCoreTicker().Num() == 0);
		Sockets().clear();
	}
}

void TestInboxIsBounded()
{
	const TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> Client =
		FMotionBridgeClient::Create(FMotionBridgeConnectionSettings());
	FScriptedSocket& Socket = *Sockets().back();
	Socket.Open();
	Step(0.01);
	Socket.Deliver(WelcomeMessage());
	Step(0.01);
	CHECK(Client->GetState() == EMotionBridgeConnection::Connected);
	Socket.Deliver(FMessage(2 * 1024 * 1024, 0));
	Step(0.01);
	CHECK(Client->GetState() == EMotionBridgeConnection::Closed);
	CHECK(StubArgument(*Client->GetDetail()).find("beyond") != std::string::npos);
	const TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> Other =
		FMotionBridgeClient::Create(FMotionBridgeConnectionSettings());
	FScriptedSocket& Flood = *Sockets().back();
	Flood.Open();
	Step(0.01);
	Flood.Deliver(WelcomeMessage());
	Step(0.01);
	for (int Index = 0; Index < 40; ++Index)
	{
		Flood.Deliver(FMessage(1024 * 1024, 0));
	}
	Step(0.01);
	CHECK(Other->GetState() == EMotionBridgeConnection::WaitingToReconnect);
}

/** What was sent last, when it is a `steer`. */
MotionBridge::FSteer LastSteer(const FScriptedSocket& Socket)
{
	MotionBridge::FClientMessage Decoded;
	MotionBridge::FProtocolError Fault;
	CHECK(MotionBridge::DecodeClient(MotionBridge::Tests::View(Socket.Sent.back()), Decoded, Fault));
	const MotionBridge::FSteer* Steer = std::get_if<MotionBridge::FSteer>(&Decoded);
	CHECK(Steer);
	return Steer ? *Steer : MotionBridge::FSteer();
}

void CheckWaypoints(const MotionBridge::FSteer& Steer, const std::vector<std::array<double, 2>>& Wanted)
{
	CHECK(Steer.Waypoints && Steer.Waypoints->size() == Wanted.size());
	for (size_t Index = 0; Steer.Waypoints && Index < std::min(Steer.Waypoints->size(), Wanted.size()); ++Index)
	{
		CHECK(std::fabs((*Steer.Waypoints)[Index][0] - Wanted[Index][0]) < 1e-6);
		CHECK(std::fabs((*Steer.Waypoints)[Index][1] - Wanted[Index][1]) < 1e-6);
	}
}

/** The character of the component has walked straight ahead, turning to its left as it went. */
void TestSteering(
	UMotionBridgeSubsystem& Subsystem, UMotionBridgeComponent& Component, AActor& Actor, FScriptedSocket& Socket)
{
	MotionBridge::FPlace Place;
	CHECK(Subsystem.GetClient()->FindPlace(TEXT("main"), Place));
	CHECK(Place.Point.Z > 0.3 && Place.Heading > 0.1);
	CHECK(Subsystem.Steer(TEXT("main"), 90.0f, 120.0f));
	CHECK(std::fabs(*LastSteer(Socket).Heading - (Place.Heading - 0.5 * 3.141592653589793)) < 1e-6);
	CHECK(std::fabs(*LastSteer(Socket).Speed - 1.2) < 1e-6);
	// Three metres ahead of it, then two to its right; a speed of 0 is its own.
	CHECK(Subsystem.SteerAlong(TEXT("main"), {FVector(300.0, 0.0, 88.0), FVector(300.0, 200.0, 0.0)}, 0.0f));
	const double Sine = std::sin(Place.Heading), Cosine = std::cos(Place.Heading);
	const double X = Place.Point.X + 3.0 * Sine, Z = Place.Point.Z + 3.0 * Cosine;
	CheckWaypoints(LastSteer(Socket), {{X, Z}, {X - 2.0 * Cosine, Z + 2.0 * Sine}});
	CHECK(!LastSteer(Socket).Heading && !LastSteer(Socket).Speed);
	// In the world its way has led along +X, however it is turned; there +Y is to the right of that.
	CHECK(Component.SteerToward(FVector(0.0, 5.0, 1.0), 50.0f));
	CHECK(std::fabs(*LastSteer(Socket).Heading + 0.5 * 3.141592653589793) < 1e-6);
	CHECK(std::fabs(*LastSteer(Socket).Speed - 0.5) < 1e-6);
	Actor.StubLocation = FVector(1000.0, -500.0, 20.0);
	CHECK(Component.WalkTo({FVector(1100.0, -500.0, 0.0), FVector(1000.0, -300.0, 0.0)}, 0.0f));
	CheckWaypoints(LastSteer(Socket), {{Place.Point.X, Place.Point.Z + 1.0}, {Place.Point.X - 2.0, Place.Point.Z}});
	// A mesh twice as large takes steps twice as long.
	UPoseableMeshComponent& Mesh = *static_cast<UPoseableMeshComponent*>(Actor.StubComponent);
	Mesh.StubRelative.SetScale3D(FVector(2.0, 2.0, 2.0));
	CHECK(Component.WalkTo({FVector(1100.0, -500.0, 0.0)}, 100.0f));
	CheckWaypoints(LastSteer(Socket), {{Place.Point.X, Place.Point.Z + 0.5}});
	CHECK(std::fabs(*LastSteer(Socket).Speed - 0.5) < 1e-6);
	// A mesh that walks away from its actor: the stream begins where the actor is.
	Mesh.StubRelative.SetScale3D(FVector(1.0, 1.0, 1.0));
	Component.RootMotion = EMotionBridgeRootMotion::MoveMesh;
	CHECK(Component.WalkTo({FVector(1100.0, -500.0, 0.0)}, 0.0f));
	CheckWaypoints(LastSteer(Socket), {{0.0, 1.0}});
	Component.RootMotion = EMotionBridgeRootMotion::MoveActor;
	// One that has not been shown is taken to stand where its timeline begins.
	CHECK(Subsystem.SteerAlong(TEXT("new"), {FVector(100.0, -50.0, 0.0)}, 0.0f));
	CheckWaypoints(LastSteer(Socket), {{0.5, 1.0}});
	Component.Character = TEXT("new");
	CHECK(!Component.WalkTo({FVector(1.0, 0.0, 0.0)}, 0.0f));
	Component.Character = TEXT("main");
}

void TestSubsystemAndComponent()
{
	UWorld World;
	UGameInstance Game;
	World.StubGame = &Game;
	UMotionBridgeSubsystem& Subsystem = *Game.GetSubsystem<UMotionBridgeSubsystem>();
	std::vector<std::string> Log;
	Subsystem.OnError.AddLambda(
		[&Log](const FMotionBridgeErrorEvent& Event) { Log.push_back(StubArgument(*Event.Code)); });
	Subsystem.OnPromptStatus.AddLambda(
		[&Log](const FMotionBridgePromptEvent& Event) { Log.push_back(StubArgument(*Event.PromptId)); });
	CHECK(Subsystem.SendPrompt(TEXT("main"), TEXT("a person walks"), {}).IsEmpty());
	CHECK(Log == std::vector<std::string>{"not_connected"});

	AActor Actor;
	USkinnedAsset Asset;
	Asset.Skeleton.Names = {FName(TEXT("root")), FName(TEXT("pelvis")), FName(TEXT("spine_01")), FName(TEXT("head"))};
	Asset.Skeleton.Parents = {-1, 0, 1, 2};
	Asset.Skeleton.Pose = {FTransform::Identity, FTransform(FQuat::Identity, FVector(0.0, 0.0, 95.0)),
		FTransform(FQuat::Identity, FVector(0.0, 0.0, 20.0)), FTransform(FQuat::Identity, FVector(0.0, 0.0, 40.0))};
	UPoseableMeshComponent Mesh;
	Mesh.StubAsset = &Asset;
	Mesh.BoneSpaceTransforms = Asset.Skeleton.Pose;
	Mesh.StubOwner = &Actor;
	// As Epic's templates have it: the mesh looks along +Y, the actor along +X.
	Mesh.StubRelative.SetRotation(FQuat(0.0, 0.0, -std::sqrt(0.5), std::sqrt(0.5)));
	Actor.StubComponent = &Mesh;
	UMotionBridgeComponent Component;
	Component.StubOwner = &Actor;
	Component.StubWorld = &World;
	Component.BeginPlay();
	CHECK(Subsystem.GetConnectionState() == EMotionBridgeConnection::Opening);
	FScriptedSocket& Socket = *Sockets().back();
	Component.SendPrompt();
	Socket.Open();
	Step(0.01);
	Socket.Deliver(WelcomeMessage());
	Step(0.01);
	CHECK(Socket.Sent.size() == 2);
	Log.clear();
	Subsystem.SendPrompt(TEXT("main"), TEXT(""), {});
	CHECK(Log == std::vector<std::string>{"invalid_field"});
	Socket.Deliver(MotionBridge::Tests::MakeStatus("main", "unreal-1", MotionBridge::EStatus::Accepted));
	Step(0.01);
	CHECK(Log.back() == "unreal-1");
	int64_t Sent = 0;
	for (int Draw = 0; Draw < 60; ++Draw)
	{
		while (double(Sent) / 30.0 - 0.25 <= Draw / 60.0)
		{
			Socket.Deliver(MotionBridge::Tests::MakeFrames("main", Sent++, 1));
		}
		Step(1.0 / 60.0);
		Component.TickComponent(1.0f / 60.0f, LEVELTICK_All, nullptr);
	}
	CHECK(Mesh.StubRefreshed > 50);
	// The pelvis stays over its actor, which has walked along its own +X, 60 cm a second.
	CHECK(std::fabs(Mesh.BoneSpaceTransforms[1].GetTranslation().Y) < 1e-6);
	CHECK(std::fabs(Mesh.BoneSpaceTransforms[1].GetTranslation().Z - 95.0) < 1.0);
	CHECK(std::fabs(Actor.StubLocation.X - 57.0) < 5.0);
	CHECK(std::fabs(Actor.StubLocation.Y) < 1e-6);
	TestSteering(Subsystem, Component, Actor, Socket);
	Log.clear();
	CHECK(!Subsystem.SteerAlong(TEXT("main"), {}, 100.0f));
	CHECK(Log == std::vector<std::string>{"invalid_field"});
	CHECK(Subsystem.Pause(TEXT("main")));
	CHECK(Subsystem
			  .SetTimeline(TEXT("main"), {{TEXT("a person sits"), 2.0f, 7}, {TEXT("then stands"), 0.0f, -1}},
				  EMotionBridgeOnEnd::Hold)
			  .Num() == 2);
	// The level closes: the game instance lets go while the component is still there and ticked once more.
	Subsystem.Deinitialize();
	Component.TickComponent(1.0f / 60.0f, LEVELTICK_All, nullptr);
	CHECK(Socket.CloseCode == 1000);
	CHECK(FTSTicker::GetCoreTicker().Num() == 0);
}

void TestRetargetAsset()
{
	FBoneContainer Container;
	Container.Skeleton.Names = {
		FName(TEXT("pelvis")), FName(TEXT("spine_01")), FName(TEXT("skull")), FName(TEXT("jaw"))};
	Container.Skeleton.Parents = {-1, 0, 1, 2};
	Container.Skeleton.Pose = {FTransform(FQuat::Identity, FVector(0.0, 0.0, 95.0)),
		FTransform(FQuat::Identity, FVector(0.0, 0.0, 20.0)), FTransform(FQuat::Identity, FVector(0.0, 0.0, 40.0)),
		FTransform(FQuat::Identity, FVector(0.0, 5.0, 0.0))};
	FCompactPose Pose;
	Pose.Container = &Container;
	Pose.Transforms = Container.Skeleton.Pose;
	const FQuat Open(0.6, 0.0, 0.0, 0.8);
	Pose.Transforms[3].SetRotation(Open);
	UMotionBridgeRetargetAsset Asset;
	Asset.Bones = {{FName(TEXT("head")), {FName(TEXT("skull"))}}};
	FLiveLinkSkeletonStaticData Static;
	FLiveLinkAnimationFrameData Frame;
	for (int Joint = 0; Joint < MotionBridge::Limits::JointCount; ++Joint)
	{
		Static.BoneNames.Add(FName(*FString(std::string(MotionBridge::GetJoint(Joint).Name).c_str())));
		// All stand upright; the whole turned to the left by a quarter, and 1 m ahead.
		const FQuat Turn = Joint == 0 ? FQuat(0.0, 0.0, -0.7071067811865476, 0.7071067811865476) : FQuat::Identity;
		Frame.Transforms.Add(FTransform(Turn, FVector(0.0, 100.0, 95.0)));
	}
	Asset.BuildPoseFromAnimationData(0.01f, &Static, &Frame, Pose);
	CHECK(Pose.Transforms[0].GetTranslation().Equals(FVector(0.0, 100.0, 95.0), 0.01));
	const FQuat Head =
		Pose.Transforms[0].GetRotation() * Pose.Transforms[1].GetRotation() * Pose.Transforms[2].GetRotation();
	CHECK(Head.RotateVector(FVector(0.0, 1.0, 0.0)).Equals(FVector(1.0, 0.0, 0.0), 1e-5));
	// What the stream does not drive stays as other animation has it.
	CHECK(Pose.Transforms[3].GetRotation().X == Open.X);
	Asset.RootMotion = EMotionBridgeRootMotion::InPlace;
	Asset.BuildPoseFromAnimationData(0.01f, &Static, &Frame, Pose);
	CHECK(Pose.Transforms[0].GetTranslation().Equals(FVector(0.0, 0.0, 95.0), 0.01));
	Asset.BuildPoseFromAnimationData(0.01f, nullptr, &Frame, Pose);
}

void TestSharedConnections()
{
	FMotionBridgeModule& Module = FMotionBridgeModule::Get();
	FMotionBridgeConnectionSettings Settings;
	const size_t Before = Sockets().size();
	{
		const TSharedRef<FMotionBridgeClient> First = Module.AcquireClient(Settings);
		const TSharedRef<FMotionBridgeClient> Second = Module.AcquireClient(Settings);
		CHECK(&First.Get() == &Second.Get());
		CHECK(Sockets().size() == Before + 1);
		Settings.Token = TEXT("another");
		CHECK(&Module.AcquireClient(Settings).Get() != &First.Get());
	}
	CHECK(FTSTicker::GetCoreTicker().Num() == 0);
	CHECK(Sockets()[Before]->CloseCode == 1000);
	const UMotionBridgeLiveLinkSourceFactory Factory;
	const TSharedPtr<ILiveLinkSource> Source =
		Factory.CreateSource(UMotionBridgeLiveLinkSourceFactory::MakeConnectionString(Settings, TEXT("hero, villain")));
	CHECK(Source.IsValid());
	CHECK(Sockets().back()->Url == Settings.Url);
}

} // namespace

double FPlatformTime::Seconds()
{
	return Clock;
}

int main()
{
	InstallSockets();
	TestOrder();
	TestWantedCharactersOnly();
	TestShutdownWhileReceiving();
	TestInboxIsBounded();
	TestSubsystemAndComponent();
	TestRetargetAsset();
	TestSharedConnections();
	for (const auto& [Name, Test] : StubTests())
	{
		Test->RunTest(FString());
		for (const std::string& What : Test->Failed)
		{
			std::printf("%s: %s\n", Name.c_str(), What.c_str());
			++Failures;
		}
	}
	std::printf("%zu automation tests, %d failures\n", StubTests().size(), Failures);
	return Failures == 0 ? 0 : 1;
}
