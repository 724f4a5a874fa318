using System;

namespace MotionBridge
{
    /// <summary>One pose of the streamed skeleton: local rotations, the pelvis's position in metres, foot contacts.</summary>
    public sealed class Pose
    {
        public readonly Quat[] Rotations = new Quat[Limits.JointCount];
        public Vec3 Root;

        /// <summary>1 left heel, 2 left toe, 4 right heel, 8 right toe on the ground.</summary>
        public byte Contacts;

        public Pose()
        {
            for (var joint = 0; joint < Rotations.Length; joint++)
            {
                Rotations[joint] = Quat.Identity;
            }
        }

        public void CopyFrom(Pose other)
        {
            Array.Copy(other.Rotations, Rotations, Rotations.Length);
            Root = other.Root;
            Contacts = other.Contacts;
        }

        /// <summary>Becomes the pose <paramref name="t"/> of the way from one to another; either may be this one.</summary>
        public void Blend(Pose from, Pose to, double t)
        {
            for (var joint = 0; joint < Rotations.Length; joint++)
            {
                Rotations[joint] = Quat.Slerp(from.Rotations[joint], to.Rotations[joint], t);
            }
            Root = (1.0 - t) * from.Root + t * to.Root;
            Contacts = t < 0.5 ? from.Contacts : to.Contacts;
        }
    }
}
