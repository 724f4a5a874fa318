// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#ifndef MOTIONBRIDGECORE_API
#define MOTIONBRIDGECORE_API
#endif

namespace MotionBridge
{

/** Bytes that someone else owns. */
struct FBytes
{
	const uint8_t* Data = nullptr;
	size_t Size = 0;

	FBytes() = default;
	FBytes(const uint8_t* InData, size_t InSize)
		: Data(InData)
		, Size(InSize)
	{}

	std::string_view AsText() const { return {reinterpret_cast<const char*>(Data), Size}; }
};

/** `error.code` values that decoding can give; see SPEC.md, "Errors". */
enum class EErrorCode : uint8_t
{
	None,
	Malformed,
	UnknownType,
	InvalidField,
	TooBig
};

/** Name of a code on the wire, such as `invalid_field`. */
MOTIONBRIDGECORE_API std::string_view ToText(EErrorCode Code);

/** Why a message was refused. Filled in on failure only, so that success allocates nothing. */
struct FProtocolError
{
	EErrorCode Code = EErrorCode::None;
	/** For people: the value, the limit, and what to do. */
	std::string Message;
	/** Path of the field at fault, such as `prompts[1].text`; empty when no field is. */
	std::string Field;
	/** `id` of the message at fault; empty when it could not be read. */
	std::string Id;
};

} // namespace MotionBridge
