// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "ILiveLinkSource.h"
#include "LiveLinkTypes.h"
#include "MotionBridgeClient.h"

class ILiveLinkClient;

/**
 * One Live Link subject per character, in the skeletal mesh frame (+Y forward, cm). Static data goes first and once;
 * each frame follows when its time has come, stamped with the engine time it is due at, so Live Link's own
 * interpolation in engine time is right and a frame that the server overwrites is never seen.
 *
 * Game thread throughout: Live Link calls its sources there, and the client is ticked there.
 */
class MOTIONBRIDGE_API FMotionBridgeLiveLinkSource : public ILiveLinkSource
{
public:
	/** Characters: the subjects wanted; none are all. */
	FMotionBridgeLiveLinkSource(
		TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> InClient, const TArray<FString>& Characters);
	virtual ~FMotionBridgeLiveLinkSource() override;

	//~ Begin ILiveLinkSource interface
	virtual void ReceiveClient(ILiveLinkClient* InLiveLink, FGuid InSourceGuid) override;
	virtual void Update() override;
	virtual bool IsSourceStillValid() const override;
	virtual bool RequestSourceShutdown() override;
	virtual FText GetSourceType() const override;
	virtual FText GetSourceMachineName() const override;
	virtual FText GetSourceStatus() const override;
	//~ End ILiveLinkSource interface

private:
	struct FSubject
	{
		FLiveLinkSubjectKey Key;
		std::string Character;
		/** The last frame pushed; -1 before the first. */
		int64 Pushed = -1;
	};

	bool IsWanted(const std::string& Character) const;
	void Add(const MotionBridge::FCharacterStream& Stream);
	void Remove(const MotionBridge::FCharacterStream& Stream);
	FSubject* Find(const std::string& Character);
	void PushStatic(const FSubject& Subject);
	void PushFrame(const FSubject& Subject, const MotionBridge::FPose& Pose, double Time);

	TSharedPtr<FMotionBridgeClient, ESPMode::ThreadSafe> Client;
	ILiveLinkClient* LiveLink = nullptr;
	FGuid SourceGuid;
	TArray<std::string> Wanted;
	TArray<FSubject> Subjects;
	FDelegateHandle AddedHandle;
	FDelegateHandle RemovedHandle;
};
