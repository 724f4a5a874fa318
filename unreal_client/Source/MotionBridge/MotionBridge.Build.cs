// Copyright MotionBridge contributors. MIT licence.

using UnrealBuildTool;

public class MotionBridge : ModuleRules
{
	public MotionBridge(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;

		PublicDependencyModuleNames.AddRange(new string[] {
			"Core",
			"CoreUObject",
			"Engine",
			"LiveLinkAnimationCore",
			"LiveLinkInterface",
			"MotionBridgeCore",
		});

		PrivateDependencyModuleNames.AddRange(new string[] {
			"SlateCore",
			"WebSockets",
		});
	}
}
