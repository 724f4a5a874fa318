// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeComponent.h"

#include "Components/PoseableMeshComponent.h"
#include "Engine/GameInstance.h"
#include "Engine/SkinnedAsset.h"
#include "Engine/World.h"
#include "GameFramework/Actor.h"
#include "MotionBridgeConvert.h"
#include "MotionBridgeSubsystem.h"

#include <cmath>

UMotionBridgeComponent::UMotionBridgeComponent()
{
	PrimaryComponentTick.bCanEverTick = true;
}

UMotionBridgeSubsystem* UMotionBridgeComponent::FindSubsystem() const
{
	const UWorld* World = GetWorld();
	UGameInstance* Game = World ? World->GetGameInstance() : nullptr;
	return Game ? Game->GetSubsystem<UMotionBridgeSubsystem>() : nullptr;
}

void UMotionBridgeComponent::BeginPlay()
{
	Super::BeginPlay();
	Rebuild();
	UMotionBridgeSubsystem* Subsystem = FindSubsystem();
	if (bConnectOnBeginPlay && Subsystem && !Subsystem->GetClient().IsValid())
	{
		Subsystem->Connect(Settings);
	}
}

void UMotionBridgeComponent::Rebuild()
{
	Mesh = GetOwner() ? GetOwner()->FindComponentByClass<UPoseableMeshComponent>() : nullptr;
	CharacterKey = MotionBridge::FromEngine(Character);
	Rig = FMotionBridgeRig();
	bBuildFailed = false;
	bRootKnown = false;
}

void UMotionBridgeComponent::SendPrompt()
{
	if (UMotionBridgeSubsystem* Subsystem = FindSubsystem())
	{
		Subsystem->SendPrompt(Character, Prompt, Options);
	}
}

bool UMotionBridgeComponent::BuildRig(UPoseableMeshComponent& Target)
{
	const FReferenceSkeleton& Skeleton = Target.GetSkinnedAsset()->GetRefSkeleton();
	TArray<FName> Names;
	TArray<int32> Parents;
	for (int32 Bone = 0; Bone < Skeleton.GetNum(); ++Bone)
	{
		Names.Add(Skeleton.GetBoneName(Bone));
		Parents.Add(Skeleton.GetParentIndex(Bone));
	}
	FString Fault;
	bBuildFailed = !Rig.Build(Names, Parents, Skeleton.GetRefBonePose(), Bones, Fault);
	if (bBuildFailed)
	{
		UE_LOG(LogMotionBridge, Warning, TEXT("%s: %s"), *GetName(), *Fault);
	}
	return !bBuildFailed;
}

void UMotionBridgeComponent::TickComponent(
	float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction)
{
	Super::TickComponent(DeltaTime, TickType, ThisTickFunction);
	const UMotionBridgeSubsystem* Subsystem = FindSubsystem();
	if (!Subsystem || !Subsystem->GetClient().IsValid() || !IsValid(Mesh) || !Mesh->GetSkinnedAsset() || bBuildFailed)
	{
		return;
	}
	const MotionBridge::FCharacterStream* Stream = Subsystem->GetClient()->FindCharacter(CharacterKey);
	MotionBridge::FPose Pose;
	if (!Stream || Stream->SamplePose(Pose) == MotionBridge::ESample::Nothing)
	{
		bRootKnown = false;
		return;
	}
	if (!Rig.IsBuilt() && !BuildRig(*Mesh))
	{
		return;
	}
	TArray<FTransform>& Bone = Mesh->BoneSpaceTransforms;
	if (Bone.Num() != Rig.Num())
	{
		return;
	}
	Rig.SetPose(Pose, RootMotion);
	for (int32 Index = 0; Index < Bone.Num(); ++Index)
	{
		if (Rig.IsDriven(Index))
		{
			Bone[Index].SetRotation(Rig.GetRotation(Index));
		}
	}
	Bone[Rig.GetPelvis()].SetTranslation(Rig.GetPelvisTranslation());
	Mesh->MarkRefreshTransformDirty();
	if (RootMotion == EMotionBridgeRootMotion::MoveActor)
	{
		MoveActor(Pose);
	}
}

void UMotionBridgeComponent::MoveActor(const MotionBridge::FPose& Pose)
{
	const MotionBridge::FVec3 Metres{Pose.Root[0], 0.0, Pose.Root[2]};
	const FVector Root =
		MotionBridge::ToEngine(MotionBridge::ToModel(MotionBridge::EAxes::UnrealMesh, Metres)) * Rig.GetScale();
	if (bRootKnown)
	{
		// Where the mesh faces, the steps go, however the game has turned the actor or the mesh on it.
		const FVector Step = Mesh->GetComponentTransform().TransformVector(Root - LastRoot);
		GetOwner()->AddActorWorldOffset(Step, bSweep);
	}
	bRootKnown = true;
	LastRoot = Root;
}

bool UMotionBridgeComponent::SteerToward(FVector Direction, float Speed)
{
	MotionBridge::FSteer Message;
	MotionBridge::FPlace Place;
	FMotionBridgeClient* Client = BeginSteer(Speed, Message, Place);
	if (!Client)
	{
		return false;
	}
	const MotionBridge::FVec3 Ahead = ToStream(Direction);
	Message.Heading = std::atan2(Ahead.X, Ahead.Z);
	return Client->SendSteer(Message);
}

bool UMotionBridgeComponent::WalkTo(const TArray<FVector>& Locations, float Speed)
{
	MotionBridge::FSteer Message;
	MotionBridge::FPlace Place;
	FMotionBridgeClient* Client = BeginSteer(Speed, Message, Place);
	if (!Client)
	{
		return false;
	}
	const FVector Origin = Mesh->GetComponentTransform().GetTranslation();
	// The mesh's origin goes with the character, unless it is the mesh that walks: then it is the stream's.
	const MotionBridge::FVec3 At =
		RootMotion == EMotionBridgeRootMotion::MoveMesh ? MotionBridge::FVec3() : Place.Point;
	Message.Waypoints.emplace();
	for (const FVector& Location : Locations)
	{
		const MotionBridge::FVec3 Point = At + ToStream(Location - Origin);
		Message.Waypoints->push_back({Point.X, Point.Z});
	}
	return Client->SendSteer(Message);
}

FMotionBridgeClient* UMotionBridgeComponent::BeginSteer(
	float Speed, MotionBridge::FSteer& OutMessage, MotionBridge::FPlace& OutPlace)
{
	UMotionBridgeSubsystem* Subsystem = FindSubsystem();
	FMotionBridgeClient* Client = Subsystem ? Subsystem->NeedClient() : nullptr;
	if (!Client || !IsValid(Mesh) || !Client->FindPlace(Character, OutPlace) || !Rig.IsBuilt())
	{
		return nullptr;
	}
	OutMessage.Character = CharacterKey;
	if (Speed > 0.0f)
	{
		const MotionBridge::FVec3 Second = ToStream(
			Mesh->GetComponentTransform().TransformVectorNoScale(FVector(0.0, static_cast<double>(Speed), 0.0)));
		OutMessage.Speed = MotionBridge::Length(Second);
	}
	return Client;
}

MotionBridge::FVec3 UMotionBridgeComponent::ToStream(const FVector& World) const
{
	const FVector Local = Mesh->GetComponentTransform().InverseTransformVector(World);
	return MotionBridge::FromModel(MotionBridge::EAxes::UnrealMesh, MotionBridge::FromEngine(Local)) *
		(1.0 / Rig.GetScale());
}
