// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "Modules/ModuleManager.h"
#include "MotionBridgeClient.h"

class ILiveLinkSource;
class SWidget;

/** Makes the widget in which a Live Link source is set up; the argument takes what the user has entered. */
using FMotionBridgePanelBuilder = TFunction<TSharedRef<SWidget>(
	TFunction<void(const FMotionBridgeConnectionSettings&, const FString& /*Characters*/)>)>;

class MOTIONBRIDGE_API FMotionBridgeModule : public IModuleInterface
{
public:
	static FMotionBridgeModule& Get();

	//~ Begin IModuleInterface interface
	virtual void ShutdownModule() override;
	//~ End IModuleInterface interface

	/** The connection to a server, made when no one has it yet. Game thread. */
	TSharedRef<FMotionBridgeClient, ESPMode::ThreadSafe> AcquireClient(const FMotionBridgeConnectionSettings& Settings);

	/** Set by the editor module, which is where the widgets are; empty in a game. */
	FMotionBridgePanelBuilder PanelBuilder;

private:
	TMap<FString, TWeakPtr<FMotionBridgeClient, ESPMode::ThreadSafe>> Clients;
};
