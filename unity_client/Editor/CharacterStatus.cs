using System.Collections.Generic;
using MotionBridge.Unity;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>What the inspector and the window say about a character.</summary>
    public static class CharacterStatus
    {
        /// <summary>Labels and values: connection, prompt, latency, frames.</summary>
        public static List<KeyValuePair<string, string>> Lines(MotionCharacter character)
        {
            var lines = new List<KeyValuePair<string, string>>();
            var connection = character.Connection;
            var client = connection == null ? null : connection.Client;
            Add(lines, "Connection", connection == null ? "none in the scene" : connection.State.ToString());
            if (client != null && client.Welcome != null)
            {
                Add(lines, "Model", client.Welcome.Model + " at " + client.Welcome.FrameRate + " frames per second");
                Add(lines, "Latency", (1000.0 * client.RoundTrip).ToString("F0") + " ms round trip");
            }
            if (character.LastPrompt != null)
            {
                Add(lines, "Last prompt", character.LastPrompt.State + ": " + character.LastPrompt.Text);
                if (!string.IsNullOrEmpty(character.LastPrompt.Reason))
                {
                    Add(lines, "Reason", character.LastPrompt.Reason);
                }
            }
            var stream = character.Stream;
            if (stream != null)
            {
                Add(
                    lines,
                    "Frames",
                    stream.FramesReceived + " received, " + stream.FramesLate + " late, " + stream.Clock.Underruns + " underruns");
            }
            return lines;
        }

        /// <summary>0 empty, 1 as full as the server keeps it.</summary>
        public static float BufferHealth(MotionCharacter character)
        {
            var client = character.Connection == null ? null : character.Connection.Client;
            if (character.Stream == null || client == null || client.Welcome == null)
            {
                return 0.0f;
            }
            return Mathf.Clamp01((float)(character.Stream.BufferedSeconds / client.Welcome.Lead));
        }

        public static string BufferText(MotionCharacter character)
        {
            return character.Stream == null
                ? "no frames yet"
                : "buffer " + (1000.0 * character.Stream.BufferedSeconds).ToString("F0") + " ms";
        }

        private static void Add(List<KeyValuePair<string, string>> lines, string label, string value)
        {
            lines.Add(new KeyValuePair<string, string>(label, value));
        }
    }
}
