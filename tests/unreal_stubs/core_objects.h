// Stub of the engine's CoreUObject. tests/conformance/unreal_stubs.py writes what Unreal's header tool would: Super, and nothing
// else.

#pragma once

#include "core_types.h"

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
