// Copyright MotionBridge contributors. MIT licence.

using UnrealBuildTool;

public class MotionBridgeCore : ModuleRules
{
	public MotionBridgeCore(ReadOnlyTargetRules Target) : base(Target)
	{
		// Plain C++17: Core is there for MotionBridgeCoreModule.cpp alone, which makes a module of it.
		PCHUsage = PCHUsageMode.NoPCHs;
		PrivateDependencyModuleNames.Add("Core");
	}
}
