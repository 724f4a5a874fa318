using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public class Object
    {
        private static readonly List<Object> All = new List<Object>();

        public Object()
        {
            name = "";
            All.Add(this);
        }

        public string name { get; set; }

        public static T FindObjectOfType<T>()
            where T : Object
        {
            return (T)All.Find(item => item is T);
        }

        public static T[] FindObjectsOfType<T>()
            where T : Object
        {
            return All.FindAll(item => item is T).ConvertAll(item => (T)item).ToArray();
        }

        public static T FindFirstObjectByType<T>()
            where T : Object
        {
            return FindObjectOfType<T>();
        }

        public static T[] FindObjectsByType<T>(FindObjectsSortMode sortMode)
            where T : Object
        {
            return FindObjectsOfType<T>();
        }

        public int GetInstanceID()
        {
            return All.IndexOf(this);
        }

        /// <summary>For tests: an empty scene.</summary>
        public static void ForgetAll()
        {
            All.Clear();
        }
    }

    public enum FindObjectsSortMode
    {
        None = 0,
        InstanceID = 1,
    }

    public class Component : Object
    {
        public GameObject gameObject { get; internal set; }

        public Transform transform
        {
            get { return gameObject.transform; }
        }

        public new string name
        {
            get { return gameObject.name; }
            set { gameObject.name = value; }
        }

        public T GetComponent<T>()
        {
            return gameObject.GetComponent<T>();
        }

        public T GetComponentInChildren<T>()
        {
            return gameObject.GetComponentInChildren<T>();
        }
    }

    public class Behaviour : Component
    {
        public bool enabled { get; set; }
    }

    public class MonoBehaviour : Behaviour
    {
    }

    public sealed class GameObject : Object
    {
        private readonly List<Component> components = new List<Component>();

        public GameObject(string name)
        {
            this.name = name;
            transform = new Transform();
            Attach(transform);
        }

        public Transform transform { get; private set; }

        public T AddComponent<T>()
            where T : Component
        {
            var component = (T)Activator.CreateInstance(typeof(T), true);
            Attach(component);
            return component;
        }

        public T GetComponent<T>()
        {
            return (T)(object)components.Find(component => component is T);
        }

        public T GetComponentInChildren<T>()
        {
            var own = GetComponent<T>();
            foreach (var child in transform.Children)
            {
                own = own == null ? child.gameObject.GetComponentInChildren<T>() : own;
            }
            return own;
        }

        private void Attach(Component component)
        {
            component.gameObject = this;
            components.Add(component);
        }
    }

    public class Transform : Component
    {
        internal readonly List<Transform> Children = new List<Transform>();
        private Transform above;

        internal Transform()
        {
            localRotation = Quaternion.identity;
            localScale = Vector3.one;
        }

        public Vector3 localPosition { get; set; }

        public Quaternion localRotation { get; set; }

        public Vector3 localScale { get; set; }

        /// <summary>Setting it here keeps the local pose, as SetParent(parent, false) does in Unity.</summary>
        public Transform parent
        {
            get
            {
                return above;
            }

            set
            {
                above = value;
                above.Children.Add(this);
            }
        }

        public Vector3 position
        {
            get { return above == null ? localPosition : above.TransformPoint(localPosition); }
            set { localPosition = above == null ? value : above.InverseTransformPoint(value); }
        }

        public Quaternion rotation
        {
            get { return above == null ? localRotation : above.rotation * localRotation; }
            set { localRotation = above == null ? value : Quaternion.Inverse(above.rotation) * value; }
        }

        public Vector3 up
        {
            get { return rotation * Vector3.up; }
        }

        public Vector3 forward
        {
            get { return rotation * Vector3.forward; }
        }

        public Matrix4x4 localToWorldMatrix
        {
            get { return Matrix4x4.identity; }
        }

        public Vector3 TransformPoint(Vector3 point)
        {
            var here = localPosition + localRotation * Vector3.Scale(localScale, point);
            return above == null ? here : above.TransformPoint(here);
        }

        public Vector3 InverseTransformPoint(Vector3 point)
        {
            var here = Quaternion.Inverse(localRotation) * ((above == null ? point : above.InverseTransformPoint(point)) - localPosition);
            return new Vector3(here.x / localScale.x, here.y / localScale.y, here.z / localScale.z);
        }

        public Vector3 TransformDirection(Vector3 direction)
        {
            return rotation * direction;
        }

        public Vector3 InverseTransformDirection(Vector3 direction)
        {
            return Quaternion.Inverse(rotation) * direction;
        }
    }

    public static class Time
    {
        public static float deltaTime { get; set; }

        public static float unscaledDeltaTime { get; set; }

        public static double timeAsDouble { get; set; }
    }

    public static class Debug
    {
        /// <summary>For tests: what was logged as an error.</summary>
        public static readonly List<string> Errors = new List<string>();

        public static void LogWarning(object message, Object context)
        {
        }

        public static void LogError(object message, Object context)
        {
            Errors.Add(message.ToString());
        }
    }

    public struct LayerMask
    {
        private int bits;

        public static implicit operator int(LayerMask mask)
        {
            return mask.bits;
        }

        public static implicit operator LayerMask(int bits)
        {
            return new LayerMask { bits = bits };
        }
    }

    public struct RaycastHit
    {
        public Vector3 point { get; set; }
    }

    public enum QueryTriggerInteraction
    {
        UseGlobal,
        Ignore,
        Collide,
    }

    public static class Physics
    {
        /// <summary>For tests: height of the ground at a place.</summary>
        public static Func<Vector3, float> Ground = place => 0.0f;

        public static bool Raycast(
            Vector3 origin,
            Vector3 direction,
            out RaycastHit hitInfo,
            float maxDistance,
            int layerMask,
            QueryTriggerInteraction queryTriggerInteraction)
        {
            var height = Ground(origin);
            hitInfo = new RaycastHit { point = new Vector3(origin.x, height, origin.z) };
            return direction.y < 0 && height <= origin.y && height >= origin.y - maxDistance;
        }
    }

    public class AnimationClip : Object
    {
        public float frameRate { get; set; }
    }
}

namespace UnityEngine.Events
{
    public class UnityEvent<T0>
    {
        public void Invoke(T0 arg0)
        {
        }
    }

    public class UnityEvent<T0, T1>
    {
        public void Invoke(T0 arg0, T1 arg1)
        {
        }
    }
}
