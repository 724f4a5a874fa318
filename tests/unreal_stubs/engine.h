// Stub of what the plugin uses of the modules Engine and WebSockets, written from the public API documentation.

#pragma once

#include "core.h"

class FSubsystemCollectionBase;

class USubsystem : public UObject
{
public:
	virtual void Initialize(FSubsystemCollectionBase&) {}
	virtual void Deinitialize() {}
};

class UGameInstanceSubsystem : public USubsystem
{};

class UGameInstance : public UObject
{
public:
	template <class T>
	T* GetSubsystem() const
	{
		static T Subsystem;
		return &Subsystem;
	}
};

class UWorld : public UObject
{
public:
	UGameInstance* GetGameInstance() const { return StubGame; }
	UGameInstance* StubGame = nullptr;
};

class AActor;
enum ELevelTick
{
	LEVELTICK_All
};

struct FActorComponentTickFunction
{
	bool bCanEverTick = false;
};

class UActorComponent : public UObject
{
public:
	virtual void BeginPlay() {}
	virtual void TickComponent(float, ELevelTick, FActorComponentTickFunction*) {}
	AActor* GetOwner() const { return StubOwner; }
	UWorld* GetWorld() const { return StubWorld; }
	FActorComponentTickFunction PrimaryComponentTick;

	AActor* StubOwner = nullptr;
	UWorld* StubWorld = nullptr;
};

class AActor : public UObject
{
public:
	template <class T>
	T* FindComponentByClass() const
	{
		return dynamic_cast<T*>(StubComponent);
	}
	void AddActorWorldOffset(const FVector& Delta, bool /*bSweep*/ = false) { StubLocation = StubLocation + Delta; }

	UActorComponent* StubComponent = nullptr;
	FVector StubLocation;
};

class FReferenceSkeleton
{
public:
	int32 GetNum() const { return Names.Num(); }
	FName GetBoneName(int32 Bone) const { return Names[Bone]; }
	int32 GetParentIndex(int32 Bone) const { return Parents[Bone]; }
	const TArray<FTransform>& GetRefBonePose() const { return Pose; }

	TArray<FName> Names;
	TArray<int32> Parents;
	TArray<FTransform> Pose;
};

class USkinnedAsset : public UObject
{
public:
	const FReferenceSkeleton& GetRefSkeleton() const { return Skeleton; }
	FReferenceSkeleton Skeleton;
};

class USceneComponent : public UActorComponent
{
public:
	/** Attached to its actor, which does not turn in the stub. */
	const FTransform& GetComponentTransform() const
	{
		StubWorldTransform = StubRelative;
		StubWorldTransform.SetTranslation(StubRelative.GetTranslation() + GetOwner()->StubLocation);
		return StubWorldTransform;
	}
	FTransform StubRelative;

private:
	mutable FTransform StubWorldTransform;
};

class UPoseableMeshComponent : public USceneComponent
{
public:
	USkinnedAsset* GetSkinnedAsset() const { return StubAsset; }
	void MarkRefreshTransformDirty() { ++StubRefreshed; }
	TArray<FTransform> BoneSpaceTransforms;

	USkinnedAsset* StubAsset = nullptr;
	int StubRefreshed = 0;
};

class FCompactPoseBoneIndex
{
public:
	explicit FCompactPoseBoneIndex(int32 In)
		: Index(In)
	{}
	int32 GetInt() const { return Index; }

private:
	int32 Index;
};

class FMeshPoseBoneIndex
{
public:
	explicit FMeshPoseBoneIndex(int32 In)
		: Index(In)
	{}
	int32 GetInt() const { return Index; }

private:
	int32 Index;
};

/** Compact bones are mesh bones in the stub. */
class FBoneContainer
{
public:
	const FReferenceSkeleton& GetReferenceSkeleton() const { return Skeleton; }
	FMeshPoseBoneIndex MakeMeshPoseIndex(const FCompactPoseBoneIndex& Index) const
	{
		return FMeshPoseBoneIndex(Index.GetInt());
	}
	FCompactPoseBoneIndex GetParentBoneIndex(const FCompactPoseBoneIndex& Index) const
	{
		return FCompactPoseBoneIndex(Skeleton.GetParentIndex(Index.GetInt()));
	}
	const FTransform& GetRefPoseTransform(const FCompactPoseBoneIndex& Index) const
	{
		return Skeleton.Pose[Index.GetInt()];
	}
	uint16 GetSerialNumber() const { return SerialNumber; }

	FReferenceSkeleton Skeleton;
	uint16 SerialNumber = 1;
};

struct FCompactPose
{
	const FBoneContainer& GetBoneContainer() const { return *Container; }
	int32 GetNumBones() const { return Transforms.Num(); }
	FTransform& operator[](const FCompactPoseBoneIndex& Index) { return Transforms[Index.GetInt()]; }

	const FBoneContainer* Container = nullptr;
	TArray<FTransform> Transforms;
};

class IWebSocket
{
public:
	using FConnected = TStubMulticast<>;
	using FConnectionError = TStubMulticast<const FString&>;
	using FClosed = TStubMulticast<int32, const FString&, bool>;
	using FRawMessage = TStubMulticast<const void*, SIZE_T, SIZE_T>;

	virtual ~IWebSocket() = default;
	virtual void Connect() = 0;
	virtual void Close(int32 Code = 1000, const FString& Reason = FString()) = 0;
	virtual bool IsConnected() = 0;
	virtual void Send(const void* Data, SIZE_T Size, bool bIsBinary = false) = 0;
	virtual FConnected& OnConnected() = 0;
	virtual FConnectionError& OnConnectionError() = 0;
	virtual FClosed& OnClosed() = 0;
	virtual FRawMessage& OnRawMessage() = 0;
};

class FWebSocketsModule : public IModuleInterface
{
public:
	static FWebSocketsModule& Get()
	{
		static FWebSocketsModule Module;
		return Module;
	}
	TSharedRef<IWebSocket> CreateWebSocket(const FString& Url, const FString& Protocol) { return Make(Url, Protocol); }

	std::function<TSharedRef<IWebSocket>(const FString&, const FString&)> Make;
};
