// Copyright MotionBridge contributors. MIT licence.

#pragma once

// Every difference between the engine versions that the plugin supports, 5.4 to 5.8.

#include "Misc/AutomationTest.h"
#include "Misc/EngineVersionComparison.h"

#if UE_VERSION_OLDER_THAN(5, 4, 0)
#error "MotionBridge needs Unreal Engine 5.4 or newer."
#endif

// 5.5 made the test flags an enum class, and took the mask out of it.
#if UE_VERSION_OLDER_THAN(5, 5, 0)
#define MOTIONBRIDGE_TEST_FLAGS (EAutomationTestFlags::ApplicationContextMask | EAutomationTestFlags::EngineFilter)
#else
#define MOTIONBRIDGE_TEST_FLAGS (EAutomationTestFlags_ApplicationContextMask | EAutomationTestFlags::EngineFilter)
#endif
