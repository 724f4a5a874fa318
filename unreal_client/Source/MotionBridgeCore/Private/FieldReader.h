// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MessageFields.h"
#include "MotionBridgeCore/Msgpack.h"

namespace MotionBridge
{

/** Where a field stands, for error messages; only turned into text when there is one. */
struct FFieldPath
{
	const FFieldPath* Parent = nullptr;
	std::string_view Key;
	/** Position in a list; -1 for a key. */
	int64_t Index = -1;

	std::string ToText() const
	{
		const std::string Before = Parent ? Parent->ToText() : std::string();
		if (Index >= 0)
		{
			return Before + "[" + std::to_string(Index) + "]";
		}
		return Before.empty() ? std::string(Key) : Before + "." + std::string(Key);
	}
};

/** A text without the white space (as Unicode has it) at both ends. */
std::string_view Strip(std::string_view Text);

/**
 * Reads the fields of one map in a message without structural faults. Stops at the first field at fault, in the order
 * of the table, and describes it in Error.
 */
class FFieldReader
{
public:
	FFieldReader(FBytes InMessage, size_t InAt, uint32_t InCount, const FFieldPath* InParent, FProtocolError& InError)
		: Message(InMessage)
		, Begin(InAt)
		, Count(InCount)
		, Parent(InParent)
		, Error(InError)
	{}

	bool Failed() const { return Error.Code != EErrorCode::None; }

	/** The last value of a key, and where its contents begin. False when it is missing or nil, which are the same. */
	bool Find(std::string_view Key, FValue& Out, size_t& OutAt) const
	{
		FMsgpackCursor Cursor(Message, Begin);
		bool bFound = false;
		FValue Name;
		for (uint32_t Index = 0; Index < Count; ++Index)
		{
			Cursor.Read(Name);
			if (Name.Bytes.AsText() != Key)
			{
				Cursor.Skip();
				continue;
			}
			const size_t Start = Cursor.At();
			Cursor.Read(Out);
			OutAt = Cursor.At();
			bFound = Out.Kind != EValueKind::Nil;
			Cursor = FMsgpackCursor(Message, Start);
			Cursor.Skip();
		}
		return bFound;
	}

	template <class T, class TRule>
	void Required(std::string_view Key, T& Out, const TRule& Rule)
	{
		if (!Failed() && !ReadKey(Key, Out, Rule) && !Failed())
		{
			Fail(FFieldPath{Parent, Key}, "is required");
		}
	}

	template <class T, class TRule>
	void Default(std::string_view Key, T& Out, const TRule& Rule)
	{
		if (!Failed())
		{
			ReadKey(Key, Out, Rule);
		}
	}

	template <class T, class TRule>
	void Optional(std::string_view Key, std::optional<T>& Out, const TRule& Rule)
	{
		T Value{};
		if (!Failed() && ReadKey(Key, Value, Rule))
		{
			Out = std::move(Value);
		}
	}

	template <class TFindFault>
	void Check(std::string_view Key, TFindFault FindFault)
	{
		if (Failed())
		{
			return;
		}
		const std::string Fault = FindFault();
		if (!Fault.empty())
		{
			Fail(FFieldPath{Parent, Key}, Fault);
		}
	}

private:
	template <class T, class TRule>
	bool ReadKey(std::string_view Key, T& Out, const TRule& Rule)
	{
		FValue Value;
		size_t At = 0;
		if (!Find(Key, Value, At))
		{
			return false;
		}
		const FFieldPath Path{Parent, Key};
		FMsgpackCursor Rest(Message, At);
		return Convert(Value, Rest, Path, Out, Rule);
	}

	template <class TText>
	bool Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, TText& Out, const FTextRule& Rule)
	{
		if (Value.Kind != EValueKind::String)
		{
			return Fail(Path, "must be a string");
		}
		const std::string_view Text = Rule.bStrip ? Strip(Value.Bytes.AsText()) : Value.Bytes.AsText();
		const size_t Length = static_cast<size_t>(CountCodePoints(Text));
		if (Length < Rule.Min || Length > Rule.Max)
		{
			return Fail(Path,
				"must have " + std::to_string(Rule.Min) + " to " + std::to_string(Rule.Max) + " characters, has " +
					std::to_string(Length));
		}
		Out = Text;
		return true;
	}

