using System;

namespace MotionBridge
{
    /// <summary>
    /// The joint tree of a stream in its rest pose, a T-pose in which every rotation is identity; right-handed, +Y up, facing +Z,
    /// metres. Parents come before children.
    /// </summary>
    public sealed class Skeleton
    {
        private readonly string[] names;
        private readonly int[] parents;
        private readonly Vec3[] offsets;
        private readonly Vec3[] rest;

        /// <exception cref="ArgumentException">The table is no tree of 22 joints in parent-first order.</exception>
        public Skeleton(string[] names, int[] parents, Vec3[] offsets)
        {
            if (names.Length != Limits.JointCount || parents.Length != names.Length || offsets.Length != names.Length)
            {
                throw new ArgumentException("the skeleton must have " + Limits.JointCount + " joints, it has " + names.Length);
            }
            rest = new Vec3[names.Length];
            for (var joint = 0; joint < names.Length; joint++)
            {
                var parent = parents[joint];
                if (joint == 0 ? parent != -1 : parent < 0 || parent >= joint)
                {
                    throw new ArgumentException("joint " + names[joint] + " must come after its parent");
                }
                rest[joint] = parent < 0 ? offsets[joint] : rest[parent] + offsets[joint];
            }
            this.names = names;
            this.parents = parents;
            this.offsets = offsets;
        }

        /// <summary>The skeleton of <c>welcome</c>.</summary>
        public static Skeleton FromWelcome(Fields skeleton)
        {
            var joints = skeleton.Get<object[]>("joints");
            var names = new string[joints.Length];
            var parents = new int[joints.Length];
            var offsets = new Vec3[joints.Length];
            for (var i = 0; i < joints.Length; i++)
            {
                var joint = (Fields)joints[i];
                var offset = joint.Get<object[]>("offset");
                names[i] = joint.Get<string>("name");
                parents[i] = (int)joint.Get<long>("parent");
                offsets[i] = new Vec3((double)offset[0], (double)offset[1], (double)offset[2]);
            }
            return new Skeleton(names, parents, offsets);
        }

        public int Count
        {
            get { return names.Length; }
        }

        public string Name(int joint)
        {
            return names[joint];
        }

        public int Parent(int joint)
        {
            return parents[joint];
        }

        public Vec3 Offset(int joint)
        {
            return offsets[joint];
        }

        /// <summary>Position in the T-pose, feet on the floor.</summary>
        public Vec3 RestPosition(int joint)
        {
            return rest[joint];
        }

        /// <summary>Index of a joint by name.</summary>
        public int Index(string name)
        {
            var joint = Array.IndexOf(names, name);
            if (joint < 0)
            {
                throw new ArgumentException("the server's skeleton has no joint " + name);
            }
            return joint;
        }

        /// <summary>Local rotations to global ones, into an array of the same length.</summary>
        public void ToGlobal(Quat[] local, Quat[] global)
        {
            for (var joint = 0; joint < names.Length; joint++)
            {
                var parent = parents[joint];
                global[joint] = parent < 0 ? local[joint] : global[parent] * local[joint];
            }
        }

        /// <summary>Joint positions of a pose, metres; <paramref name="global"/> receives the global rotations.</summary>
        public void Positions(Pose pose, Quat[] global, Vec3[] positions)
        {
            ToGlobal(pose.Rotations, global);
            for (var joint = 0; joint < names.Length; joint++)
            {
                var parent = parents[joint];
                positions[joint] = parent < 0 ? pose.Root : positions[parent] + global[parent] * offsets[joint];
            }
        }
    }
}
