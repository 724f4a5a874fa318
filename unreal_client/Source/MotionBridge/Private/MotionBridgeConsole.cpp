// Copyright MotionBridge contributors. MIT licence.

#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "HAL/IConsoleManager.h"
#include "MotionBridgeSubsystem.h"

namespace
{

constexpr const TCHAR* Usage = TEXT("MotionBridge.Prompt [-character=NAME] [-queue] WORDS...: sends a sentence");

void RunPrompt(const TArray<FString>& Args, UWorld* World)
{
	UGameInstance* Game = World ? World->GetGameInstance() : nullptr;
	UMotionBridgeSubsystem* Subsystem = Game ? Game->GetSubsystem<UMotionBridgeSubsystem>() : nullptr;
	FString Character = TEXT("main");
	FString Text;
	bool bQueue = false;
	for (const FString& Arg : Args)
	{
		if (Arg.StartsWith(TEXT("-character=")))
		{
			Character = Arg.RightChop(11);
		}
		else if (Arg == TEXT("-queue"))
		{
			bQueue = true;
		}
		else
		{
			Text += (Text.IsEmpty() ? TEXT("") : TEXT(" ")) + Arg;
		}
	}
	if (!Subsystem || Text.IsEmpty())
	{
		UE_LOG(
			LogMotionBridge, Display, TEXT("%s"), Subsystem ? Usage : TEXT("MotionBridge.Prompt needs a running game"));
		return;
	}
	if (!Subsystem->GetClient().IsValid())
	{
		Subsystem->Connect(FMotionBridgeConnectionSettings());
	}
	const FString Id = bQueue ? Subsystem->QueuePrompt(Character, Text, FMotionBridgePromptOptions())
							  : Subsystem->SendPrompt(Character, Text, FMotionBridgePromptOptions());
	UE_LOG(LogMotionBridge, Display, TEXT("prompt %s for %s: %s"), *Id, *Character, *Text);
}

FAutoConsoleCommandWithWorldAndArgs PromptCommand(
	TEXT("MotionBridge.Prompt"), Usage, FConsoleCommandWithWorldAndArgsDelegate::CreateStatic(&RunPrompt));

} // namespace
