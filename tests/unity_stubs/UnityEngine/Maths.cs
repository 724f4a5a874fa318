using System;

namespace UnityEngine
{
    public struct Vector2
    {
        public float x;
        public float y;
    }

    public struct Vector3
    {
        public float x;
        public float y;
        public float z;

        public Vector3(float x, float y, float z)
        {
            this.x = x;
            this.y = y;
            this.z = z;
        }

        public static Vector3 zero
        {
            get { return new Vector3(); }
        }

        public static Vector3 one
        {
            get { return new Vector3(1, 1, 1); }
        }

        public static Vector3 up
        {
            get { return new Vector3(0, 1, 0); }
        }

        public static Vector3 forward
        {
            get { return new Vector3(0, 0, 1); }
        }

        public float magnitude
        {
            get { return (float)Math.Sqrt(Dot(this, this)); }
        }

        public static float Dot(Vector3 a, Vector3 b)
        {
            return a.x * b.x + a.y * b.y + a.z * b.z;
        }

        public static Vector3 Cross(Vector3 a, Vector3 b)
        {
            return new Vector3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
        }

        public static Vector3 Scale(Vector3 a, Vector3 b)
        {
            return new Vector3(a.x * b.x, a.y * b.y, a.z * b.z);
        }

        public static Vector3 Lerp(Vector3 a, Vector3 b, float t)
        {
            return a + Mathf.Clamp01(t) * (b - a);
        }

        public static Vector3 operator +(Vector3 a, Vector3 b)
        {
            return new Vector3(a.x + b.x, a.y + b.y, a.z + b.z);
        }

        public static Vector3 operator -(Vector3 a, Vector3 b)
        {
            return new Vector3(a.x - b.x, a.y - b.y, a.z - b.z);
        }

        public static Vector3 operator -(Vector3 a)
        {
            return new Vector3(-a.x, -a.y, -a.z);
        }

        public static Vector3 operator *(float d, Vector3 a)
        {
            return new Vector3(d * a.x, d * a.y, d * a.z);
        }

        public static Vector3 operator *(Vector3 a, float d)
        {
            return d * a;
        }
    }

    public struct Quaternion
    {
        public float x;
        public float y;
        public float z;
        public float w;

        public Quaternion(float x, float y, float z, float w)
        {
            this.x = x;
            this.y = y;
            this.z = z;
            this.w = w;
        }

        public static Quaternion identity
        {
            get { return new Quaternion(0, 0, 0, 1); }
        }

        public static Quaternion Inverse(Quaternion q)
        {
            return new Quaternion(-q.x, -q.y, -q.z, q.w);
        }

        /// <summary>Left-handed: a positive angle about y turns z toward x.</summary>
        public static Quaternion AngleAxis(float angle, Vector3 axis)
        {
            var half = 0.5 * angle * Math.PI / 180.0;
            var sine = (float)Math.Sin(half);
            return new Quaternion(sine * axis.x, sine * axis.y, sine * axis.z, (float)Math.Cos(half));
        }

        public static Quaternion Slerp(Quaternion a, Quaternion b, float t)
        {
            var dot = a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
            var angle = Math.Acos(Math.Min(1.0, Math.Abs(dot)));
            var sine = Math.Sin(angle);
            var wa = sine < 1e-6 ? 1.0 - t : Math.Sin((1.0 - t) * angle) / sine;
            var wb = (sine < 1e-6 ? t : Math.Sin(t * angle) / sine) * (dot < 0 ? -1 : 1);
            return new Quaternion(
                (float)(wa * a.x + wb * b.x), (float)(wa * a.y + wb * b.y), (float)(wa * a.z + wb * b.z), (float)(wa * a.w + wb * b.w));
        }

        public static Quaternion operator *(Quaternion a, Quaternion b)
        {
            return new Quaternion(
                a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
                a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
                a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
                a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);
        }

        public static Vector3 operator *(Quaternion q, Vector3 v)
        {
            var axis = new Vector3(q.x, q.y, q.z);
            var t = 2 * Vector3.Cross(axis, v);
            return v + q.w * t + Vector3.Cross(axis, t);
        }
    }

    public struct Matrix4x4
    {
        public static Matrix4x4 identity
        {
            get { return new Matrix4x4(); }
        }
    }

    public struct Rect
    {
        public Rect(float x, float y, float width, float height)
        {
        }
    }

    public struct Color
    {
        public static Color cyan
        {
            get { return new Color(); }
        }

        public static Color red
        {
            get { return new Color(); }
        }
    }

    public static class Mathf
    {
        public const float Rad2Deg = 57.29578f;

        public static float Clamp01(float value)
        {
            return Math.Min(1, Math.Max(0, value));
        }

        public static float Lerp(float a, float b, float t)
        {
            return a + Clamp01(t) * (b - a);
        }

        public static float Min(float a, float b)
        {
            return Math.Min(a, b);
        }

        public static float Max(float a, float b)
        {
            return Math.Max(a, b);
        }

        public static float Pow(float f, float p)
        {
            return (float)Math.Pow(f, p);
        }

        public static float Atan2(float y, float x)
        {
            return (float)Math.Atan2(y, x);
        }
    }
}
