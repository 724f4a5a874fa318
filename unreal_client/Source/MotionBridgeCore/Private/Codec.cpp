// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Codec.h"

#include "FieldReader.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace MotionBridge
{

namespace
{

constexpr std::string_view EncodingNames[] = {"float32", "int16"};
constexpr std::string_view ModeNames[] = {"replace", "queue"};
constexpr std::string_view OnEndNames[] = {"idle", "repeat", "hold"};
constexpr std::string_view ActionNames[] = {"pause", "resume", "stop", "remove", "root_motion_on", "root_motion_off"};
constexpr std::string_view StatusNames[] = {"accepted", "started", "finished", "cancelled", "failed"};
constexpr std::string_view ErrorNames[] = {"", "malformed", "unknown_type", "invalid_field", "too_big"};

/** A clip resampled from MaxSeconds may be a frame longer. */
constexpr double SecondsSlack = 1.0 / Limits::MinFrameRate;

/** Code points that are white space, in order. */
constexpr uint32_t WhiteSpace[] = {0x9, 0xa, 0xb, 0xc, 0xd, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
	0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};

/** The code point that starts at At in valid UTF-8, and its length in bytes. */
uint32_t CodePointAt(std::string_view Text, size_t At, size_t& Length)
{
	const uint8_t Lead = static_cast<uint8_t>(Text[At]);
	Length = Lead < 0x80 ? 1 : Lead < 0xe0 ? 2 : Lead < 0xf0 ? 3 : 4;
	uint32_t Point = Length == 1 ? Lead : Lead & (0x7fu >> Length);
	for (size_t Index = 1; Index < Length; ++Index)
	{
		Point = Point << 6 | (static_cast<uint8_t>(Text[At + Index]) & 0x3f);
	}
	return Point;
}

bool IsSpace(uint32_t Point)
{
	return std::binary_search(std::begin(WhiteSpace), std::end(WhiteSpace), Point);
}

std::string Decimal(double Value)
{
	char Text[32];
	std::snprintf(Text, sizeof(Text), "%.6g", Value);
	return Text;
}

/** Counts the fields that a writer will write. */
struct FFieldCounter
{
	size_t Count = 1; // `type`

	template <class T, class TRule>
	void Required(std::string_view, const T&, const TRule&)
	{
		++Count;
	}
	template <class T, class TRule>
	void Default(std::string_view, const T&, const TRule&)
	{
		++Count;
	}
	template <class T, class TRule>
	void Optional(std::string_view, const std::optional<T>& Value, const TRule&)
	{
		Count += Value.has_value() ? 1 : 0;
	}
	template <class TFindFault>
	void Check(std::string_view, TFindFault)
	{}
};

/** Writes the fields of a map. */
struct FFieldWriter
{
	FMsgpackWriter Writer;

	template <class T, class TRule>
	void Required(std::string_view Key, const T& Value, const TRule& Rule)
	{
		Writer.String(Key);
		Write(Value, Rule);
	}
	template <class T, class TRule>
	void Default(std::string_view Key, const T& Value, const TRule& Rule)
	{
		Required(Key, Value, Rule);
	}
	template <class T, class TRule>
	void Optional(std::string_view Key, const std::optional<T>& Value, const TRule& Rule)
	{
		if (Value)
		{
			Required(Key, *Value, Rule);
		}
	}
	template <class TFindFault>
	void Check(std::string_view, TFindFault)
	{}

	void Write(std::string_view Value, const FTextRule&) { Writer.String(Value); }
	void Write(double Value, const FRealRule&) { Writer.Real(Value); }
	void Write(int64_t Value, const FWholeRule&) { Writer.Integer(Value); }
	void Write(bool bValue, FFlagRule) { Writer.Boolean(bValue); }
	void Write(FBytes Value, FBinaryRule) { Writer.Binary(Value); }

	template <class TEnum>
	void Write(TEnum Value, const FChoiceRule&)
	{
		Writer.String(ToText(Value));
	}
	template <class T>
	void Write(const T& Value, FMapRule)
	{
		FFieldCounter Counter;
		Counter.Count = 0;
		Describe(Counter, Value);
		Writer.Map(Counter.Count);
		Describe(*this, Value);
	}
	template <class T, class TItemRule>
	void Write(const std::vector<T>& Value, const TListRule<TItemRule>& Rule)
	{
		Writer.Array(Value.size());
		for (const T& Item : Value)
		{
			Write(Item, Rule.Item);
		}
	}
	template <class T, size_t Size, class TItemRule>
	void Write(const std::array<T, Size>& Value, const TTupleRule<TItemRule>& Rule)
	{
		Writer.Array(Size);
		for (const T& Item : Value)
		{
			Write(Item, Rule.Item);
		}
	}
};

template <class T>
void EncodeMessage(const T& Message, std::vector<uint8_t>& Out)
{
	Out.clear();
	FFieldCounter Counter;
	Describe(Counter, Message);
	FFieldWriter Fields{FMsgpackWriter(Out)};
	Fields.Writer.Map(Counter.Count);
	Fields.Writer.String("type");
	Fields.Writer.String(T::Type);
	Describe(Fields, Message);
}

bool Refuse(FProtocolError& Error, EErrorCode Code, std::string Message)
{
	Error.Code = Code;
	Error.Message = std::move(Message);
	return false;
}

/** `id` of a message at fault, empty when it has none that is a name. */
std::string ReadId(const FFieldReader& Fields)
{
	FValue Value;
	size_t At = 0;
	if (!Fields.Find("id", Value, At) || Value.Kind != EValueKind::String)
	{
		return {};
	}
	const std::string_view Text = Value.Bytes.AsText();
	const int64_t Length = CountCodePoints(Text);
	return Length >= 1 && Length <= int64_t(Limits::MaxNameCharacters) ? std::string(Text) : std::string();
}

/** Reads the message when Type is T's. */
template <class T, class TMessage>
bool ReadIf(std::string_view Type, FFieldReader& Fields, TMessage& Out)
{
	if (Type != T::Type)
	{
		return false;
	}
	Describe(Fields, Out.template emplace<T>());
	return true;
}

template <class... TMessages>
bool Decode(FBytes Data, std::variant<TMessages...>& Out, FProtocolError& Error, size_t MaxBytes)
{
	Error.Code = EErrorCode::None;
	Error.Field.clear();
	Error.Id.clear();
	if (Data.Size > MaxBytes)
	{
		return Refuse(Error, EErrorCode::TooBig,
			"message has " + std::to_string(Data.Size) + " bytes, the limit is " + std::to_string(MaxBytes));
	}
	if (const char* Fault = FindStructuralFault(Data))
	{
		return Refuse(Error, EErrorCode::Malformed, std::string(Fault) + " (" + std::to_string(Data.Size) + " bytes)");
	}
	FMsgpackCursor Cursor(Data);
	FValue Map;
	Cursor.Read(Map);
	FFieldReader Fields(Data, Cursor.At(), Map.Count, nullptr, Error);
	FValue Type;
	size_t At = 0;
	if (!Fields.Find("type", Type, At) || Type.Kind != EValueKind::String)
	{
		Refuse(Error, EErrorCode::Malformed, "a message must have a key `type` with a string");
	}
	else if (!(ReadIf<TMessages>(Type.Bytes.AsText(), Fields, Out) || ...))
	{
		Refuse(
			Error, EErrorCode::UnknownType, "unknown message type " + std::string(Type.Bytes.AsText().substr(0, 64)));
		Error.Field = "type";
	}
	if (Error.Code == EErrorCode::None)
	{
		return true;
	}
	Error.Id = ReadId(Fields);
	return false;
}

} // namespace

std::string_view ToText(EErrorCode Code)
{
	return ErrorNames[static_cast<int>(Code)];
}

std::string_view ToText(EEncoding Value)
{
	return EncodingNames[static_cast<int>(Value)];
}

std::string_view ToText(EMode Value)
{
	return ModeNames[static_cast<int>(Value)];
}

std::string_view ToText(EOnEnd Value)
{
	return OnEndNames[static_cast<int>(Value)];
}

std::string_view ToText(EAction Value)
{
	return ActionNames[static_cast<int>(Value)];
}

std::string_view ToText(EStatus Value)
{
	return StatusNames[static_cast<int>(Value)];
}

std::string_view Strip(std::string_view Text)
{
	size_t Length = 0;
	while (!Text.empty() && IsSpace(CodePointAt(Text, 0, Length)))
	{
		Text.remove_prefix(Length);
	}
	while (!Text.empty())
	{
		size_t Last = Text.size() - 1;
		while (Last > 0 && (static_cast<uint8_t>(Text[Last]) & 0xc0) == 0x80)
		{
			--Last;
		}
		if (!IsSpace(CodePointAt(Text, Last, Length)))
		{
			break;
		}
		Text.remove_suffix(Text.size() - Last);
	}
	return Text;
}

std::string FindRepeatedId(const std::vector<FTimelinePrompt>& Prompts)
{
	for (size_t Index = 0; Index < Prompts.size(); ++Index)
	{
		for (size_t Other = 0; Other < Index; ++Other)
		{
			if (Prompts[Index].Id == Prompts[Other].Id)
			{
				return "prompt ids must differ, two are " + Prompts[Index].Id;
			}
		}
	}
	return {};
}

std::string FindLengthFault(int64_t Count, double FrameRate)
{
	const double Seconds = static_cast<double>(Count) / FrameRate;
	if (Seconds >= Limits::MinSeconds && Seconds <= Limits::MaxSeconds + SecondsSlack)
	{
		return {};
	}
	return std::to_string(Count) + " frames last " + Decimal(Seconds) + " s; the limit is 0.5 to 9.8 s";
}

std::string FindRangeFault(const std::vector<std::array<int64_t, 2>>& Ranges, int64_t Count)
{
	int64_t Earliest = 0;
	for (const std::array<int64_t, 2>& Range : Ranges)
	{
		if (Range[0] < Earliest || Range[1] <= Range[0] || Range[1] > Count)
		{
			return "range [" + std::to_string(Range[0]) + ", " + std::to_string(Range[1]) +
				") must not be empty, must start at " + std::to_string(Earliest) + " or later and end by " +
				std::to_string(Count);
		}
		Earliest = Range[1];
	}
	return {};
}

bool FFieldReader::Convert(
	const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, double& Out, const FRealRule& Rule)
{
	if (Value.Kind != EValueKind::Real && Value.Kind != EValueKind::Integer)
	{
		return Fail(Path, "must be a number");
	}
	// Written so that a NaN fails too.
	const bool bWithin =
		Value.Real >= Rule.Low - Limits::Float32Slack && Value.Real <= Rule.High + Limits::Float32Slack;
	if (!bWithin || !std::isfinite(Value.Real))
	{
		return Fail(Path, "must be " + Decimal(Rule.Low) + " to " + Decimal(Rule.High) + ", is " + Decimal(Value.Real));
	}
	Out = std::min(std::max(Value.Real, Rule.Low), Rule.High);
	return true;
}

bool FFieldReader::Convert(
	const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, int64_t& Out, const FWholeRule& Rule)
{
	if (Value.Kind != EValueKind::Integer)
	{
		return Fail(Path, "must be an integer");
	}
	if (Value.Integer < Rule.Low || Value.Integer > Rule.High)
	{
		return Fail(Path,
			"must be " + std::to_string(Rule.Low) + " to " + std::to_string(Rule.High) + ", is " +
				std::to_string(Value.Integer));
	}
	Out = Value.Integer;
	return true;
}

bool FFieldReader::Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, bool& Out, FFlagRule)
{
	if (Value.Kind != EValueKind::Boolean)
	{
		return Fail(Path, "must be a boolean");
	}
	Out = Value.bValue;
	return true;
}

bool FFieldReader::Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, FBytes& Out, FBinaryRule)
{
	if (Value.Kind != EValueKind::Binary)
	{
		return Fail(Path, "must be a binary");
	}
	Out = Value.Bytes;
	return true;
}

bool DecodeServer(FBytes Data, FServerMessage& Out, FProtocolError& Error, size_t MaxBytes)
{
	return Decode(Data, Out, Error, MaxBytes);
}

bool DecodeClient(FBytes Data, FClientMessage& Out, FProtocolError& Error, size_t MaxBytes)
{
	return Decode(Data, Out, Error, MaxBytes);
}

void Encode(const FClientMessage& Message, std::vector<uint8_t>& Out)
{
	std::visit([&Out](const auto& Kind) { EncodeMessage(Kind, Out); }, Message);
}

void Encode(const FServerMessage& Message, std::vector<uint8_t>& Out)
{
	std::visit([&Out](const auto& Kind) { EncodeMessage(Kind, Out); }, Message);
}

void Encode(const FPlayhead& Message, std::vector<uint8_t>& Out)
{
	EncodeMessage(Message, Out);
}

} // namespace MotionBridge
