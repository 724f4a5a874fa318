// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeSubsystem.h"

#include "MotionBridgeModule.h"

void UMotionBridgeSubsystem::Deinitialize()
{
	Disconnect();
	Super::Deinitialize();
}

void UMotionBridgeSubsystem::Connect(const FMotionBridgeConnectionSettings& Settings)
{
	Disconnect();
	Client = FMotionBridgeModule::Get().AcquireClient(Settings);
	// Weak: the connection may be shared and outlive this game instance.
	const TWeakObjectPtr<UMotionBridgeSubsystem> Weak(this);
	ConnectionHandle = Client->OnConnectionChanged.AddLambda(
		[Weak](EMotionBridgeConnection State, const FString& Detail)
		{
			if (UMotionBridgeSubsystem* Self = Weak.Get())
			{
				Self->OnConnectionChanged.Broadcast(State, Detail);
			}
		});
	PromptHandle = Client->OnPrompt.AddLambda(
		[Weak](const FMotionBridgePromptEvent& Event)
		{
			if (UMotionBridgeSubsystem* Self = Weak.Get())
			{
				Self->OnPromptStatus.Broadcast(Event);
			}
		});
	ErrorHandle = Client->OnErrorEvent.AddLambda(
		[Weak](const FMotionBridgeErrorEvent& Event)
		{
			if (UMotionBridgeSubsystem* Self = Weak.Get())
			{
				Self->OnError.Broadcast(Event);
			}
		});
	OnConnectionChanged.Broadcast(Client->GetState(), Client->GetDetail());
}

void UMotionBridgeSubsystem::Disconnect()
{
	if (!Client.IsValid())
	{
		return;
	}
	Client->OnConnectionChanged.Remove(ConnectionHandle);
	Client->OnPrompt.Remove(PromptHandle);
	Client->OnErrorEvent.Remove(ErrorHandle);
	Client.Reset();
	OnConnectionChanged.Broadcast(EMotionBridgeConnection::Closed, TEXT("disconnected"));
}

EMotionBridgeConnection UMotionBridgeSubsystem::GetConnectionState() const
{
	return Client.IsValid() ? Client->GetState() : EMotionBridgeConnection::Closed;
}

FMotionBridgeClient* UMotionBridgeSubsystem::NeedClient()
{
	if (!Client.IsValid())
	{
		FMotionBridgeErrorEvent Event;
		Event.Code = TEXT("not_connected");
		Event.Message = TEXT("not connected: call Connect first");
		UE_LOG(LogMotionBridge, Warning, TEXT("%s"), *Event.Message);
		OnError.Broadcast(Event);
	}
	return Client.Get();
}

FString UMotionBridgeSubsystem::SendPrompt(
	const FString& Character, const FString& Text, const FMotionBridgePromptOptions& Options)
{
	FMotionBridgeClient* Connected = NeedClient();
	return Connected ? Connected->SendPrompt(Character, Text, false, Options) : FString();
}

FString UMotionBridgeSubsystem::QueuePrompt(
	const FString& Character, const FString& Text, const FMotionBridgePromptOptions& Options)
{
	FMotionBridgeClient* Connected = NeedClient();
	return Connected ? Connected->SendPrompt(Character, Text, true, Options) : FString();
}

TArray<FString> UMotionBridgeSubsystem::SetTimeline(
	const FString& Character, const TArray<FMotionBridgeTimelineEntry>& Entries, EMotionBridgeOnEnd OnEnd)
{
	FMotionBridgeClient* Connected = NeedClient();
	return Connected ? Connected->SendTimeline(Character, Entries, false, OnEnd) : TArray<FString>();
}

bool UMotionBridgeSubsystem::Steer(const FString& Character, float YawDegrees, float Speed)
{
	FMotionBridgeClient* Connected = NeedClient();
	return Connected && Connected->Steer(Character, YawDegrees, Speed);
}

bool UMotionBridgeSubsystem::SteerAlong(const FString& Character, const TArray<FVector>& Waypoints, float Speed)
{
	FMotionBridgeClient* Connected = NeedClient();
	return Connected && Connected->SteerAlong(Character, Waypoints, Speed);
}

bool UMotionBridgeSubsystem::StopSteering(const FString& Character)
{
	FMotionBridgeClient* Connected = NeedClient();
	return Connected && Connected->StopSteering(Character);
}

bool UMotionBridgeSubsystem::SendControl(const FString& Character, MotionBridge::EAction Action)
{
	FMotionBridgeClient* Connected = NeedClient();
	return Connected && Connected->SendControl(Character, Action);
}

bool UMotionBridgeSubsystem::Stop(const FString& Character)
{
	return SendControl(Character, MotionBridge::EAction::Stop);
}

bool UMotionBridgeSubsystem::Pause(const FString& Character)
{
	return SendControl(Character, MotionBridge::EAction::Pause);
}

bool UMotionBridgeSubsystem::Resume(const FString& Character)
{
	return SendControl(Character, MotionBridge::EAction::Resume);
}

bool UMotionBridgeSubsystem::Remove(const FString& Character)
{
	return SendControl(Character, MotionBridge::EAction::Remove);
}

bool UMotionBridgeSubsystem::SetRootMotion(const FString& Character, bool bTravels)
{
	return SendControl(
		Character, bTravels ? MotionBridge::EAction::RootMotionOn : MotionBridge::EAction::RootMotionOff);
}
