// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeComponent.h"

#include "Components/PoseableMeshComponent.h"
#include "Engine/GameInstance.h"
#include "Engine/SkinnedAsset.h"
#include "Engine/World.h"
#include "GameFramework/Actor.h"
#include "MotionBridgeConvert.h"
#include "MotionBridgeSubsystem.h"

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
	AActor* Owner = GetOwner();
	const MotionBridge::FVec3 Metres{Pose.Root[0], 0.0, Pose.Root[2]};
	const FVector Root =
		MotionBridge::ToEngine(MotionBridge::ToModel(MotionBridge::EAxes::UnrealActor, Metres)) * Rig.GetScale();
	if (bRootKnown)
	{
		Owner->AddActorWorldOffset(StartRotation.RotateVector(Root - LastRoot), bSweep);
	}
	else
	{
		StartRotation = Owner->GetActorQuat();
		bRootKnown = true;
	}
	LastRoot = Root;
}
