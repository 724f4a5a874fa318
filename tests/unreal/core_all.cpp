// The whole of MotionBridgeCore as one translation unit, which is also how the engine's unity builds see it.

#include "../../unreal_client/Source/MotionBridgeCore/Private/BoneNames.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/CharacterStream.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Codec.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Coordinates.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Msgpack.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/PoseBuffer.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Place.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Poses.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Retarget.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Session.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/SessionMemory.cpp"
#include "../../unreal_client/Source/MotionBridgeCore/Private/Skeleton.cpp"
