// Copyright MotionBridge contributors. MIT licence.

// The one file of this module that only the engine builds.

#include "Modules/ModuleManager.h"

IMPLEMENT_MODULE(FDefaultModuleImpl, MotionBridgeCore)
