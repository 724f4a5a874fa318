using MotionBridge.Unity;
using UnityEngine;

namespace MotionBridge.Samples
{
    /// <summary>A text field on the screen: type a sentence, the character does it. Put it on any object and assign a character.</summary>
    public sealed class PromptField : MonoBehaviour
    {
        [SerializeField]
        private MotionCharacter character;

        private string text = "a person waves with the right hand";
        private string status = "";

        private void OnGUI()
        {
            GUILayout.BeginArea(new Rect(20, 20, 460, 140), GUI.skin.box);
            text = GUILayout.TextField(text, Limits.MaxTextCharacters);
            if (GUILayout.Button("Send"))
            {
                Send();
            }
            GUILayout.Label(status);
            GUILayout.EndArea();
        }

        private void Send()
        {
            try
            {
                var handle = character.SendPrompt(text);
                handle.Changed += changed => status = changed.State + " " + changed.Reason;
            }
            catch (ProtocolException error)
            {
                status = error.Message;
            }
        }
    }
}