	bool Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, double& Out, const FRealRule& Rule);
	bool Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, int64_t& Out, const FWholeRule& Rule);
	bool Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, bool& Out, FFlagRule);
	bool Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, FBytes& Out, FBinaryRule);

	template <class TEnum>
	bool Convert(const FValue& Value, FMsgpackCursor&, const FFieldPath& Path, TEnum& Out, const FChoiceRule& Rule)
	{
		std::string Names;
		for (int Index = 0; Index < Rule.Count; ++Index)
		{
			const TEnum Choice = static_cast<TEnum>(Index);
			if (Value.Kind == EValueKind::String && Value.Bytes.AsText() == ToText(Choice))
			{
				Out = Choice;
				return true;
			}
		}
		for (int Index = 0; Index < Rule.Count; ++Index)
		{
			Names += (Index ? ", " : "") + std::string(ToText(static_cast<TEnum>(Index)));
		}
		return Fail(Path, "must be one of " + Names);
	}

	template <class T>
	bool Convert(const FValue& Value, FMsgpackCursor& Rest, const FFieldPath& Path, T& Out, FMapRule)
	{
		if (Value.Kind != EValueKind::Map)
		{
			return Fail(Path, "must be a map");
		}
		FFieldReader Inner(Message, Rest.At(), Value.Count, &Path, Error);
		Describe(Inner, Out);
		return !Failed();
	}

	template <class T, class TItemRule>
	bool Convert(const FValue& Value, FMsgpackCursor& Rest, const FFieldPath& Path, std::vector<T>& Out,
		const TListRule<TItemRule>& Rule)
	{
		if (Value.Kind != EValueKind::Array)
		{
			return Fail(Path, "must be an array");
		}
		if (Value.Count < Rule.Min || Value.Count > Rule.Max)
		{
			return Fail(Path, "has " + std::to_string(Value.Count) + " entries, too few or too many");
		}
		Out.clear();
		Out.resize(Value.Count);
		return ConvertItems(Rest, Path, Out.data(), Value.Count, Rule.Item);
	}

	template <class T, size_t Size, class TItemRule>
	bool Convert(const FValue& Value, FMsgpackCursor& Rest, const FFieldPath& Path, std::array<T, Size>& Out,
		const TTupleRule<TItemRule>& Rule)
	{
		if (Value.Kind != EValueKind::Array || Value.Count > Size)
		{
			return Fail(Path, "must be an array of " + std::to_string(Size) + " entries");
		}
		if (!ConvertItems(Rest, Path, Out.data(), Value.Count, Rule.Item))
		{
			return false;
		}
		return Value.Count == Size || Fail(FFieldPath{&Path, {}, Value.Count}, "is required");
	}

	template <class T, class TRule>
	bool ConvertItems(FMsgpackCursor& Rest, const FFieldPath& Path, T* Out, uint32_t Items, const TRule& Rule)
	{
		for (uint32_t Index = 0; Index < Items; ++Index)
		{
			FMsgpackCursor Next = Rest;
			Next.Skip();
			FValue Item;
			Rest.Read(Item);
			if (!Convert(Item, Rest, FFieldPath{&Path, {}, Index}, Out[Index], Rule))
			{
				return false;
			}
			Rest = Next;
		}
		return true;
	}

	bool Fail(const FFieldPath& Path, std::string_view Why)
	{
		Error.Code = EErrorCode::InvalidField;
		Error.Field = Path.ToText();
		Error.Message = Error.Field + ": " + std::string(Why);
		return false;
	}

	FBytes Message;
	size_t Begin;
	uint32_t Count;
	const FFieldPath* Parent;
	FProtocolError& Error;
};

} // namespace MotionBridge
