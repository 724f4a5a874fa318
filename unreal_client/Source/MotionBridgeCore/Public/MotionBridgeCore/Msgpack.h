// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Types.h"

#include <vector>

namespace MotionBridge
{

/** Kinds of msgpack values, whatever their width on the wire. */
enum class EValueKind : uint8_t
{
	Nil,
	Boolean,
	Integer,
	Real,
	String,
	Binary,
	Array,
	Map,
	Extension
};

/** One msgpack value. Of arrays and maps this is the head; their items follow in the cursor. */
struct FValue
{
	EValueKind Kind = EValueKind::Nil;
	bool bValue = false;
	/** Integers beyond int64 are held at its maximum: no field of the protocol reaches that far. */
	int64_t Integer = 0;
	/** Of Integer and Real. */
	double Real = 0.0;
	/** Contents of String, Binary and Extension, in the message's own memory. */
	FBytes Bytes;
	/** Items of an array, key-value pairs of a map. */
	uint32_t Count = 0;
};

/** Reads msgpack values one after the other. Never reads past the end and never allocates. */
class MOTIONBRIDGECORE_API FMsgpackCursor
{
public:
	explicit FMsgpackCursor(FBytes InMessage, size_t InAt = 0)
		: Message(InMessage)
		, Position(InAt)
	{}

	/** Reads a value, or the head of an array or map. False at the end, on a cut-off value and on byte 0xc1. */
	bool Read(FValue& Out);

	/** Passes over a whole value with everything within it; false as Read is. */
	bool Skip();

	size_t At() const { return Position; }

private:
	bool Take(size_t Size, uint64_t& Out);
	bool TakeBytes(size_t LengthSize, size_t Extra, FBytes& Out);
	bool Fixed(EValueKind Kind, size_t Size, FValue& Out);

	FBytes Message;
	size_t Position;
};

/** Code points of a UTF-8 text; -1 when it is not valid UTF-8 (overlong forms and surrogates included). */
MOTIONBRIDGECORE_API int64_t CountCodePoints(std::string_view Text);

/**
 * Whether a message is exactly one msgpack map within the limits of SPEC.md, "Encoding": keys are strings, strings are
 * UTF-8, at most 8 levels and 16,384 values. Null when it is; otherwise what is wrong with it.
 */
MOTIONBRIDGECORE_API const char* FindStructuralFault(FBytes Message);

/** Appends msgpack values to a buffer, each in its shortest form and floats as float 64, as SPEC.md wants of writers.
 */
class MOTIONBRIDGECORE_API FMsgpackWriter
{
public:
	explicit FMsgpackWriter(std::vector<uint8_t>& InOut)
		: Out(InOut)
	{}

	void Boolean(bool bValue);
	void Integer(int64_t Value);
	void Real(double Value);
	void String(std::string_view Text);
	void Binary(FBytes Bytes);
	void Array(size_t Count);
	void Map(size_t Count);

private:
	void Head(uint8_t Byte, uint64_t Value, size_t Size);

	std::vector<uint8_t>& Out;
};

} // namespace MotionBridge
