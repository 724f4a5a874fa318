// Stub of the engine's Core and CoreUObject: exactly what the plugin uses, written from the public API documentation.
// It proves the plugin against our reading of that documentation, not against the engine.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
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

// Formatting, logging, maths -----------------------------------------------------------------------------------------

inline std::string StubArgument(const TCHAR* Text)
{
	return StubNarrow(Text, std::char_traits<char16_t>::length(Text));
}
inline std::string StubArgument(double Value)
{
	return std::to_string(Value);
}
inline std::string StubArgument(int Value)
{
	return std::to_string(Value);
}

template <class... TArgs>
FString FString::Printf(const TCHAR* Format, TArgs... Args)
{
	const std::string Texts[] = {StubArgument(Args)...};
	std::string Out;
	size_t Next = 0;
	for (const TCHAR* At = Format; *At; ++At)
	{
		if (*At == u'%')
		{
			Out += Texts[Next++];
			++At;
		}
		else
		{
			Out += static_cast<char>(*At);
		}
	}
	return FString(Out.c_str());
}

#define DECLARE_LOG_CATEGORY_EXTERN(Name, Default, All) extern int Stub##Name
#define DEFINE_LOG_CATEGORY(Name) int Stub##Name = 0
#define UE_LOG(Category, Verbosity, Format, ...)    \
	do                                              \
	{                                               \
		(void)Stub##Category;                       \
		(void)FString::Printf(Format, __VA_ARGS__); \
	} while (false)

struct FVector
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;
	FVector() = default;
	FVector(double InX, double InY, double InZ)
		: X(InX)
		, Y(InY)
		, Z(InZ)
	{}
	static const FVector ZeroVector;
	FVector operator-(const FVector& B) const { return {X - B.X, Y - B.Y, Z - B.Z}; }
	FVector operator+(const FVector& B) const { return {X + B.X, Y + B.Y, Z + B.Z}; }
	FVector operator*(double Scale) const { return {X * Scale, Y * Scale, Z * Scale}; }
	FVector operator*(const FVector& B) const { return {X * B.X, Y * B.Y, Z * B.Z}; }
	bool Equals(const FVector& B, double Tolerance) const
	{
		return std::fabs(X - B.X) < Tolerance && std::fabs(Y - B.Y) < Tolerance && std::fabs(Z - B.Z) < Tolerance;
	}
};
inline const FVector FVector::ZeroVector;

struct FQuat
{
	double X = 0.0;
	double Y = 0.0;
	double Z = 0.0;
	double W = 1.0;
	FQuat() = default;
	FQuat(double InX, double InY, double InZ, double InW)
		: X(InX)
		, Y(InY)
		, Z(InZ)
		, W(InW)
	{}
	static const FQuat Identity;
	FQuat operator*(const FQuat& B) const
	{
		return {W * B.X + X * B.W + Y * B.Z - Z * B.Y, W * B.Y - X * B.Z + Y * B.W + Z * B.X,
			W * B.Z + X * B.Y - Y * B.X + Z * B.W, W * B.W - X * B.X - Y * B.Y - Z * B.Z};
	}
	FQuat Inverse() const { return {-X, -Y, -Z, W}; }
	FVector RotateVector(const FVector& V) const
	{
		const FQuat Turned = *this * FQuat(V.X, V.Y, V.Z, 0.0) * Inverse();
		return {Turned.X, Turned.Y, Turned.Z};
	}
	FVector UnrotateVector(const FVector& V) const { return Inverse().RotateVector(V); }
};
inline const FQuat FQuat::Identity;

/** A * B: first A, then B. */
struct FTransform
{
	FTransform() = default;
	FTransform(const FQuat& InRotation, const FVector& InTranslation)
		: Rotation(InRotation)
		, Translation(InTranslation)
	{}
	static const FTransform Identity;
	FQuat GetRotation() const { return Rotation; }
	FVector GetTranslation() const { return Translation; }
	void SetRotation(const FQuat& In) { Rotation = In; }
	void SetTranslation(const FVector& In) { Translation = In; }
	FTransform operator*(const FTransform& B) const
	{
		return {B.Rotation * Rotation, B.Rotation.RotateVector(Translation * B.Scale) + B.Translation};
	}
	FVector InverseTransformPosition(const FVector& V) const { return Rotation.UnrotateVector(V - Translation); }
	FVector TransformVector(const FVector& V) const { return Rotation.RotateVector(V * Scale); }
	FVector TransformVectorNoScale(const FVector& V) const { return Rotation.RotateVector(V); }
	FVector InverseTransformVector(const FVector& V) const
	{
		const FVector Turned = Rotation.UnrotateVector(V);
		return {Turned.X / Scale.X, Turned.Y / Scale.Y, Turned.Z / Scale.Z};
	}
	void SetScale3D(const FVector& In) { Scale = In; }

private:
	FQuat Rotation;
	FVector Translation;
	FVector Scale{1.0, 1.0, 1.0};
};
inline const FTransform FTransform::Identity;

