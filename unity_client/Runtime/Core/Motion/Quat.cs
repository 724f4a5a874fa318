using System;

namespace MotionBridge
{
    /// <summary>A unit quaternion xyzw. <c>a * b</c> rotates by b first, then by a; the same algebra in either handedness.</summary>
    public struct Quat
    {
        public double X;
        public double Y;
        public double Z;
        public double W;

        public static readonly Quat Identity = new Quat(0.0, 0.0, 0.0, 1.0);

        public Quat(double x, double y, double z, double w)
        {
            X = x;
            Y = y;
            Z = z;
            W = w;
        }

        public Quat Inverse
        {
            get { return new Quat(-X, -Y, -Z, W); }
        }

        public Quat Normalized
        {
            get
            {
                var scale = 1.0 / Math.Max(Math.Sqrt(Dot(this, this)), 1e-12);
                return new Quat(scale * X, scale * Y, scale * Z, scale * W);
            }
        }

        public static double Dot(Quat a, Quat b)
        {
            return a.X * b.X + a.Y * b.Y + a.Z * b.Z + a.W * b.W;
        }

        public static Quat operator *(Quat a, Quat b)
        {
            return new Quat(
                a.W * b.X + a.X * b.W + a.Y * b.Z - a.Z * b.Y,
                a.W * b.Y - a.X * b.Z + a.Y * b.W + a.Z * b.X,
                a.W * b.Z + a.X * b.Y - a.Y * b.X + a.Z * b.W,
                a.W * b.W - a.X * b.X - a.Y * b.Y - a.Z * b.Z);
        }

        public static Vec3 operator *(Quat q, Vec3 v)
        {
            var axis = new Vec3(q.X, q.Y, q.Z);
            var t = 2.0 * Vec3.Cross(axis, v);
            return v + q.W * t + Vec3.Cross(axis, t);
        }

        /// <summary>Shortest-arc interpolation; <paramref name="t"/> in 0..1.</summary>
        public static Quat Slerp(Quat a, Quat b, double t)
        {
            var dot = Dot(a, b);
            var sign = dot < 0.0 ? -1.0 : 1.0;
            var angle = Math.Acos(Math.Min(Math.Abs(dot), 1.0));
            var sine = Math.Sin(angle);
            var wa = angle < 1e-4 ? 1.0 - t : Math.Sin((1.0 - t) * angle) / sine;
            var wb = sign * (angle < 1e-4 ? t : Math.Sin(t * angle) / sine);
            return new Quat(
                wa * a.X + wb * b.X, wa * a.Y + wb * b.Y, wa * a.Z + wb * b.Z, wa * a.W + wb * b.W).Normalized;
        }

        /// <summary>Rotation by an angle in radians about a unit axis.</summary>
        public static Quat AxisAngle(Vec3 axis, double angle)
        {
            var sine = Math.Sin(0.5 * angle);
            return new Quat(sine * axis.X, sine * axis.Y, sine * axis.Z, Math.Cos(0.5 * angle));
        }

        /// <summary>The rotation whose x axis is the first direction, and whose y axis is the second made perpendicular.</summary>
        public static Quat FromTwoAxes(Vec3 first, Vec3 second)
        {
            var x = first.Normalized;
            var z = Vec3.Cross(x, second).Normalized;
            var y = Vec3.Cross(z, x);
            return FromColumns(x, y, z);
        }

        /// <summary>Angle in radians, 0 to π, between two rotations.</summary>
        public static double Angle(Quat a, Quat b)
        {
            var d = a.Inverse * b;
            return 2.0 * Math.Atan2(new Vec3(d.X, d.Y, d.Z).Length, Math.Abs(d.W));
        }

        /// <summary>From the columns of a rotation matrix, by the largest of the four components (Shepperd).</summary>
        private static Quat FromColumns(Vec3 x, Vec3 y, Vec3 z)
        {
            var trace = x.X + y.Y + z.Z;
            var qx = 1.0 + 2.0 * x.X - trace;
            var qy = 1.0 + 2.0 * y.Y - trace;
            var qz = 1.0 + 2.0 * z.Z - trace;
            var qw = 1.0 + trace;
            var best = Math.Max(Math.Max(qx, qy), Math.Max(qz, qw));
            if (best == qx)
            {
                return new Quat(qx, x.Y + y.X, x.Z + z.X, y.Z - z.Y).Normalized;
            }
            if (best == qy)
            {
                return new Quat(x.Y + y.X, qy, y.Z + z.Y, z.X - x.Z).Normalized;
            }
            return best == qz
                ? new Quat(x.Z + z.X, y.Z + z.Y, qz, x.Y - y.X).Normalized
                : new Quat(y.Z - z.Y, z.X - x.Z, x.Y - y.X, qw).Normalized;
        }
    }
}
