using MotionBridge.Unity;
using UnityEditor;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>The inspector of a character: a prompt box, what it does now, and recording.</summary>
    [CustomEditor(typeof(MotionCharacter))]
    public sealed class MotionCharacterEditor : Editor
    {
        private readonly ClipRecorder recorder = new ClipRecorder();
        private string text = "a person waves";
        private bool queue;
        private string refusal = "";

        private MotionCharacter Character
        {
            get { return (MotionCharacter)target; }
        }

        public override bool RequiresConstantRepaint()
        {
            return EditorApplication.isPlaying;
        }

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            EditorGUILayout.Space();
            if (!EditorApplication.isPlaying)
            {
                var advice = CharacterCheck.Advice(Character);
                EditorGUILayout.HelpBox(
                    advice.Length > 0 ? advice : "Press Play, then type sentences here.",
                    advice.Length > 0 ? MessageType.Warning : MessageType.Info);
                return;
            }
            if (!string.IsNullOrEmpty(Character.Problem))
            {
                EditorGUILayout.HelpBox(Character.Problem, MessageType.Error);
            }
            if (Character.Connection != null && Character.Connection.Problem.Length > 0)
            {
                EditorGUILayout.HelpBox(Character.Connection.Problem, MessageType.Warning);
            }
            DrawPrompt();
            DrawStatus();
            DrawRecorder();
        }

        private void OnDisable()
        {
            recorder.Cancel();
        }

        private void DrawPrompt()
        {
            EditorGUILayout.LabelField("Prompt", EditorStyles.boldLabel);
            text = EditorGUILayout.TextArea(text);
            using (new EditorGUILayout.HorizontalScope())
            {
                queue = GUILayout.Toggle(queue, "After what plays");
                if (GUILayout.Button("Send"))
                {
                    refusal = PromptHistory.Send(Character, text, queue);
                }
                if (GUILayout.Button("Stop"))
                {
                    Character.Stop();
                }
            }
            if (refusal.Length > 0)
            {
                EditorGUILayout.HelpBox(refusal, MessageType.Error);
            }
        }

        private void DrawStatus()
        {
            foreach (var line in CharacterStatus.Lines(Character))
            {
                EditorGUILayout.LabelField(line.Key, line.Value);
            }
            EditorGUI.ProgressBar(
                EditorGUILayout.GetControlRect(), CharacterStatus.BufferHealth(Character), CharacterStatus.BufferText(Character));
        }

        private void DrawRecorder()
        {
            if (!recorder.IsRecording)
            {
                if (GUILayout.Button("Record to AnimationClip"))
                {
                    recorder.Begin(Character.gameObject);
                }
            }
            else if (GUILayout.Button("Stop recording (" + recorder.Seconds.ToString("F1") + " s) and save"))
            {
                recorder.Save(Character.CharacterName);
            }
        }
    }
}