struct FMath
{
	template <class T>
	static T Clamp(T Value, T Low, T High)
	{
		return std::min(std::max(Value, Low), High);
	}
	static double DegreesToRadians(double Degrees) { return Degrees * 3.141592653589793 / 180.0; }
};

struct FPlatformTime
{
	static double Seconds();
	static uint64 Cycles64() { return 12345; }
};

struct FGuid
{};

struct FParse
{
	/** Of a quoted value all between the quotes; bShouldStopOnSeparator is about unquoted ones. */
	static bool Value(const TCHAR* Stream, const TCHAR* Match, FString& Out, bool = true)
	{
		const std::u16string All(Stream);
		const size_t At = All.find(Match);
		if (At == std::u16string::npos)
		{
			return false;
		}
		size_t Start = At + std::char_traits<char16_t>::length(Match);
		const bool bQuoted = Start < All.size() && All[Start] == u'"';
		Start += bQuoted ? 1 : 0;
		Out = FString(All.substr(Start, std::min(All.find(bQuoted ? u'"' : u' ', Start), All.size()) - Start).c_str());
		return true;
	}
	static bool Value(const TCHAR* Stream, const TCHAR* Match, float& Out)
	{
		FString Text;
		const bool bFound = Value(Stream, Match, Text);
		Out = bFound ? std::strtof(StubArgument(*Text).c_str(), nullptr) : Out;
		return bFound;
	}
	static bool Value(const TCHAR* Stream, const TCHAR* Match, int32& Out)
	{
		FString Text;
		const bool bFound = Value(Stream, Match, Text);
		Out = bFound ? std::atoi(StubArgument(*Text).c_str()) : Out;
		return bFound;
	}
};

// Threads ------------------------------------------------------------------------------------------------------------

using FCriticalSection = std::mutex;

class FScopeLock
{
public:
	explicit FScopeLock(FCriticalSection* In)
		: Lock(*In)
	{}

private:
	std::lock_guard<std::mutex> Lock;
};

// Shared pointers ----------------------------------------------------------------------------------------------------

enum class ESPMode
{
	NotThreadSafe,
	ThreadSafe
};

template <class T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedRef;

template <class T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedPtr
{
public:
	TSharedPtr() = default;
	TSharedPtr(std::nullptr_t) {}
	explicit TSharedPtr(std::shared_ptr<T> In)
		: Held(std::move(In))
	{}
	template <class TOther, class = std::enable_if_t<std::is_convertible_v<TOther*, T*>>>
	TSharedPtr(const TSharedPtr<TOther, Mode>& Other)
		: Held(Other.Held)
	{}
	template <class TOther, class = std::enable_if_t<std::is_convertible_v<TOther*, T*>>>
	TSharedPtr(const TSharedRef<TOther, Mode>& Other)
		: Held(Other.Held)
	{}
	bool IsValid() const { return Held != nullptr; }
	explicit operator bool() const { return IsValid(); }
	T* Get() const { return Held.get(); }
	T* operator->() const { return Held.get(); }
	T& operator*() const { return *Held; }
	void Reset() { Held.reset(); }
	TSharedRef<T, Mode> ToSharedRef() const { return TSharedRef<T, Mode>(Held); }
	friend bool operator==(const TSharedPtr& A, const TSharedPtr& B) { return A.Held == B.Held; }

	std::shared_ptr<T> Held;
};

template <class T, ESPMode Mode>
class TSharedRef
{
public:
	explicit TSharedRef(std::shared_ptr<T> In)
		: Held(std::move(In))
	{}
	template <class TOther, class = std::enable_if_t<std::is_convertible_v<TOther*, T*>>>
	TSharedRef(const TSharedRef<TOther, Mode>& Other)
		: Held(Other.Held)
	{}
	T* operator->() const { return Held.get(); }
	T& operator*() const { return *Held; }
	T& Get() const { return *Held; }

	std::shared_ptr<T> Held;
};

