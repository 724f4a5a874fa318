// Copyright MotionBridge contributors. MIT licence.

#include "Modules/ModuleManager.h"
#include "MotionBridgeModule.h"
#include "SMotionBridgePanel.h"

/** Gives the runtime module its widgets. */
class FMotionBridgeEditorModule : public IModuleInterface
{
public:
	//~ Begin IModuleInterface interface
	virtual void StartupModule() override
	{
		FMotionBridgeModule::Get().PanelBuilder = [](SMotionBridgePanel::FCreate OnCreate) -> TSharedRef<SWidget>
		{ return SNew(SMotionBridgePanel, MoveTemp(OnCreate)); };
	}

	virtual void ShutdownModule() override
	{
		if (FMotionBridgeModule* Runtime = FModuleManager::GetModulePtr<FMotionBridgeModule>(TEXT("MotionBridge")))
		{
			Runtime->PanelBuilder = nullptr;
		}
	}
	//~ End IModuleInterface interface
};

IMPLEMENT_MODULE(FMotionBridgeEditorModule, MotionBridgeEditor)
