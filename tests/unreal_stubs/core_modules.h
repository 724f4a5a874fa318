// Stub of the engine's Core: modules, console commands and automated tests.

#pragma once

#include "core_delegates.h"
#include "core_maths.h"

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
