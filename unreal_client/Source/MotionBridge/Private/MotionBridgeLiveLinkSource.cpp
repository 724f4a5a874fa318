// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeLiveLinkSource.h"

#include "ILiveLinkClient.h"
#include "MotionBridgeConvert.h"
#include "Roles/LiveLinkAnimationRole.h"
#include "Roles/LiveLinkAnimationTypes.h"

#include "MotionBridgeCore/Skeleton.h"

#define LOCTEXT_NAMESPACE "MotionBridge"

namespace
{

/** Names of the contact curves, in the order of the bits. */
const TCHAR* const ContactNames[] = {
	TEXT("LeftHeelContact"), TEXT("LeftToeContact"), TEXT("RightHeelContact"), TEXT("RightToeContact")};

} // namespace

FMotionBridgeLiveLinkSource::FMotionBridgeLiveLinkSource(
	TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> InClient, const TArray<FString>& Characters)
	: Client(InClient)
{
	for (const FString& Character : Characters)
	{
		Wanted.Add(MotionBridge::FromEngine(Character));
	}
}

FMotionBridgeLiveLinkSource::~FMotionBridgeLiveLinkSource()
{
	RequestSourceShutdown();
}

void FMotionBridgeLiveLinkSource::ReceiveClient(ILiveLinkClient* InLiveLink, FGuid InSourceGuid)
{
	LiveLink = InLiveLink;
	SourceGuid = InSourceGuid;
	if (!Client.IsValid())
	{
		return;
	}
	AddedHandle = Client->OnAdded.AddRaw(this, &FMotionBridgeLiveLinkSource::Add);
	RemovedHandle = Client->OnRemoved.AddRaw(this, &FMotionBridgeLiveLinkSource::Remove);
	for (const std::unique_ptr<MotionBridge::FCharacterStream>& Stream : Client->GetSession().GetCharacters())
	{
		Add(*Stream);
	}
}

bool FMotionBridgeLiveLinkSource::RequestSourceShutdown()
{
	if (Client.IsValid())
	{
		Client->OnAdded.Remove(AddedHandle);
		Client->OnRemoved.Remove(RemovedHandle);
		Client.Reset();
	}
	if (LiveLink)
	{
		for (const FSubject& Subject : Subjects)
		{
			LiveLink->RemoveSubject_AnyThread(Subject.Key);
		}
	}
	Subjects.Empty();
	LiveLink = nullptr;
	return true;
}

bool FMotionBridgeLiveLinkSource::IsSourceStillValid() const
{
	return Client.IsValid() && LiveLink != nullptr;
}

FText FMotionBridgeLiveLinkSource::GetSourceType() const
{
	return LOCTEXT("SourceType", "MotionBridge");
}

FText FMotionBridgeLiveLinkSource::GetSourceMachineName() const
{
	return Client.IsValid() ? FText::FromString(MotionBridge::ToEngine(Client->GetSession().GetConfig().Url))
							: FText::GetEmpty();
}

FText FMotionBridgeLiveLinkSource::GetSourceStatus() const
{
	return Client.IsValid() ? FText::FromString(Client->GetDetail()) : LOCTEXT("ShutDown", "shut down");
}

bool FMotionBridgeLiveLinkSource::IsWanted(const std::string& Character) const
{
	return Wanted.IsEmpty() || Wanted.Contains(Character);
}

FMotionBridgeLiveLinkSource::FSubject* FMotionBridgeLiveLinkSource::Find(const std::string& Character)
{
	return Subjects.FindByPredicate([&Character](const FSubject& Subject) { return Subject.Character == Character; });
}

void FMotionBridgeLiveLinkSource::Add(const MotionBridge::FCharacterStream& Stream)
{
	const std::string& Character = Stream.GetName();
	if (!LiveLink || !IsWanted(Character))
	{
		return;
	}
	if (FSubject* Known = Find(Character))
	{
		// After a session that could not be resumed the timeline starts over; the subject and its static data stay.
		Known->Pushed = -1;
		return;
	}
	const FName Name(*MotionBridge::ToEngine(Character));
	Subjects.Add({FLiveLinkSubjectKey(SourceGuid, Name), Character, -1});
	PushStatic(Subjects.Last());
}

