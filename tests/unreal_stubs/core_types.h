// Stub of the engine's Core: names of types, text and containers.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define MOTIONBRIDGE_API
#define WITH_DEV_AUTOMATION_TESTS 1
#define WITH_EDITOR 1
#define INDEX_NONE (-1)
#define TEXT_PASTE(Text) u##Text
#define TEXT(Text) TEXT_PASTE(Text)
#define UE_VERSION_OLDER_THAN(Major, Minor, Patch) (STUB_ENGINE_MINOR < (Minor))

using uint8 = uint8_t;
using uint16 = uint16_t;
using uint32 = uint32_t;
using uint64 = uint64_t;
using int32 = int32_t;
using int64 = int64_t;
using SIZE_T = size_t;
using TCHAR = char16_t;
using ANSICHAR = char;

template <class T>
constexpr std::remove_reference_t<T>&& MoveTemp(T&& Value)
{
	return static_cast<std::remove_reference_t<T>&&>(Value);
}

template <class T>
void Swap(T& A, T& B)
{
	std::swap(A, B);
}

// Strings ------------------------------------------------------------------------------------------------------------

inline std::u16string StubWiden(const char* Text, size_t Size)
{
	std::u16string Out;
	for (size_t At = 0; At < Size;)
	{
		const unsigned char Lead = static_cast<unsigned char>(Text[At]);
		const size_t Length = Lead < 0x80 ? 1 : Lead < 0xe0 ? 2 : Lead < 0xf0 ? 3 : 4;
		uint32_t Point = Length == 1 ? Lead : Lead & (0x7fu >> Length);
		for (size_t Index = 1; Index < Length && At + Index < Size; ++Index)
		{
			Point = Point << 6 | (static_cast<unsigned char>(Text[At + Index]) & 0x3fu);
		}
		At += Length;
		if (Point >= 0x10000)
		{
			Out += static_cast<char16_t>(0xd800 + ((Point - 0x10000) >> 10));
			Point = 0xdc00 + ((Point - 0x10000) & 0x3ff);
		}
		Out += static_cast<char16_t>(Point);
	}
	return Out;
}

inline std::string StubNarrow(const char16_t* Text, size_t Size)
{
	std::string Out;
	for (size_t At = 0; At < Size; ++At)
	{
		uint32_t Point = Text[At];
		if (Point >= 0xd800 && Point < 0xdc00 && At + 1 < Size)
		{
			Point = 0x10000 + ((Point - 0xd800) << 10) + (Text[++At] - 0xdc00u);
		}
		if (Point < 0x80)
		{
			Out += static_cast<char>(Point);
			continue;
		}
		const int Length = Point < 0x800 ? 2 : Point < 0x10000 ? 3 : 4;
		Out += static_cast<char>((0xf00 >> Length) | (Point >> (6 * (Length - 1))));
		for (int Left = Length - 2; Left >= 0; --Left)
		{
			Out += static_cast<char>(0x80 | (Point >> (6 * Left) & 0x3f));
		}
	}
	return Out;
}

class FUTF8ToTCHAR
{
public:
	FUTF8ToTCHAR(const ANSICHAR* Text, int32 Size)
		: Wide(StubWiden(Text, static_cast<size_t>(Size)))
	{}
	const TCHAR* Get() const { return Wide.c_str(); }
	int32 Length() const { return static_cast<int32>(Wide.size()); }

private:
	std::u16string Wide;
};

class FTCHARToUTF8
{
public:
	FTCHARToUTF8(const TCHAR* Text, int32 Size)
		: Narrow(StubNarrow(Text, static_cast<size_t>(Size)))
	{}
	const ANSICHAR* Get() const { return Narrow.c_str(); }
	int32 Length() const { return static_cast<int32>(Narrow.size()); }

private:
	std::string Narrow;
};

template <class T>
class TArray;

class FString
{
public:
	FString() = default;
	FString(const TCHAR* InText)
		: Text(InText)
	{}
	explicit FString(const ANSICHAR* InText)
		: Text(StubWiden(InText, std::char_traits<char>::length(InText)))
	{}
	static FString ConstructFromPtrSize(const TCHAR* InText, int32 Size)
	{
		FString Out;
		Out.Text.assign(InText, static_cast<size_t>(Size));
		return Out;
	}

	template <class... TArgs>
	static FString Printf(const TCHAR* Format, TArgs... Args);

	const TCHAR* operator*() const { return Text.c_str(); }
	int32 Len() const { return static_cast<int32>(Text.size()); }
	bool IsEmpty() const { return Text.empty(); }
	bool StartsWith(const TCHAR* Prefix) const { return Text.rfind(Prefix, 0) == 0; }
	FString RightChop(int32 Count) const { return FString(Text.substr(static_cast<size_t>(Count)).c_str()); }
	int32 ParseIntoArray(TArray<FString>& Out, const TCHAR* Delimiter) const;
	void TrimStartAndEndInline()
	{
		Text.erase(0, std::min(Text.find_first_not_of(u' '), Text.size()));
		Text.erase(Text.find_last_not_of(u' ') + 1);
	}

