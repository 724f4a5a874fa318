using System;

namespace MotionBridge
{
    /// <summary>A path that a character was asked to take, in the axes of its stream: metres, radians about +Y.</summary>
    internal sealed class Steering
    {
        /// <summary>A way-point counts as reached from nearer than this (SPEC.md, <c>steer</c>).</summary>
        private const double CaptureMetres = 0.5;

        private readonly double? heading;
        private readonly double? speed;
        private readonly Vec3[] waypoints;
        private int passed;

        public Steering(double? heading, double? speed, Vec3[] waypoints)
        {
            this.heading = heading;
            this.speed = speed;
            this.waypoints = waypoints;
        }

        /// <summary>Whether it asks for anything; a <c>steer</c> without wishes lets go.</summary>
        public bool IsAny
        {
            get { return heading != null || speed != null || IsAlongPath; }
        }

        /// <summary>Whether there are way-points that have not been reached.</summary>
        public bool IsAlongPath
        {
            get { return waypoints != null && passed < waypoints.Length; }
        }

        /// <summary>The character is at a point now: what it has reached need not be asked for again.</summary>
        public void PassAt(Vec3 point)
        {
            while (IsAlongPath && (Ground(waypoints[passed]) - Ground(point)).Length < CaptureMetres)
            {
                passed++;
            }
        }

        /// <summary>The rest of the path for a character that stands elsewhere in other axes, and sees the path lie as before.</summary>
        public Steering Moved(Place from, Place to)
        {
            double? turned = null;
            if (heading != null)
            {
                turned = Place.Turn(from.Heading, heading.Value + to.Heading);
            }
            var rest = IsAlongPath ? new Vec3[waypoints.Length - passed] : null;
            for (var i = 0; rest != null && i < rest.Length; i++)
            {
                rest[i] = to.FromLocal(from.ToLocal(waypoints[passed + i]));
            }
            return new Steering(turned, speed, rest);
        }

        /// <summary>The fields of its <c>steer</c>.</summary>
        public Fields ToFields(string character)
        {
            var pairs = waypoints == null
                ? null : Array.ConvertAll<Vec3, object>(waypoints, point => new object[] { point.X, point.Z });
            return new Fields().With("character", character).With("heading", heading).With("speed", speed)
                .With("waypoints", pairs);
        }

        private static Vec3 Ground(Vec3 point)
        {
            return new Vec3(point.X, 0.0, point.Z);
        }
    }
}
