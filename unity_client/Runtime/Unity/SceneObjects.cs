using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>Finds components in the loaded scenes; the one place that knows how Unity's versions differ in it.</summary>
    public static class SceneObjects
    {
        /// <summary>Any one of them; null when there is none.</summary>
        public static T First<T>()
            where T : Object
        {
#if UNITY_2023_1_OR_NEWER
            return Object.FindFirstObjectByType<T>();
#else
            return Object.FindObjectOfType<T>();
#endif
        }

        /// <summary>All that are active.</summary>
        public static T[] All<T>()
            where T : Object
        {
#if UNITY_2023_1_OR_NEWER
            return Object.FindObjectsByType<T>(FindObjectsSortMode.None);
#else
            return Object.FindObjectsOfType<T>();
#endif
        }
    }
}
