using System.Collections.Generic;

namespace MotionBridge.Tests
{
    /// <summary>A rig with the stream's own bones.</summary>
    internal static class Rigs
    {
        public static Rig Stick()
        {
            var skeleton = Samples.Skeleton();
            var parents = new int[skeleton.Count];
            var positions = new Vec3[skeleton.Count];
            var rotations = new Quat[skeleton.Count];
            var map = new Dictionary<string, int[]>();
            for (var joint = 0; joint < skeleton.Count; joint++)
            {
                parents[joint] = skeleton.Parent(joint);
                positions[joint] = skeleton.Offset(joint);
                rotations[joint] = Quat.Identity;
                if (!skeleton.Name(joint).StartsWith("spine"))
                {
                    map[skeleton.Name(joint)] = new[] { joint };
                }
            }
            map["spine"] = new[] { skeleton.Index("spine1"), skeleton.Index("spine2"), skeleton.Index("spine3") };
            return new Rig(parents, positions, rotations, Axes.Wire, map);
        }
    }
}
