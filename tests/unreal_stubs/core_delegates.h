// Stub of the engine's Core: threads, shared pointers and delegates.

#pragma once

#include "core_types.h"

#include <memory>
#include <mutex>

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
