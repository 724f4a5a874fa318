using System;

namespace MotionBridge
{
    /// <summary>
    /// Keeps a character where it stands when its stream starts anew: turns and moves the streamed root, about the vertical only, so
    /// that the new timeline begins at the place and heading where the old one was left.
    /// </summary>
    public sealed class RootAnchor
    {
        private Quat turn = Quat.Identity;
        private Vec3 shift;

        public void Reset()
        {
            turn = Quat.Identity;
            shift = new Vec3();
        }

        /// <summary>From now on, <paramref name="first"/> comes out at the place and heading of <paramref name="shown"/>.</summary>
        public void Join(Pose shown, Pose first)
        {
            turn = AboutUp(Heading(shown) - Heading(first));
            var there = turn * first.Root;
            shift = new Vec3(shown.Root.X - there.X, 0.0, shown.Root.Z - there.Z);
        }

        /// <summary>Moves a pose of the stream to where the character is.</summary>
        public void Apply(Pose pose)
        {
            pose.Rotations[0] = turn * pose.Rotations[0];
            pose.Root = turn * pose.Root + shift;
        }

        /// <summary>Heading about +Y in radians: 0 faces +Z, positive toward +X.</summary>
        public static double Heading(Pose pose)
        {
            var forward = pose.Rotations[0] * new Vec3(0.0, 0.0, 1.0);
            return Math.Atan2(forward.X, forward.Z);
        }

        private static Quat AboutUp(double angle)
        {
            return Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), angle);
        }
    }
}