	FString& operator+=(const FString& Other)
	{
		Text += Other.Text;
		return *this;
	}
	friend FString operator+(FString A, const FString& B) { return A += B; }
	friend FString operator+(const TCHAR* A, const FString& B) { return FString(A) += B; }
	friend bool operator==(const FString& A, const FString& B) { return A.Text == B.Text; }
	friend bool operator==(const FString& A, const TCHAR* B) { return A.Text == B; }
	friend bool operator<(const FString& A, const FString& B) { return A.Text < B.Text; }

private:
	std::u16string Text;
};

class FName
{
public:
	FName() = default;
	explicit FName(const TCHAR* InText)
		: Text(InText)
	{}
	FString ToString() const { return Text; }
	friend bool operator==(const FName& A, const FName& B) { return A.Text == B.Text; }

private:
	FString Text;
};

class FText
{
public:
	static FText FromString(const FString& In)
	{
		FText Out;
		Out.Text = In;
		return Out;
	}
	static FText GetEmpty() { return FText(); }
	const FString& ToString() const { return Text; }

private:
	FString Text;
};

#define LOCTEXT(Key, Literal) FText::FromString(FString(Literal))

// Containers ---------------------------------------------------------------------------------------------------------

template <class T>
class TArray
{
public:
	TArray() = default;
	TArray(std::initializer_list<T> In)
		: Items(In)
	{}

	int32 Num() const { return static_cast<int32>(Items.size()); }
	bool IsEmpty() const { return Items.empty(); }
	T* GetData() { return Items.data(); }
	const T* GetData() const { return Items.data(); }
	T& operator[](int32 Index) { return Items.at(static_cast<size_t>(Index)); }
	const T& operator[](int32 Index) const { return Items.at(static_cast<size_t>(Index)); }
	T& Last() { return Items.back(); }
	int32 Add(T Item)
	{
		Items.push_back(std::move(Item));
		return Num() - 1;
	}
	void Append(const T* From, int32 Count) { Items.insert(Items.end(), From, From + Count); }
	void Init(const T& Item, int32 Count) { Items.assign(static_cast<size_t>(Count), Item); }
	void Reserve(int32 Count) { Items.reserve(static_cast<size_t>(Count)); }
	void Empty() { decltype(Items)().swap(Items); }
	void Reset() { Items.clear(); }
	bool Contains(const T& Item) const { return IndexOfByKey(Item) != INDEX_NONE; }
	int32 IndexOfByKey(const T& Item) const
	{
		const auto Found = std::find(Items.begin(), Items.end(), Item);
		return Found == Items.end() ? INDEX_NONE : static_cast<int32>(Found - Items.begin());
	}
	template <class TPredicate>
	T* FindByPredicate(TPredicate Predicate)
	{
		const auto Found = std::find_if(Items.begin(), Items.end(), Predicate);
		return Found == Items.end() ? nullptr : &*Found;
	}
	template <class TPredicate>
	int32 RemoveAll(TPredicate Predicate)
	{
		const int32 Before = Num();
		Items.erase(std::remove_if(Items.begin(), Items.end(), Predicate), Items.end());
		return Before - Num();
	}
	auto begin() { return Items.begin(); }
	auto end() { return Items.end(); }
	auto begin() const { return Items.begin(); }
	auto end() const { return Items.end(); }
	friend bool operator==(const TArray& A, const TArray& B) { return A.Items == B.Items; }

private:
	/** std::vector<bool> packs its items; the engine's array does not. */
	struct FBoolean
	{
		bool bValue;
		FBoolean(bool bIn)
			: bValue(bIn)
		{}
		operator bool&() { return bValue; }
		operator const bool&() const { return bValue; }
	};
	std::vector<std::conditional_t<std::is_same_v<T, bool>, FBoolean, T>> Items;
};

inline int32 FString::ParseIntoArray(TArray<FString>& Out, const TCHAR* Delimiter) const
{
	size_t At = 0;
	while (At < Text.size())
	{
		const size_t End = std::min(Text.find(Delimiter, At), Text.size());
		if (End > At)
		{
			Out.Add(FString(Text.substr(At, End - At).c_str()));
		}
		At = End + 1;
	}
	return Out.Num();
}

template <class TKey, class TValue>
class TMap
{
public:
	TValue* Find(const TKey& Key)
	{
		const auto Found = Items.find(Key);
		return Found == Items.end() ? nullptr : &Found->second;
	}
	void Add(const TKey& Key, TValue Value) { Items[Key] = std::move(Value); }
	void Empty() { Items.clear(); }

private:
	std::map<TKey, TValue> Items;
};

template <class T>
using TFunction = std::function<T>;
