// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/Messages.h"
#include "MotionBridgeCore/Place.h"

namespace MotionBridge
{

/** A path that a character was asked to take, in the axes of its stream. */
struct FPath
{
	FSteer Steer;
	/** Way-points that have been reached. */
	size_t Passed = 0;

	/** Whether it asks for anything; a `steer` without wishes lets go. */
	bool IsAny() const { return Steer.Heading || Steer.Speed || HasWaypoints(); }
	bool HasWaypoints() const { return Steer.Waypoints && Passed < Steer.Waypoints->size(); }

	/** The character is at a place now: what it has reached need not be asked for again. */
	void PassAt(const FPlace& Place);

	/**
	 * The rest of the path for a character that a new timeline puts at To, where the one before left it at From.
	 * Headings stay: the axes of a stream are those of a mesh, and a new timeline does not turn the mesh.
	 */
	FPath Moved(const FPlace& From, const FPlace& To) const;
};

/**
 * What has been asked of the characters of a session and is not over: prompts, steering, root motion, pause. A session
 * begun anew knows nothing of it, and is told again. Bounded by the characters and prompts that a server takes.
 */
class MOTIONBRIDGECORE_API FSessionMemory
{
public:
	/** The session has been sent a message. */
	void Sent(const FClientMessage& Message);

	void Take(const FPromptStatus& Message);

	/**
	 * Forgets what was refused. False when the error is no news to the user: a prompt that was sent again had arrived
	 * the first time.
	 */
	bool Take(const FErrorMessage& Message);

	/** The session goes on in another connection: the prompts that may never have arrived. */
	std::vector<FClientMessage> Unanswered();

	/** The session is lost: what another one is to be told at once, in order. The rest follows with its characters. */
	std::vector<FClientMessage> BeginAnew();

	/** A character's timeline was left at a place of its axes. */
	void Leave(std::string_view Character, const FPlace& Place);

	/** A character has been made: what else its new timeline is to be told, once. */
	std::vector<FClientMessage> ControlsDue(std::string_view Character);

	/** Whether a character's place matters: for steering that is due, or for way-points that it may reach. */
	bool NeedsPlace(std::string_view Character) const;

	/** A character stands at a place now. Its `steer`, when that is due. */
	std::optional<FSteer> PassAt(std::string_view Character, const FPlace& Place);

	bool IsPaused(std::string_view Character) const;

	void Clear() { Characters.clear(); }

private:
	struct FAsked
	{
		FPrompt Prompt;
		/** Id of its timeline; empty for a single prompt. */
		std::string Group;
		bool bAnswered = false;
		bool bSentAgain = false;
	};

	struct FCharacter
	{
		std::string Name;
		std::vector<FAsked> Prompts;
		FPath Path;
		FPlace Left;
		/** It has been on a server. */
		bool bMade = false;
		bool bPaused = false;
		bool bStaysInPlace = false;
		/** It holds its last pose when no prompt is left, and needs no server for that. */
		bool bHoldsAtEnd = false;
		bool bControlsDue = false;
		bool bPathDue = false;
	};

	FCharacter* Find(std::string_view Character);
	const FCharacter* Find(std::string_view Character) const;
	FCharacter& Get(std::string_view Character);
	void Forget(std::string_view Character);
	void Ask(const FPrompt& Prompt, std::string_view Group);

	std::vector<FCharacter> Characters;
};

} // namespace MotionBridge
