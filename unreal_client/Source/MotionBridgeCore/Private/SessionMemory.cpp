// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/SessionMemory.h"

#include <algorithm>

namespace MotionBridge
{

namespace
{

/** A way-point counts as reached from nearer than this; SPEC.md, `steer`. */
constexpr double CaptureMetres = 0.5;
/** One that plays, and those that may wait. */
constexpr size_t MaxPrompts = Limits::MaxQueuedPrompts + 1;

constexpr std::string_view IdleId = "restored-idle";
constexpr std::string_view IdleText = "a person stands still";

} // namespace

void FPath::PassAt(const FPlace& Place)
{
	while (HasWaypoints())
	{
		const std::array<double, 2>& Next = (*Steer.Waypoints)[Passed];
		if (std::hypot(Next[0] - Place.Point.X, Next[1] - Place.Point.Z) >= CaptureMetres)
		{
			return;
		}
		++Passed;
	}
}

FPath FPath::Moved(const FPlace& From, const FPlace& To) const
{
	FPath Out;
	Out.Steer.Character = Steer.Character;
	Out.Steer.Heading = Steer.Heading;
	Out.Steer.Speed = Steer.Speed;
	if (HasWaypoints())
	{
		Out.Steer.Waypoints.emplace();
		for (size_t Index = Passed; Index < Steer.Waypoints->size(); ++Index)
		{
			const std::array<double, 2>& Old = (*Steer.Waypoints)[Index];
			Out.Steer.Waypoints->push_back({Old[0] + To.Point.X - From.Point.X, Old[1] + To.Point.Z - From.Point.Z});
		}
	}
	return Out;
}

void FSessionMemory::Sent(const FClientMessage& Message)
{
	if (const FPrompt* Prompt = std::get_if<FPrompt>(&Message))
	{
		Ask(*Prompt, {});
	}
	else if (const FTimeline* Timeline = std::get_if<FTimeline>(&Message))
	{
		// Queued one after the other, single prompts make the same timeline.
		EMode Mode = Timeline->Mode;
		for (const FTimelinePrompt& Entry : Timeline->Prompts)
		{
			Ask({Timeline->Character, Entry.Id, Entry.Text, Entry.Seconds, Entry.Seed, Entry.Guidance, Mode,
					Timeline->OnEnd},
				Timeline->Id.value_or(std::string()));
			Mode = EMode::Queue;
		}
	}
	else if (const FSteer* Steer = std::get_if<FSteer>(&Message))
	{
		FCharacter& Character = Get(Steer->Character);
		Character.Path = {*Steer, 0};
		Character.bPathDue = false;
	}
	else if (const FControl* Control = std::get_if<FControl>(&Message))
	{
		FCharacter& Character = Get(Control->Character);
		switch (Control->Action)
		{
			case EAction::Pause:
			case EAction::Resume:
				Character.bPaused = Control->Action == EAction::Pause;
				break;
			case EAction::RootMotionOn:
			case EAction::RootMotionOff:
				Character.bStaysInPlace = Control->Action == EAction::RootMotionOff;
				break;
			case EAction::Stop:
				Character.bHoldsAtEnd = false;
				break;
			case EAction::Remove:
				Forget(Control->Character);
				break;
		}
	}
}

void FSessionMemory::Ask(const FPrompt& Prompt, std::string_view Group)
{
	FCharacter& Character = Get(Prompt.Character);
	Character.bHoldsAtEnd = Prompt.OnEnd == EOnEnd::Hold;
	if (Character.Prompts.size() >= MaxPrompts)
	{
		Character.Prompts.erase(Character.Prompts.begin());
	}
	Character.Prompts.push_back({Prompt, std::string(Group)});
}

void FSessionMemory::Take(const FPromptStatus& Message)
{
	FCharacter* Character = Find(Message.Character);
	if (!Character)
	{
		return;
	}
	Character->bMade = true;
	const auto Asked = std::find_if(Character->Prompts.begin(), Character->Prompts.end(),
		[&Message](const FAsked& Each) { return Each.Prompt.Id == Message.Id; });
	if (Asked == Character->Prompts.end())
	{
		return;
	}
	Asked->bAnswered = true;
	if (Message.Status != EStatus::Accepted && Message.Status != EStatus::Started)
	{
		Character->Prompts.erase(Asked);
	}
}

bool FSessionMemory::Take(const FErrorMessage& Message)
{
	if (Message.Code == "unknown_character" && Message.Character)
	{
		const FCharacter* Character = Find(*Message.Character);
		if (Character && !Character->bMade && Character->Prompts.empty())
		{
			Forget(*Message.Character);
		}
		return true;
	}
	if (!Message.Id)
	{
		return true;
	}
	bool bNews = true;
	for (FCharacter& Character : Characters)
	{
		for (size_t Index = Character.Prompts.size(); Index-- > 0;)
		{
			FAsked& Asked = Character.Prompts[Index];
			if (Asked.bAnswered || (Asked.Prompt.Id != *Message.Id && Asked.Group != *Message.Id))
			{
				continue;
			}
			if (Asked.bSentAgain && Message.Code == "duplicate_id")
			{
				Asked.bAnswered = true;
				bNews = false;
			}
			else
			{
				Character.Prompts.erase(Character.Prompts.begin() + static_cast<std::ptrdiff_t>(Index));
			}
		}
	}
	return bNews;
}

std::vector<FClientMessage> FSessionMemory::Unanswered()
{
	std::vector<FClientMessage> Out;
	for (FCharacter& Character : Characters)
	{
		for (FAsked& Asked : Character.Prompts)
		{
			if (!Asked.bAnswered)
			{
				Asked.bSentAgain = true;
				Out.push_back(Asked.Prompt);
			}
		}
	}
	return Out;
}

std::vector<FClientMessage> FSessionMemory::BeginAnew()
{
	std::vector<FClientMessage> Out;
	for (FCharacter& Character : Characters)
	{
		EMode Mode = EMode::Replace;
		for (FAsked& Asked : Character.Prompts)
		{
			Asked.Prompt.Mode = Mode;
			Asked.bAnswered = false;
			Asked.bSentAgain = true;
			Out.push_back(Asked.Prompt);
			Mode = EMode::Queue;
		}
		if (Character.Prompts.empty() && Character.bMade && !Character.bHoldsAtEnd)
		{
			// It had nothing left to do and stood idle. A prompt makes it again, and stopping that makes it idle.
			FPrompt Idle;
			Idle.Character = Character.Name;
			Idle.Id = std::string(IdleId) + std::to_string(Out.size());
			Idle.Text = IdleText;
			FControl Stop;
			Stop.Character = Character.Name;
			Stop.Action = EAction::Stop;
			Out.push_back(Idle);
			Out.push_back(Stop);
		}
		Character.bControlsDue = Character.bPaused || Character.bStaysInPlace;
		Character.bPathDue = Character.Path.IsAny();
	}
	return Out;
}

void FSessionMemory::Leave(std::string_view Character, const FPlace& Place)
{
	if (FCharacter* Known = Find(Character))
	{
		Known->Left = Place;
	}
}

std::vector<FClientMessage> FSessionMemory::ControlsDue(std::string_view Character)
{
	std::vector<FClientMessage> Out;
	FCharacter* Known = Find(Character);
	if (!Known || !Known->bControlsDue)
	{
		return Out;
	}
	Known->bControlsDue = false;
	FControl Control;
	Control.Character = Known->Name;
	for (const auto& [bDue, Action] :
		{std::pair(Known->bStaysInPlace, EAction::RootMotionOff), std::pair(Known->bPaused, EAction::Pause)})
	{
		if (bDue)
		{
			Control.Action = Action;
			Out.push_back(Control);
		}
	}
	return Out;
}

bool FSessionMemory::NeedsPlace(std::string_view Character) const
{
	const FCharacter* Known = Find(Character);
	return Known && (Known->bPathDue || Known->Path.HasWaypoints());
}

std::optional<FSteer> FSessionMemory::PassAt(std::string_view Character, const FPlace& Place)
{
	FCharacter* Known = Find(Character);
	if (!Known)
	{
		return std::nullopt;
	}
	if (!Known->bPathDue)
	{
		Known->Path.PassAt(Place);
		return std::nullopt;
	}
	Known->bPathDue = false;
	Known->Path = Known->Path.Moved(Known->Left, Place);
	return Known->Path.Steer;
}

bool FSessionMemory::IsPaused(std::string_view Character) const
{
	const FCharacter* Known = Find(Character);
	return Known && Known->bPaused;
}

FSessionMemory::FCharacter* FSessionMemory::Find(std::string_view Character)
{
	return const_cast<FCharacter*>(static_cast<const FSessionMemory*>(this)->Find(Character));
}

const FSessionMemory::FCharacter* FSessionMemory::Find(std::string_view Character) const
{
	const auto Found = std::find_if(
		Characters.begin(), Characters.end(), [Character](const FCharacter& Each) { return Each.Name == Character; });
	return Found == Characters.end() ? nullptr : &*Found;
}

FSessionMemory::FCharacter& FSessionMemory::Get(std::string_view Character)
{
	if (FCharacter* Known = Find(Character))
	{
		return *Known;
	}
	// More are never on a server; the one asked for longest ago is the least likely to be.
	if (Characters.size() >= static_cast<size_t>(Limits::MaxCharacters))
	{
		Characters.erase(Characters.begin());
	}
	Characters.emplace_back();
	Characters.back().Name = Character;
	return Characters.back();
}

void FSessionMemory::Forget(std::string_view Character)
{
	Characters.erase(std::remove_if(Characters.begin(), Characters.end(),
						 [Character](const FCharacter& Each) { return Each.Name == Character; }),
		Characters.end());
}

} // namespace MotionBridge
