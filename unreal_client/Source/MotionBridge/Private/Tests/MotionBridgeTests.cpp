// Copyright MotionBridge contributors. MIT licence.

#include "Misc/AutomationTest.h"

#include "MotionBridgeCompat.h"
#include "MotionBridgeConvert.h"
#include "MotionBridgeLiveLinkSourceFactory.h"
#include "MotionBridgeRig.h"

#include "MotionBridgeCore/Skeleton.h"

#if WITH_DEV_AUTOMATION_TESTS

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FMotionBridgeConvertTest, "MotionBridge.Convert", MOTIONBRIDGE_TEST_FLAGS)

bool FMotionBridgeConvertTest::RunTest(const FString&)
{
	const FString Text = TEXT("gr\u00fc\u00df dich");
	TestEqual(TEXT("text survives UTF-8 and back"), MotionBridge::ToEngine(MotionBridge::FromEngine(Text)), Text);
	// A quarter turn to the left takes +Z, forward on the wire, to +X, the character's left.
	const MotionBridge::FQuaternion Left{0.0, 0.7071067811865476, 0.0, 0.7071067811865476};
	const FVector Turned = MotionBridge::ToEngine(MotionBridge::ToModel(MotionBridge::EAxes::UnrealActor, Left))
							   .RotateVector(FVector(1.0, 0.0, 0.0));
	TestTrue(TEXT("an actor turned left looks along -Y"), Turned.Equals(FVector(0.0, -1.0, 0.0), 1e-6));
	const FVector Mesh = MotionBridge::ToEngine(MotionBridge::ToModel(MotionBridge::EAxes::UnrealMesh, Left))
							 .RotateVector(FVector(0.0, 1.0, 0.0));
	TestTrue(TEXT("a mesh turned left looks along +X"), Mesh.Equals(FVector(1.0, 0.0, 0.0), 1e-6));
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FMotionBridgeRigTest, "MotionBridge.Rig", MOTIONBRIDGE_TEST_FLAGS)

bool FMotionBridgeRigTest::RunTest(const FString&)
{
	const TArray<FName> Names = {
		FName(TEXT("root")), FName(TEXT("pelvis")), FName(TEXT("spine_01")), FName(TEXT("head"))};
	const TArray<int32> Parents = {-1, 0, 1, 2};
	const TArray<FTransform> Pose = {FTransform::Identity, FTransform(FQuat::Identity, FVector(0.0, 0.0, 95.0)),
		FTransform(FQuat::Identity, FVector(0.0, 0.0, 20.0)), FTransform(FQuat::Identity, FVector(0.0, 0.0, 40.0))};
	FMotionBridgeRig Rig;
	FString Fault;
	TestTrue(TEXT("a mannequin is recognised"), Rig.Build(Names, Parents, Pose, {}, Fault));
	TestEqual(TEXT("by its convention"), Rig.GetConvention(), FString(TEXT("mannequin")));
	MotionBridge::FPose Standing;
	Standing.Root[1] = 0.95f;
	Standing.Root[2] = 1.0f;
	for (float(&Rotation)[4] : Standing.Rotations)
	{
		Rotation[3] = 1.0f;
	}
	Rig.SetPose(Standing, EMotionBridgeRootMotion::MoveMesh);
	TestTrue(TEXT("the pelvis walks along +Y"), Rig.GetPelvisTranslation().Equals(FVector(0.0, 100.0, 95.0), 0.01));
	Rig.SetPose(Standing, EMotionBridgeRootMotion::InPlace);
	TestTrue(TEXT("or stays"), Rig.GetPelvisTranslation().Equals(FVector(0.0, 0.0, 95.0), 0.01));
	TestFalse(TEXT("a table with an unknown bone is refused"),
		Rig.Build(Names, Parents, Pose, {{FName(TEXT("head")), {FName(TEXT("tail"))}}}, Fault));
	return true;
}

IMPLEMENT_SIMPLE_AUTOMATION_TEST(FMotionBridgePresetTest, "MotionBridge.Preset", MOTIONBRIDGE_TEST_FLAGS)

bool FMotionBridgePresetTest::RunTest(const FString&)
{
	FMotionBridgeConnectionSettings Settings;
	Settings.Url = TEXT("ws://example.test:9000/");
	Settings.Token = TEXT("a secret");
	Settings.FrameRate = 60.0f;
	Settings.bCompactRotations = true;
	FString Characters;
	const FString Text = UMotionBridgeLiveLinkSourceFactory::MakeConnectionString(Settings, TEXT("hero, villain"));
	const FMotionBridgeConnectionSettings Read =
		UMotionBridgeLiveLinkSourceFactory::ReadConnectionString(Text, Characters);
	TestEqual(TEXT("url"), Read.Url, Settings.Url);
	TestEqual(TEXT("token"), Read.Token, Settings.Token);
	TestEqual(TEXT("characters"), Characters, FString(TEXT("hero, villain")));
	TestTrue(TEXT("the rest"), Read.FrameRate == 60.0f && Read.bCompactRotations);
	return true;
}

#endif
