using System;

namespace MotionBridge
{
    /// <summary>A point of the ground, in metres of the wire's axes, and the way that a character faces there.</summary>
    public struct Place
    {
        private readonly Vec3 point;
        private readonly double heading;

        public Place(Vec3 point, double heading)
        {
            this.point = new Vec3(point.X, 0.0, point.Z);
            this.heading = heading;
        }

        /// <summary>Where a pose stands.</summary>
        public Place(Pose pose)
            : this(pose.Root, RootMotion.Heading(pose))
        {
        }

        /// <summary>Its height is 0.</summary>
        public Vec3 Point
        {
            get { return point; }
        }

        /// <summary>Radians about +Y: 0 faces +Z, positive toward +X, the left.</summary>
        public double Heading
        {
            get { return heading; }
        }

        /// <summary>From the axes that this place is given in to its own: x to its left, z ahead.</summary>
        public Vec3 ToLocal(Vec3 other)
        {
            return AboutUp(-heading) * (new Vec3(other.X, 0.0, other.Z) - point);
        }

        /// <summary>From its own axes (x to its left, z ahead) to those that it is given in.</summary>
        public Vec3 FromLocal(Vec3 local)
        {
            return point + AboutUp(heading) * new Vec3(local.X, 0.0, local.Z);
        }

        /// <summary>The turn from one heading to another the short way, radians within ±π.</summary>
        public static double Turn(double from, double to)
        {
            return Math.IEEERemainder(to - from, 2.0 * Math.PI);
        }

        internal static Quat AboutUp(double angle)
        {
            return Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), angle);
        }
    }
}
