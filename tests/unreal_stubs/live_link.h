// Stub of what the plugin uses of LiveLinkInterface and LiveLinkAnimationCore, written from the public documentation.

#pragma once

#include "engine.h"

struct FLiveLinkSubjectKey
{
	FLiveLinkSubjectKey() = default;
	FLiveLinkSubjectKey(FGuid InSource, FName InName)
		: Source(InSource)
		, SubjectName(InName)
	{}
	FGuid Source;
	FName SubjectName;
};

struct FLiveLinkWorldTime
{
	FLiveLinkWorldTime() = default;
	FLiveLinkWorldTime(double InTime, double InOffset)
		: Time(InTime)
		, Offset(InOffset)
	{}
	double GetOffsettedTime() const { return Time + Offset; }

private:
	double Time = 0.0;
	double Offset = 0.0;
};

class UScriptStruct : public UObject
{};

struct FLiveLinkBaseStaticData
{
	virtual ~FLiveLinkBaseStaticData() = default;
	TArray<FName> PropertyNames;
};

struct FLiveLinkSkeletonStaticData : FLiveLinkBaseStaticData
{
	static UScriptStruct* StaticStruct() { return nullptr; }
	void SetBoneNames(const TArray<FName>& Names) { BoneNames = Names; }
	void SetBoneParents(const TArray<int32>& Parents) { BoneParents = Parents; }
	TArray<FName> BoneNames;
	TArray<int32> BoneParents;
};

struct FLiveLinkBaseFrameData
{
	virtual ~FLiveLinkBaseFrameData() = default;
	FLiveLinkWorldTime WorldTime;
	TArray<float> PropertyValues;
};

struct FLiveLinkAnimationFrameData : FLiveLinkBaseFrameData
{
	static UScriptStruct* StaticStruct() { return nullptr; }
	TArray<FTransform> Transforms;
};

/** The stub knows one kind of data. */
class FLiveLinkStaticDataStruct
{
public:
	explicit FLiveLinkStaticDataStruct(const UScriptStruct*)
		: Data(std::make_unique<FLiveLinkSkeletonStaticData>())
	{}
	template <class T>
	T* Cast()
	{
		return Data.get();
	}

private:
	std::unique_ptr<FLiveLinkSkeletonStaticData> Data;
};

class FLiveLinkFrameDataStruct
{
public:
	explicit FLiveLinkFrameDataStruct(const UScriptStruct*)
		: Data(std::make_unique<FLiveLinkAnimationFrameData>())
	{}
	template <class T>
	T* Cast()
	{
		return Data.get();
	}

private:
	std::unique_ptr<FLiveLinkAnimationFrameData> Data;
};

class ULiveLinkRole : public UObject
{};

class ULiveLinkAnimationRole : public ULiveLinkRole
{
public:
	static UClass* StaticClass() { return nullptr; }
};

class ILiveLinkClient
{
public:
	virtual ~ILiveLinkClient() = default;
	virtual void PushSubjectStaticData_AnyThread(
		const FLiveLinkSubjectKey& Key, TSubclassOf<ULiveLinkRole> Role, FLiveLinkStaticDataStruct&& Data) = 0;
	virtual void PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& Key, FLiveLinkFrameDataStruct&& Data) = 0;
	virtual void RemoveSubject_AnyThread(const FLiveLinkSubjectKey& Key) = 0;
};

class ILiveLinkSource
{
public:
	virtual ~ILiveLinkSource() = default;
	virtual void ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid) = 0;
	virtual void Update() {}
	virtual bool IsSourceStillValid() const = 0;
	virtual bool RequestSourceShutdown() = 0;
	virtual FText GetSourceType() const = 0;
	virtual FText GetSourceMachineName() const = 0;
	virtual FText GetSourceStatus() const = 0;
};

class SWidget;
using FOnLiveLinkSourceCreated = TStubDelegate<TSharedPtr<ILiveLinkSource>, FString>;

class ULiveLinkSourceFactory : public UObject
{
public:
	enum class EMenuType
	{
		Disabled,
		SubPanel,
		MenuEntry
	};
	virtual FText GetSourceDisplayName() const = 0;
	virtual FText GetSourceTooltip() const = 0;
	virtual EMenuType GetMenuType() const { return EMenuType::Disabled; }
	virtual TSharedPtr<SWidget> BuildCreationPanel(FOnLiveLinkSourceCreated) const { return {}; }
	virtual TSharedPtr<ILiveLinkSource> CreateSource(const FString&) const { return {}; }
};

class ULiveLinkRetargetAsset : public UObject
{
public:
	virtual void BuildPoseFromAnimationData(float DeltaTime, const FLiveLinkSkeletonStaticData* InSkeletonData,
		const FLiveLinkAnimationFrameData* InFrameData, FCompactPose& OutPose) = 0;
};