template <class T, ESPMode Mode = ESPMode::ThreadSafe>
class TWeakPtr
{
public:
	TWeakPtr() = default;
	TWeakPtr(const TSharedRef<T, Mode>& In)
		: Held(In.Held)
	{}
	TSharedPtr<T, Mode> Pin() const { return TSharedPtr<T, Mode>(Held.lock()); }

private:
	std::weak_ptr<T> Held;
};

template <class T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedFromThis : public std::enable_shared_from_this<T>
{
public:
	TSharedRef<T, Mode> AsShared() { return TSharedRef<T, Mode>(this->shared_from_this()); }
};

template <class T, ESPMode Mode = ESPMode::ThreadSafe, class... TArgs>
TSharedRef<T, Mode> MakeShared(TArgs&&... Args)
{
	return TSharedRef<T, Mode>(std::make_shared<T>(std::forward<TArgs>(Args)...));
}

template <class T>
struct TStubRaw
{
	T* Object;
	template <ESPMode Mode>
	operator TSharedRef<T, Mode>() const
	{
		return TSharedRef<T, Mode>(std::shared_ptr<T>(Object));
	}
};

template <class T>
TStubRaw<T> MakeShareable(T* Object)
{
	return {Object};
}

// Delegates ----------------------------------------------------------------------------------------------------------

struct FDelegateHandle
{
	int Id = 0;
};

template <class... TArgs>
class TStubMulticast
{
public:
	template <class TLambda>
	FDelegateHandle AddLambda(TLambda Lambda)
	{
		Handlers.push_back({++Last, Lambda});
		return {Last};
	}
	template <class T>
	FDelegateHandle AddRaw(T* Object, void (T::*Method)(TArgs...))
	{
		return AddLambda([Object, Method](TArgs... Args) { (Object->*Method)(Args...); });
	}
	template <class T, class... TOther>
	FDelegateHandle AddRaw(T* Object, void (T::*Method)(TOther...))
	{
		return AddLambda([Object, Method](TArgs... Args) { (Object->*Method)(Args...); });
	}
	void Remove(FDelegateHandle Handle)
	{
		Handlers.erase(std::remove_if(Handlers.begin(), Handlers.end(),
						   [Handle](const FHandler& Handler) { return Handler.Id == Handle.Id; }),
			Handlers.end());
	}
	void Clear() { Handlers.clear(); }
	void Broadcast(TArgs... Args) const
	{
		const std::vector<FHandler> Now = Handlers;
		for (const FHandler& Handler : Now)
		{
			Handler.Call(Args...);
		}
	}

private:
	struct FHandler
	{
		int Id;
		std::function<void(TArgs...)> Call;
	};
	std::vector<FHandler> Handlers;
	int Last = 0;
};

template <class... TArgs>
class TStubDelegate
{
public:
	template <class TLambda>
	static TStubDelegate CreateLambda(TLambda Lambda)
	{
		TStubDelegate Out;
		Out.Call = Lambda;
		return Out;
	}
	static TStubDelegate CreateStatic(void (*Function)(TArgs...)) { return CreateLambda(Function); }
	bool ExecuteIfBound(TArgs... Args) const
	{
		if (Call)
		{
			Call(Args...);
		}
		return Call != nullptr;
	}

private:
	std::function<void(TArgs...)> Call;
};

#define DECLARE_MULTICAST_DELEGATE_OneParam(Name, A) using Name = TStubMulticast<A>
#define DECLARE_MULTICAST_DELEGATE_TwoParams(Name, A, B) using Name = TStubMulticast<A, B>
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(Name, A, NameA) using Name = TStubMulticast<A>
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(Name, A, NameA, B, NameB) using Name = TStubMulticast<A, B>

class FTickerDelegate
{
public:
	template <class TLambda>
	static FTickerDelegate CreateLambda(TLambda Lambda)
	{
		FTickerDelegate Out;
		Out.Call = Lambda;
		return Out;
	}
	std::function<bool(float)> Call;
};

class FTSTicker
{
public:
	using FDelegateHandle = int;
	static FTSTicker& GetCoreTicker()
	{
		static FTSTicker Ticker;
		return Ticker;
	}
	FDelegateHandle AddTicker(const FTickerDelegate& Delegate, float = 0.0f)
	{
		Tickers[++Last] = Delegate.Call;
		return Last;
	}
	void RemoveTicker(FDelegateHandle Handle) { Tickers.erase(Handle); }
	void Tick(float DeltaTime)
	{
		const std::map<int, std::function<bool(float)>> Now = Tickers;
		for (const auto& [Handle, Call] : Now)
		{
			if (!Call(DeltaTime))
			{
				Tickers.erase(Handle);
			}
		}
	}
	size_t Num() const { return Tickers.size(); }

private:
	std::map<int, std::function<bool(float)>> Tickers;
	int Last = 0;
};

