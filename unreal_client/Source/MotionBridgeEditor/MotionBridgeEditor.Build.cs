// Copyright MotionBridge contributors. MIT licence.

using UnrealBuildTool;

public class MotionBridgeEditor : ModuleRules
{
	public MotionBridgeEditor(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;

		PrivateDependencyModuleNames.AddRange(new string[] {
			"Core",
			"CoreUObject",
			"Engine",
			"InputCore",
			"LiveLinkInterface",
			"MotionBridge",
			"MotionBridgeCore",
			"Slate",
			"SlateCore",
		});
	}
}
