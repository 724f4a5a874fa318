using System.Collections.Generic;

namespace MotionBridge
{
    /// <content>What a session begun anew is told again, so that characters go on as they were.</content>
    public sealed partial class MotionClient
    {
        private const string IdleText = "a person stands still";

        private readonly List<CharacterSettings> settings = new List<CharacterSettings>();
        private readonly HashSet<string> removalsDue = new HashSet<string>();
        private readonly Pose placed = new Pose();

        private CharacterSettings FindSettings(string character)
        {
            for (var i = 0; i < settings.Count; i++)
            {
                if (settings[i].Character == character)
                {
                    return settings[i];
                }
            }
            return null;
        }

        private CharacterSettings SettingsOf(string character)
        {
            var known = FindSettings(character);
            if (known == null)
            {
                known = new CharacterSettings(character);
                settings.Add(known);
            }
            return known;
        }

        private void Forget(string character)
        {
            settings.RemoveAll(known => known.Character == character);
        }

        /// <summary>A removed character is gone at once; without a connection, the session is told when it goes on.</summary>
        private void Remove(string character, bool sent)
        {
            Forget(character);
            var stream = Find(character);
            if (stream != null)
            {
                stream.End();
            }
            if (!sent)
            {
                prompts.Cancel(character, "the character was removed");
                if (stream != null)
                {
                    removalsDue.Add(character);
                }
            }
        }

        private void SessionResumed()
        {
            prompts.SessionResumed();
            foreach (var character in removalsDue)
            {
                Write("control", new Fields().With("character", character).With("action", "remove"));
            }
            removalsDue.Clear();
        }

        private void SessionLost(bool restore)
        {
            removalsDue.Clear();
            prompts.SessionLost(restore);
            if (restore)
            {
                settings.ForEach(known => known.SessionLost());
            }
            else
            {
                settings.Clear();
            }
        }

        /// <summary>Characters that had nothing left to do stood idle. A prompt makes them again, and stopping it makes them idle.</summary>
        private void RestoreIdleCharacters()
        {
            foreach (var stream in streams)
            {
                var known = FindSettings(stream.Name);
                if (stream.Exists && known != null && !known.HoldsAtEnd && !prompts.HasAny(stream.Name))
                {
                    Write("prompt", Codec.Check(
                        "prompt", PromptFields(IdleText, new PromptOptions()).With("character", stream.Name)));
                    Write("control", new Fields().With("character", stream.Name).With("action", "stop"));
                }
            }
        }

        /// <summary>A character's timeline is about to begin anew.</summary>
        private void LeaveTimeline(CharacterStream stream)
        {
            var known = FindSettings(stream.Name);
            if (known != null && stream.Sample(placed))
            {
                known.Leave(new Place(placed));
            }
        }

        private void RestoreControls(CharacterStream stream)
        {
            var known = FindSettings(stream.Name);
            if (known == null)
            {
                return;
            }
            foreach (var action in known.ActionsDue())
            {
                Write("control", new Fields().With("character", stream.Name).With("action", action));
            }
            stream.IsPaused = known.IsPaused;
        }

        /// <summary>Steering that is due needs the first pose of the new timeline: a path lies where it did for who walks it.</summary>
        private void FollowPaths()
        {
            for (var i = 0; i < settings.Count; i++)
            {
                var known = settings[i];
                var stream = known.NeedsPlace ? Find(known.Character) : null;
                if (stream == null || !stream.Exists || !stream.Sample(placed))
                {
                    continue;
                }
                if (!known.IsSteeringDue)
                {
                    known.PassAt(new Place(placed));
                }
                else if (Write("steer", known.SteeringAt(new Place(placed))))
                {
                    known.SteeringSent();
                }
            }
        }
    }
}
