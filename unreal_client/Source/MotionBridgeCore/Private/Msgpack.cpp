// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Msgpack.h"

#include "MotionBridgeCore/Limits.h"

#include <cstring>
#include <limits>

namespace MotionBridge
{

namespace
{

constexpr uint8_t NeverUsed = 0xc1;

int64_t SignExtend(uint64_t Value, size_t Size)
{
	const unsigned Unused = static_cast<unsigned>(64 - 8 * Size);
	return static_cast<int64_t>(Value << Unused) >> Unused;
}

double ToReal(uint64_t Bits, size_t Size)
{
	if (Size == 4)
	{
		const uint32_t Narrow = static_cast<uint32_t>(Bits);
		float Value;
		std::memcpy(&Value, &Narrow, sizeof(Value));
		return static_cast<double>(Value);
	}
	double Value;
	std::memcpy(&Value, &Bits, sizeof(Value));
	return Value;
}

/** Bytes of the code point that starts with Lead, 0 when none does, and the smallest value it may have. */
size_t SequenceLength(uint8_t Lead, uint32_t& Smallest)
{
	struct FForm
	{
		uint8_t Mask;
		uint8_t Pattern;
		uint32_t Smallest;
	};
	static constexpr FForm Forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	for (size_t Length = 0; Length < 4; ++Length)
	{
		if ((Lead & Forms[Length].Mask) == Forms[Length].Pattern)
		{
			Smallest = Forms[Length].Smallest;
			return Length + 1;
		}
	}
	return 0;
}

} // namespace

bool FMsgpackCursor::Take(size_t Size, uint64_t& Out)
{
	if (Size > Message.Size - Position)
	{
		return false;
	}
	Out = 0;
	for (size_t Index = 0; Index < Size; ++Index)
	{
		Out = Out << 8 | Message.Data[Position + Index];
	}
	Position += Size;
	return true;
}

bool FMsgpackCursor::TakeBytes(size_t LengthSize, size_t Extra, FBytes& Out)
{
	uint64_t Length = 0;
	if (!Take(LengthSize, Length))
	{
		return false;
	}
	Length += Extra;
	if (Length > Message.Size - Position)
	{
		return false;
	}
	Out = FBytes(Message.Data + Position, static_cast<size_t>(Length));
	Position += Out.Size;
	return true;
}

bool FMsgpackCursor::Fixed(EValueKind Kind, size_t Size, FValue& Out)
{
	Out.Kind = Kind;
	Out.Bytes = FBytes(Message.Data + Position, Size);
	if (Size > Message.Size - Position)
	{
		return false;
	}
	Position += Size;
	return true;
}

bool FMsgpackCursor::Read(FValue& Out)
{
	uint64_t Byte = 0;
	if (Position > Message.Size || !Take(1, Byte) || Byte == NeverUsed)
	{
		return false;
	}
	Out = FValue();
	const auto Integer = [&Out](int64_t Value)
	{
		Out.Kind = EValueKind::Integer;
		Out.Integer = Value;
		Out.Real = static_cast<double>(Value);
		return true;
	};
	const auto Container = [&Out](EValueKind Kind, uint64_t Count)
	{
		Out.Kind = Kind;
		Out.Count = static_cast<uint32_t>(Count);
		return true;
	};
	if (Byte <= 0x7f || Byte >= 0xe0)
	{
		return Integer(SignExtend(Byte, 1));
	}
	if (Byte <= 0x8f)
	{
		return Container(EValueKind::Map, Byte & 0x0f);
	}
	if (Byte <= 0x9f)
	{
		return Container(EValueKind::Array, Byte & 0x0f);
	}
	if (Byte <= 0xbf)
	{
		return Fixed(EValueKind::String, Byte & 0x1f, Out);
	}
	const size_t Width = size_t(1) << (Byte & 3);
	uint64_t Bits = 0;
	switch (Byte)
	{
		case 0xc0:
			return true;
		case 0xc2:
		case 0xc3:
			Out.Kind = EValueKind::Boolean;
			Out.bValue = Byte == 0xc3;
			return true;
		case 0xc4:
		case 0xc5:
		case 0xc6:
			Out.Kind = EValueKind::Binary;
			return TakeBytes(Width, 0, Out.Bytes);
		case 0xc7:
		case 0xc8:
		case 0xc9:
			Out.Kind = EValueKind::Extension;
			return TakeBytes(size_t(1) << (Byte - 0xc7), 1, Out.Bytes);
		case 0xca:
		case 0xcb:
			Out.Kind = EValueKind::Real;
			if (!Take(Byte == 0xca ? 4 : 8, Bits))
			{
				return false;
			}
			Out.Real = ToReal(Bits, Byte == 0xca ? 4 : 8);
			return true;
		case 0xcc:
		case 0xcd:
		case 0xce:
		case 0xcf:
			if (!Take(Width, Bits))
			{
				return false;
			}
			Integer(Bits > uint64_t(std::numeric_limits<int64_t>::max()) ? std::numeric_limits<int64_t>::max()
																		 : static_cast<int64_t>(Bits));
			Out.Real = static_cast<double>(Bits);
			return true;
		case 0xd0:
		case 0xd1:
		case 0xd2:
		case 0xd3:
			return Take(Width, Bits) && Integer(SignExtend(Bits, Width));
		case 0xd4:
		case 0xd5:
		case 0xd6:
		case 0xd7:
		case 0xd8:
			return Fixed(EValueKind::Extension, 1 + (size_t(1) << (Byte - 0xd4)), Out);
		case 0xd9:
		case 0xda:
		case 0xdb:
			Out.Kind = EValueKind::String;
			return TakeBytes(size_t(1) << (Byte - 0xd9), 0, Out.Bytes);
		case 0xdc:
		case 0xdd:
			return Take(Byte == 0xdc ? 2 : 4, Bits) && Container(EValueKind::Array, Bits);
		default:
			return Take(Byte == 0xde ? 2 : 4, Bits) && Container(EValueKind::Map, Bits);
	}
}

bool FMsgpackCursor::Skip()
{
	// Every value takes a byte at least, so the count is bounded by the message whatever the heads promise.
	uint64_t Left = 1;
	FValue Value;
	while (Left > 0)
	{
		if (!Read(Value))
		{
			return false;
		}
		--Left;
		Left += Value.Kind == EValueKind::Array ? Value.Count : 0;
		Left += Value.Kind == EValueKind::Map ? 2 * uint64_t(Value.Count) : 0;
	}
	return true;
}

int64_t CountCodePoints(std::string_view Text)
{
	int64_t Count = 0;
	for (size_t At = 0; At < Text.size(); ++Count)
	{
		uint32_t Smallest = 0;
		const uint8_t Lead = static_cast<uint8_t>(Text[At]);
		const size_t Length = SequenceLength(Lead, Smallest);
		if (Length == 0 || Length > Text.size() - At)
		{
			return -1;
		}
		uint32_t Point = Length == 1 ? Lead : Lead & (0x7fu >> Length);
		for (size_t Index = 1; Index < Length; ++Index)
		{
			const uint8_t Next = static_cast<uint8_t>(Text[At + Index]);
			if ((Next & 0xc0) != 0x80)
			{
				return -1;
			}
			Point = Point << 6 | (Next & 0x3f);
		}
		if (Point < Smallest || Point > 0x10ffff || (Point >= 0xd800 && Point <= 0xdfff))
		{
			return -1;
		}
		At += Length;
	}
	return Count;
}

const char* FindStructuralFault(FBytes Message)
{
	struct FLevel
	{
		uint64_t Left;
		bool bMap;
	};
	FLevel Levels[Limits::MaxDepth];
	size_t Depth = 0;
	size_t Values = 0;
	FMsgpackCursor Cursor(Message);
	FValue Value;
	do
	{
		const bool bKey = Depth > 0 && Levels[Depth - 1].bMap && Levels[Depth - 1].Left % 2 == 0;
		if (!Cursor.Read(Value))
		{
			return "not valid msgpack, or cut off";
		}
		if (Depth == 0 && Value.Kind != EValueKind::Map)
		{
			return "a message must be a map";
		}
		if (bKey && Value.Kind != EValueKind::String)
		{
			return "keys must be strings";
		}
		if (Value.Kind == EValueKind::String && CountCodePoints(Value.Bytes.AsText()) < 0)
		{
			return "a string is not valid UTF-8";
		}
		if (Depth > 0)
		{
			--Levels[Depth - 1].Left;
		}
		if (Value.Kind == EValueKind::Map || Value.Kind == EValueKind::Array)
		{
			if (Depth == Limits::MaxDepth)
			{
				return "nested deeper than 8 levels";
			}
			Values += Value.Count;
			if (Values > Limits::MaxValues)
			{
				return "more than 16384 values";
			}
			const bool bMap = Value.Kind == EValueKind::Map;
			Levels[Depth++] = {bMap ? 2 * uint64_t(Value.Count) : Value.Count, bMap};
		}
		while (Depth > 0 && Levels[Depth - 1].Left == 0)
		{
			--Depth;
		}
	} while (Depth > 0);
	return Cursor.At() == Message.Size ? nullptr : "bytes after the map";
}

void FMsgpackWriter::Head(uint8_t Byte, uint64_t Value, size_t Size)
{
	Out.push_back(Byte);
	while (Size > 0)
	{
		--Size;
		Out.push_back(static_cast<uint8_t>(Value >> (8 * Size)));
	}
}

void FMsgpackWriter::Boolean(bool bValue)
{
	Out.push_back(bValue ? 0xc3 : 0xc2);
}

void FMsgpackWriter::Integer(int64_t Value)
{
	const uint64_t Bits = static_cast<uint64_t>(Value);
	if (Value >= -32 && Value <= 0x7f)
	{
		Out.push_back(static_cast<uint8_t>(Value));
	}
	else if (Value > 0)
	{
		const unsigned Power = Value <= 0xff ? 0 : Value <= 0xffff ? 1 : Value <= 0xffffffff ? 2 : 3;
		Head(static_cast<uint8_t>(0xcc + Power), Bits, size_t(1) << Power);
	}
	else
	{
		const unsigned Power = Value >= -0x80 ? 0 : Value >= -0x8000 ? 1 : Value >= -0x80000000LL ? 2 : 3;
		Head(static_cast<uint8_t>(0xd0 + Power), Bits, size_t(1) << Power);
	}
}

void FMsgpackWriter::Real(double Value)
{
	uint64_t Bits;
	std::memcpy(&Bits, &Value, sizeof(Bits));
	Head(0xcb, Bits, 8);
}

void FMsgpackWriter::String(std::string_view Text)
{
	const size_t Size = Text.size();
	if (Size < 32)
	{
		Out.push_back(static_cast<uint8_t>(0xa0 | Size));
	}
	else
	{
		const unsigned Power = Size <= 0xff ? 0 : Size <= 0xffff ? 1 : 2;
		Head(static_cast<uint8_t>(0xd9 + Power), Size, size_t(1) << Power);
	}
	Out.insert(Out.end(), Text.begin(), Text.end());
}

void FMsgpackWriter::Binary(FBytes Bytes)
{
	const unsigned Power = Bytes.Size <= 0xff ? 0 : Bytes.Size <= 0xffff ? 1 : 2;
	Head(static_cast<uint8_t>(0xc4 + Power), Bytes.Size, size_t(1) << Power);
	Out.insert(Out.end(), Bytes.Data, Bytes.Data + Bytes.Size);
}

void FMsgpackWriter::Array(size_t Count)
{
	if (Count < 16)
	{
		Out.push_back(static_cast<uint8_t>(0x90 | Count));
		return;
	}
	const bool bWide = Count > 0xffff;
	Head(bWide ? 0xdd : 0xdc, Count, bWide ? 4 : 2);
}

void FMsgpackWriter::Map(size_t Count)
{
	if (Count < 16)
	{
		Out.push_back(static_cast<uint8_t>(0x80 | Count));
		return;
	}
	const bool bWide = Count > 0xffff;
	Head(bWide ? 0xdf : 0xde, Count, bWide ? 4 : 2);
}

} // namespace MotionBridge
