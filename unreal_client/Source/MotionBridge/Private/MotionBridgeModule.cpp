// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeModule.h"

IMPLEMENT_MODULE(FMotionBridgeModule, MotionBridge)

FMotionBridgeModule& FMotionBridgeModule::Get()
{
	return FModuleManager::LoadModuleChecked<FMotionBridgeModule>(TEXT("MotionBridge"));
}

void FMotionBridgeModule::ShutdownModule()
{
	Clients.Empty();
}

TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> FMotionBridgeModule::AcquireClient(
	const FMotionBridgeConnectionSettings& Settings)
{
	// The first to connect decides on the frame rate; a token of its own is a connection of its own.
	const FString Key = Settings.Url + TEXT("|") + Settings.Token;
	if (const TWeakPtr<FMotionBridgeClient, ESPMode::ThreadSafe>* Known = Clients.Find(Key))
	{
		if (const TSharedPtr<FMotionBridgeClient, ESPMode::ThreadSafe> Client = Known->Pin())
		{
			return Client.ToSharedRef();
		}
	}
	const TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> Made = FMotionBridgeClient::Create(Settings);
	Clients.Add(Key, Made);
	return Made;
}
