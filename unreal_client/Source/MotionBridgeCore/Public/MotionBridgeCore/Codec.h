// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Messages.h"

namespace MotionBridge
{

/**
 * Bytes of one WebSocket message -> message. Views in the result point into Data.
 * False leaves Out undefined and says in Error what is wrong: the code, field and id that SPEC.md wants.
 */
MOTIONBRIDGECORE_API bool DecodeServer(
	FBytes Data, FServerMessage& Out, FProtocolError& Error, size_t MaxBytes = Limits::MaxMessageBytes);
MOTIONBRIDGECORE_API bool DecodeClient(
	FBytes Data, FClientMessage& Out, FProtocolError& Error, size_t MaxBytes = Limits::MaxMessageBytes);

/** Message -> bytes, in place of what Out held: fields in the order of SPEC.md, absent ones left out. Reuses Out's
 * memory. */
MOTIONBRIDGECORE_API void Encode(const FClientMessage& Message, std::vector<uint8_t>& Out);
MOTIONBRIDGECORE_API void Encode(const FServerMessage& Message, std::vector<uint8_t>& Out);
MOTIONBRIDGECORE_API void Encode(const FPlayhead& Message, std::vector<uint8_t>& Out);

} // namespace MotionBridge