// Modules, console, tests --------------------------------------------------------------------------------------------

class IModuleInterface
{
public:
	virtual ~IModuleInterface() = default;
	virtual void StartupModule() {}
	virtual void ShutdownModule() {}
};

class FDefaultModuleImpl : public IModuleInterface
{};

class FModuleManager
{
public:
	template <class T>
	static T& LoadModuleChecked(const TCHAR*)
	{
		static T Module;
		return Module;
	}
	template <class T>
	static T* GetModulePtr(const TCHAR* Name)
	{
		return &LoadModuleChecked<T>(Name);
	}
};

#define IMPLEMENT_MODULE(Class, Name) static_assert(std::is_base_of_v<IModuleInterface, Class>);

class UWorld;
using FConsoleCommandWithWorldAndArgsDelegate = TStubDelegate<const TArray<FString>&, UWorld*>;

class FAutoConsoleCommandWithWorldAndArgs
{
public:
	FAutoConsoleCommandWithWorldAndArgs(
		const TCHAR*, const TCHAR*, const FConsoleCommandWithWorldAndArgsDelegate& InCommand)
		: Command(InCommand)
	{}

private:
	FConsoleCommandWithWorldAndArgsDelegate Command;
};

#if STUB_ENGINE_MINOR < 5
struct EAutomationTestFlags
{
	static constexpr uint32 ApplicationContextMask = 15;
	static constexpr uint32 EngineFilter = 32;
};
using FStubTestFlags = uint32;
#else
enum class EAutomationTestFlags : uint32
{
	ApplicationContext = 15,
	EngineFilter = 32
};
constexpr EAutomationTestFlags EAutomationTestFlags_ApplicationContextMask = EAutomationTestFlags::ApplicationContext;
constexpr EAutomationTestFlags operator|(EAutomationTestFlags A, EAutomationTestFlags B)
{
	return static_cast<EAutomationTestFlags>(static_cast<uint32>(A) | static_cast<uint32>(B));
}
using FStubTestFlags = EAutomationTestFlags;
#endif

class FAutomationTestBase
{
public:
	virtual ~FAutomationTestBase() = default;
	virtual bool RunTest(const FString& Parameters) = 0;
	template <class T>
	void TestEqual(const TCHAR* What, const T& Got, const T& Wanted)
	{
		TestTrue(What, Got == Wanted);
	}
	void TestTrue(const TCHAR* What, bool bGot)
	{
		if (!bGot)
		{
			Failed.push_back(StubArgument(What));
		}
	}
	void TestFalse(const TCHAR* What, bool bGot) { TestTrue(What, !bGot); }

	std::vector<std::string> Failed;
};

/** Every test of the program, by name. */
inline std::map<std::string, FAutomationTestBase*>& StubTests()
{
	static std::map<std::string, FAutomationTestBase*> Tests;
	return Tests;
}

#define IMPLEMENT_SIMPLE_AUTOMATION_TEST(Class, Name, Flags)      \
	class Class : public FAutomationTestBase                      \
	{                                                             \
	public:                                                       \
		Class() { StubTests()[Name] = this; }                     \
		static constexpr FStubTestFlags StubFlags = Flags;        \
		virtual bool RunTest(const FString& Parameters) override; \
	};                                                            \
	static Class Stub##Class;

// Objects. tests/conformance/unreal_stubs.py writes what Unreal's header tool would: Super, and nothing else. ---------

#define STUB_JOIN_INNER(A, B, C, D) A##B##C##D
#define STUB_JOIN(A, B, C, D) STUB_JOIN_INNER(A, B, C, D)
#define GENERATED_BODY() STUB_JOIN(CURRENT_FILE_ID, _, __LINE__, _GENERATED_BODY)
#define UCLASS(...)
#define USTRUCT(...)
#define UENUM(...)
#define UPROPERTY(...)
#define UFUNCTION(...)

class UObject
{
public:
	virtual ~UObject() = default;
	FString GetName() const { return FString(TEXT("object")); }
};

class UClass : public UObject
{};

template <class T>
using TSubclassOf = UClass*;

template <class T>
using TObjectPtr = T*;

inline bool IsValid(const UObject* Object)
{
	return Object != nullptr;
}

template <class T>
class TWeakObjectPtr
{
public:
	explicit TWeakObjectPtr(T* In)
		: Object(In)
	{}
	T* Get() const { return Object; }

private:
	T* Object;
};