void FMotionBridgeLiveLinkSource::Remove(const MotionBridge::FCharacterStream& Stream)
{
	// A character that a lost session took along keeps its subject, which holds the last pose until it is back.
	if (!Client.IsValid() || Client->GetState() != EMotionBridgeConnection::Connected || !LiveLink)
	{
		return;
	}
	const std::string& Character = Stream.GetName();
	if (const FSubject* Subject = Find(Character))
	{
		LiveLink->RemoveSubject_AnyThread(Subject->Key);
		Subjects.RemoveAll([&Character](const FSubject& Other) { return Other.Character == Character; });
	}
}

void FMotionBridgeLiveLinkSource::Update()
{
	if (!Client.IsValid() || !LiveLink)
	{
		return;
	}
	for (FSubject& Subject : Subjects)
	{
		const MotionBridge::FCharacterStream* Stream = Client->FindCharacter(Subject.Character);
		if (!Stream || !Stream->HasStarted())
		{
			continue;
		}
		const MotionBridge::FPoseBuffer& Buffer = Stream->GetBuffer();
		const int64 Due = static_cast<int64>(Stream->GetPlayhead());
		// The first frame pushed is the one shown now, not all that the buffer remembers.
		int64 Frame = Subject.Pushed < 0 ? Due : Buffer.FirstFrom(Subject.Pushed + 1);
		while (Frame != MotionBridge::FPoseBuffer::Empty && Frame <= Due)
		{
			if (const MotionBridge::FPose* Pose = Buffer.Find(Frame))
			{
				PushFrame(Subject, *Pose, Stream->TimeOf(Frame));
			}
			Subject.Pushed = Frame;
			Frame = Buffer.FirstFrom(Frame + 1);
		}
	}
}

void FMotionBridgeLiveLinkSource::PushStatic(const FSubject& Subject)
{
	FLiveLinkStaticDataStruct Static(FLiveLinkSkeletonStaticData::StaticStruct());
	FLiveLinkSkeletonStaticData& Skeleton = *Static.Cast<FLiveLinkSkeletonStaticData>();
	TArray<FName> Names;
	TArray<int32> Parents;
	for (int Joint = 0; Joint < MotionBridge::Limits::JointCount; ++Joint)
	{
		Names.Add(FName(*MotionBridge::ToEngine(MotionBridge::GetJoint(Joint).Name)));
		Parents.Add(MotionBridge::GetJoint(Joint).Parent);
	}
	Skeleton.SetBoneNames(Names);
	Skeleton.SetBoneParents(Parents);
	for (const TCHAR* Name : ContactNames)
	{
		Skeleton.PropertyNames.Add(FName(Name));
	}
	LiveLink->PushSubjectStaticData_AnyThread(Subject.Key, ULiveLinkAnimationRole::StaticClass(), MoveTemp(Static));
}

void FMotionBridgeLiveLinkSource::PushFrame(const FSubject& Subject, const MotionBridge::FPose& Pose, double Time)
{
	FLiveLinkFrameDataStruct Data(FLiveLinkAnimationFrameData::StaticStruct());
	FLiveLinkAnimationFrameData& Frame = *Data.Cast<FLiveLinkAnimationFrameData>();
	Frame.WorldTime = FLiveLinkWorldTime(Time, 0.0);
	Frame.Transforms.Reserve(MotionBridge::Limits::JointCount);
	for (int Joint = 0; Joint < MotionBridge::Limits::JointCount; ++Joint)
	{
		const float* Local = Pose.Rotations[Joint];
		const MotionBridge::FVec3 Place = Joint == 0 ? MotionBridge::FVec3{Pose.Root[0], Pose.Root[1], Pose.Root[2]}
													 : MotionBridge::GetJoint(Joint).Offset;
		const MotionBridge::FQuaternion Rotation = MotionBridge::ToModel(
			MotionBridge::EAxes::UnrealMesh, MotionBridge::FQuaternion{Local[0], Local[1], Local[2], Local[3]});
		Frame.Transforms.Add(FTransform(MotionBridge::ToEngine(Rotation),
			MotionBridge::ToEngine(MotionBridge::ToModel(MotionBridge::EAxes::UnrealMesh, Place))));
	}
	for (int Bit = 0; Bit < 4; ++Bit)
	{
		Frame.PropertyValues.Add((Pose.Contacts >> Bit & 1) ? 1.0f : 0.0f);
	}
	LiveLink->PushSubjectFrameData_AnyThread(Subject.Key, MoveTemp(Data));
}

#undef LOCTEXT_NAMESPACE
