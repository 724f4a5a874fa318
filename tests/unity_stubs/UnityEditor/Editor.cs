using System;
using System.Collections.Generic;
using UnityEngine;
using Object = UnityEngine.Object;

namespace UnityEditor
{
    public class Editor : Object
    {
        public Object target { get; set; }

        public virtual void OnInspectorGUI()
        {
        }

        public virtual bool RequiresConstantRepaint()
        {
            return false;
        }

        public bool DrawDefaultInspector()
        {
            return false;
        }
    }

    public class EditorWindow : Object
    {
        public static T GetWindow<T>(string title)
            where T : EditorWindow
        {
            return null;
        }

        public void Show()
        {
        }

        public void Repaint()
        {
        }
    }

    public sealed class CustomEditor : Attribute
    {
        public CustomEditor(Type inspectedType)
        {
        }
    }

    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class MenuItem : Attribute
    {
        public MenuItem(string itemName)
        {
        }

        public MenuItem(string itemName, bool isValidateFunction)
        {
        }

        public MenuItem(string itemName, bool isValidateFunction, int priority)
        {
        }
    }

    [Flags]
    public enum GizmoType
    {
        Pickable = 1,
        NotInSelectionHierarchy = 2,
        NonSelected = 32,
        Selected = 4,
        Active = 8,
        InSelectionHierarchy = 16,
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class DrawGizmo : Attribute
    {
        public DrawGizmo(GizmoType gizmo)
        {
        }
    }

    public class EditorApplication
    {
        public delegate void CallbackFunction();

        public static CallbackFunction update;

        public static bool isPlaying { get; set; }
    }

    public static class SessionState
    {
        private static readonly Dictionary<string, string> Texts = new Dictionary<string, string>();

        public static string GetString(string key, string defaultValue)
        {
            string text;
            return Texts.TryGetValue(key, out text) ? text : defaultValue;
        }

        public static void SetString(string key, string value)
        {
            Texts[key] = value;
        }
    }

    public static class Selection
    {
        public static GameObject[] gameObjects { get; set; }

        public static GameObject activeGameObject { get; set; }
    }

    public class Undo
    {
        public static T AddComponent<T>(GameObject gameObject)
            where T : Component
        {
            return gameObject.AddComponent<T>();
        }

        public static void RecordObject(Object objectToUndo, string name)
        {
        }

        public static void RegisterCreatedObjectUndo(Object objectToUndo, string name)
        {
        }
    }

    public class EditorUtility
    {
        public static void SetDirty(Object target)
        {
        }

        public static string SaveFilePanelInProject(string title, string defaultName, string extension, string message)
        {
            return "";
        }
    }

    public class EditorGUIUtility
    {
        public static void PingObject(Object obj)
        {
        }
    }

    public class AssetDatabase
    {
        public static string GenerateUniqueAssetPath(string path)
        {
            return path;
        }

        public static void CreateAsset(Object asset, string path)
        {
        }

        public static void SaveAssets()
        {
        }
    }
}

namespace UnityEditor.Animations
{
    public class GameObjectRecorder : Object
    {
        public GameObjectRecorder(GameObject root)
        {
        }

        public float currentTime { get; private set; }

        public void BindComponentsOfType<T>(GameObject target, bool recursive)
            where T : Component
        {
        }

        public void TakeSnapshot(float dt)
        {
            currentTime += dt;
        }

        public void SaveToClip(AnimationClip clip, float fps)
        {
        }
    }
}
