// The whole runtime module as one translation unit, which is also how the engine's unity builds see it.

#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeClient.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeComponent.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeConsole.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeLiveLinkSource.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeLiveLinkSourceFactory.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeModule.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeRetargetAsset.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeRig.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeSocket.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/MotionBridgeSubsystem.cpp"
#include "../../unreal_client/Source/MotionBridge/Private/Tests/MotionBridgeTests.cpp"
