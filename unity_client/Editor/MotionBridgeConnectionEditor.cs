using MotionBridge.Unity;
using UnityEditor;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>The inspector of a connection: its state, its trouble, and buttons.</summary>
    [CustomEditor(typeof(MotionBridgeConnection))]
    public sealed class MotionBridgeConnectionEditor : Editor
    {
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
                EditorGUILayout.HelpBox("Start the server with `motionbridge serve`, then press Play.", MessageType.Info);
                return;
            }
            var connection = (MotionBridgeConnection)target;
            EditorGUILayout.LabelField("State", connection.State.ToString());
            if (connection.Problem.Length > 0)
            {
                EditorGUILayout.HelpBox(connection.Problem, MessageType.Warning);
            }
            using (new EditorGUILayout.HorizontalScope())
            {
                if (GUILayout.Button("Connect"))
                {
                    connection.Connect();
                }
                if (GUILayout.Button("Disconnect"))
                {
                    connection.Disconnect();
                }
            }
        }
    }
}
