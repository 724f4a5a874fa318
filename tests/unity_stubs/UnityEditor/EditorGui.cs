using System;
using UnityEngine;

namespace UnityEditor
{
    public enum MessageType
    {
        None = 0,
        Info = 1,
        Warning = 2,
        Error = 3,
    }

    public sealed class EditorStyles
    {
        public static GUIStyle boldLabel
        {
            get { return null; }
        }

        public static GUIStyle miniButton
        {
            get { return null; }
        }
    }

    public sealed class EditorGUI
    {
        public static void ProgressBar(Rect position, float value, string text)
        {
        }

        public struct DisabledScope : IDisposable
        {
            public DisabledScope(bool disabled)
            {
            }

            public void Dispose()
            {
            }
        }
    }

    public sealed class EditorGUILayout
    {
        public static void Space()
        {
        }

        public static void HelpBox(string message, MessageType type)
        {
        }

        public static void LabelField(string label, GUIStyle style, params GUILayoutOption[] options)
        {
        }

        public static void LabelField(string label, string label2, params GUILayoutOption[] options)
        {
        }

        public static string TextArea(string text, params GUILayoutOption[] options)
        {
            return text;
        }

        public static bool ToggleLeft(string label, bool value, params GUILayoutOption[] options)
        {
            return value;
        }

        public static Rect GetControlRect(params GUILayoutOption[] options)
        {
            return new Rect();
        }

        public static Vector2 BeginScrollView(Vector2 scrollPosition, params GUILayoutOption[] options)
        {
            return scrollPosition;
        }

        public static void EndScrollView()
        {
        }

        public class HorizontalScope : IDisposable
        {
            public HorizontalScope(params GUILayoutOption[] options)
            {
            }

            public void Dispose()
            {
            }
        }
    }
}
