namespace UnityEngine
{
    public sealed class GUIStyle
    {
    }

    public sealed class GUISkin : Object
    {
        public GUIStyle box { get; set; }
    }

    public sealed class GUILayoutOption
    {
    }

    public class GUI
    {
        public static GUISkin skin { get; set; }
    }

    public class GUILayout
    {
        public static bool Button(string text, params GUILayoutOption[] options)
        {
            return false;
        }

        public static bool Button(string text, GUIStyle style, params GUILayoutOption[] options)
        {
            return false;
        }

        public static bool Toggle(bool value, string text, params GUILayoutOption[] options)
        {
            return value;
        }

        public static string TextField(string text, int maxLength, params GUILayoutOption[] options)
        {
            return text;
        }

        public static void Label(string text, params GUILayoutOption[] options)
        {
        }

        public static void BeginArea(Rect screenRect, GUIStyle style)
        {
        }

        public static void EndArea()
        {
        }
    }

    public sealed class Gizmos
    {
        public static Color color { get; set; }

        public static Matrix4x4 matrix { get; set; }

        public static void DrawLine(Vector3 from, Vector3 to)
        {
        }

        public static void DrawSphere(Vector3 center, float radius)
        {
        }
    }
}
