using MotionBridge.Unity;
using UnityEditor;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>All characters of the scene, and the sentences sent before.</summary>
    public sealed class MotionBridgeWindow : EditorWindow
    {
        private Vector2 scroll;
        private string text = "a person walks forward";
        private MotionCharacter chosen;
        private string refusal = "";

        [MenuItem("Window/MotionBridge")]
        public static void Open()
        {
            GetWindow<MotionBridgeWindow>("MotionBridge").Show();
        }

        private void OnInspectorUpdate()
        {
            Repaint();
        }

        private void OnGUI()
        {
            scroll = EditorGUILayout.BeginScrollView(scroll);
            DrawCharacters();
            DrawPrompt();
            DrawHistory();
            EditorGUILayout.EndScrollView();
        }

        private void DrawCharacters()
        {
            EditorGUILayout.LabelField("Characters", EditorStyles.boldLabel);
            foreach (var character in SceneObjects.All<MotionCharacter>())
            {
                if (EditorGUILayout.ToggleLeft(character.CharacterName, character == chosen))
                {
                    chosen = character;
                }
                foreach (var line in CharacterStatus.Lines(character))
                {
                    EditorGUILayout.LabelField("    " + line.Key, line.Value);
                }
            }
            if (chosen == null)
            {
                EditorGUILayout.HelpBox(
                    "Choose a character, or add one: select a Humanoid, then GameObject > MotionBridge > Make Character.",
                    MessageType.Info);
            }
        }

        private void DrawPrompt()
        {
            EditorGUILayout.LabelField("Prompt", EditorStyles.boldLabel);
            text = EditorGUILayout.TextArea(text);
            using (new EditorGUI.DisabledScope(chosen == null || !EditorApplication.isPlaying))
            {
                if (GUILayout.Button("Send"))
                {
                    refusal = PromptHistory.Send(chosen, text, false);
                }
            }
            if (refusal.Length > 0)
            {
                EditorGUILayout.HelpBox(refusal, MessageType.Error);
            }
        }

        private void DrawHistory()
        {
            EditorGUILayout.LabelField("Sent before", EditorStyles.boldLabel);
            foreach (var sentence in PromptHistory.Sentences)
            {
                if (GUILayout.Button(sentence, EditorStyles.miniButton))
                {
                    text = sentence;
                }
            }
        }
    }
}
