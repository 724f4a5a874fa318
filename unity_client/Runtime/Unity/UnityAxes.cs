using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>Between the core's numbers and Unity's. The core works in Unity's axes; only the types differ.</summary>
    internal static class UnityAxes
    {
        public static Vector3 ToVector3(this Vec3 v)
        {
            return new Vector3((float)v.X, (float)v.Y, (float)v.Z);
        }

        public static Quaternion ToQuaternion(this Quat q)
        {
            return new Quaternion((float)q.X, (float)q.Y, (float)q.Z, (float)q.W);
        }

        public static Vec3 ToVec3(this Vector3 v)
        {
            return new Vec3(v.x, v.y, v.z);
        }

        public static Quat ToQuat(this Quaternion q)
        {
            return new Quat(q.x, q.y, q.z, q.w).Normalized;
        }
    }
}
