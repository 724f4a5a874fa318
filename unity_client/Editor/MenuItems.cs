using MotionBridge.Unity;
using UnityEditor;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>GameObject &gt; MotionBridge.</summary>
    public static class MenuItems
    {
        private const string MakeCharacterPath = "GameObject/MotionBridge/Make Character";

        /// <summary>Adds all that the selected Humanoids need, and a connection when the scene has none.</summary>
        [MenuItem(MakeCharacterPath, false, 10)]
        public static void MakeCharacter()
        {
            var connection = EnsureConnection();
            foreach (var selected in Selection.gameObjects)
            {
                var character = selected.GetComponent<MotionCharacter>();
                if (character == null)
                {
                    character = Undo.AddComponent<MotionCharacter>(selected);
                }
                Undo.RecordObject(character, "Make MotionBridge Character");
                character.Connection = connection;
                EditorUtility.SetDirty(character);
                var advice = CharacterCheck.Advice(character);
                if (advice.Length > 0)
                {
                    Debug.LogWarning("MotionBridge: " + advice, selected);
                }
            }
        }

        [MenuItem(MakeCharacterPath, true)]
        public static bool CanMakeCharacter()
        {
            return Selection.gameObjects.Length > 0;
        }

        [MenuItem("GameObject/MotionBridge/Connection", false, 11)]
        public static void MakeConnection()
        {
            Selection.activeGameObject = EnsureConnection().gameObject;
        }

        private static MotionBridgeConnection EnsureConnection()
        {
            var connection = MotionBridgeConnection.Find();
            if (connection == null)
            {
                var holder = new GameObject("MotionBridge");
                Undo.RegisterCreatedObjectUndo(holder, "Make MotionBridge Connection");
                connection = Undo.AddComponent<MotionBridgeConnection>(holder);
            }
            return connection;
        }
    }
}
