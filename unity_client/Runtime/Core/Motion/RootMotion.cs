using System;

namespace MotionBridge
{
    /// <summary>
    /// Takes a character's travel and turning out of its poses, so that a game can apply them to the object the character is. A
    /// timeline that starts anew elsewhere then moves nothing.
    /// </summary>
    public sealed class RootMotion
    {
        private bool hasLast;

        /// <summary>Metres moved since the pose before, in the frame that the character faced then: x left, z forward.</summary>
        public Vec3 Move { get; private set; }

        /// <summary>Radians turned about +Y since the pose before, positive toward the left.</summary>
        public double Turn { get; private set; }

        /// <summary>Where the pose taken last stood, in the stream's own axes.</summary>
        public Place Place { get; private set; }

        /// <summary>The next pose follows nothing: it gives no motion.</summary>
        public void Restart()
        {
            hasLast = false;
        }

        /// <summary>Makes the pose stand over the origin and face forward, and remembers what that took away.</summary>
        public void Take(Pose pose)
        {
            var here = new Place(pose);
            Move = hasLast ? Place.ToLocal(here.Point) : new Vec3();
            Turn = hasLast ? Place.Turn(Place.Heading, here.Heading) : 0.0;
            hasLast = true;
            Place = here;
            pose.Root = new Vec3(0.0, pose.Root.Y, 0.0);
            pose.Rotations[0] = Place.AboutUp(-here.Heading) * pose.Rotations[0];
        }

        /// <summary>Heading about +Y in radians: 0 faces +Z, positive toward +X, the left.</summary>
        public static double Heading(Pose pose)
        {
            var forward = pose.Rotations[0] * new Vec3(0.0, 0.0, 1.0);
            return Math.Atan2(forward.X, forward.Z);
        }
    }
}
