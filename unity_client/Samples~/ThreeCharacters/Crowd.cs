using MotionBridge.Unity;
using UnityEngine;

namespace MotionBridge.Samples
{
    /// <summary>Several characters on one connection; each gets sentences of its own, one after the other, for ever.</summary>
    public sealed class Crowd : MonoBehaviour
    {
        [SerializeField]
        private MotionCharacter[] characters = new MotionCharacter[0];

        [SerializeField]
        private string[] sentences =
        {
            "a person waves", "a person walks in a circle", "a person bows", "a person stretches the arms", "a person dances",
        };

        private PromptHandle[] playing;
        private int next;

        private void Start()
        {
            playing = new PromptHandle[characters.Length];
        }

        private void Update()
        {
            for (var i = 0; i < characters.Length; i++)
            {
                if (playing[i] == null || playing[i].IsDone)
                {
                    playing[i] = characters[i].SendPrompt(sentences[next++ % sentences.Length]);
                }
            }
        }
    }
}
