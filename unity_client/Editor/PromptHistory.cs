using System;
using System.Collections.Generic;
using MotionBridge.Unity;
using UnityEditor;

namespace MotionBridge.EditorTools
{
    /// <summary>The sentences sent from the editor, newest first; kept while the editor runs, over domain reloads.</summary>
    public static class PromptHistory
    {
        private const string Key = "MotionBridge.PromptHistory";
        private const int Longest = 20;
        private const char Separator = '\n';

        public static IList<string> Sentences
        {
            get
            {
                return SessionState.GetString(Key, "").Split(new[] { Separator }, StringSplitOptions.RemoveEmptyEntries);
            }
        }

        /// <summary>Sends a sentence and remembers it. Returns what is wrong with it, or an empty text.</summary>
        public static string Send(MotionCharacter character, string text, bool queue)
        {
            try
            {
                character.SendPrompt(text, new PromptOptions { Queue = queue });
            }
            catch (ProtocolException error)
            {
                return error.Message;
            }
            catch (InvalidOperationException error)
            {
                return error.Message;
            }
            var sentence = text.Trim().Replace(Separator, ' ');
            var kept = new List<string>(Sentences);
            kept.Remove(sentence);
            kept.Insert(0, sentence);
            if (kept.Count > Longest)
            {
                kept.RemoveRange(Longest, kept.Count - Longest);
            }
            SessionState.SetString(Key, string.Join(Separator.ToString(), kept.ToArray()));
            return "";
        }
    }
}
