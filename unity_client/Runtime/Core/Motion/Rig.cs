using System;
using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>A character's bones in rest pose, parents first, with a map of which of them stand for which joints.</summary>
    public sealed class Rig
    {
        private readonly Dictionary<string, int[]> chains = new Dictionary<string, int[]>();

        /// <param name="parents">Index of each bone's parent; the first bone is the one root, with −1.</param>
        /// <param name="positions">Local rest positions, in the unit of <paramref name="axes"/>.</param>
        /// <param name="rotations">Local rest rotations.</param>
        /// <param name="axes">Model space: the axes the character stands and faces in. Its floor is at height 0.</param>
        /// <param name="map">For each slot of <see cref="BoneSlots"/> that has any, its bones from the pelvis outward.</param>
        /// <exception cref="ArgumentException">The bones are no tree, or the map does not fit them.</exception>
        public Rig(int[] parents, Vec3[] positions, Quat[] rotations, Axes axes, IDictionary<string, int[]> map)
        {
            for (var bone = 0; bone < parents.Length; bone++)
            {
                if (bone == 0 ? parents[bone] != -1 : parents[bone] < 0 || parents[bone] >= bone)
                {
                    throw new ArgumentException("the first bone must be the root, and parents must come before children");
                }
            }
            foreach (var entry in map)
            {
                if (BoneSlots.Find(entry.Key) == null)
                {
                    throw new ArgumentException("unknown slot " + entry.Key + " in the bone map");
                }
                if (Array.Exists(entry.Value, bone => bone < 0 || bone >= parents.Length))
                {
                    throw new ArgumentException("slot " + entry.Key + " names a bone that the rig does not have");
                }
                chains[entry.Key] = entry.Value;
            }
            if (Chain("pelvis").Length == 0)
            {
                throw new ArgumentException("the bone map has no pelvis; assign the hips bone");
            }
            Parents = parents;
            LocalPositions = positions;
            LocalRotations = rotations;
            Axes = axes;
            RestRotations = new Quat[parents.Length];
            RestPositions = new Vec3[parents.Length];
            Forward(rotations, RestRotations, RestPositions);
        }

        public int[] Parents { get; private set; }

        public Vec3[] LocalPositions { get; private set; }

        public Quat[] LocalRotations { get; private set; }

        public Axes Axes { get; private set; }

        /// <summary>Rest rotations and positions in model space.</summary>
        public Quat[] RestRotations { get; private set; }

        public Vec3[] RestPositions { get; private set; }

        /// <summary>The bones of a slot; none when it has none.</summary>
        public int[] Chain(string slot)
        {
            int[] chain;
            return chains.TryGetValue(slot, out chain) ? chain : new int[0];
        }

        /// <summary>Local rotations to rotations and positions in model space, the pelvis where the rest pose has it.</summary>
        public void Forward(Quat[] local, Quat[] rotations, Vec3[] positions)
        {
            for (var bone = 0; bone < Parents.Length; bone++)
            {
                var parent = Parents[bone];
                rotations[bone] = parent < 0 ? local[bone] : rotations[parent] * local[bone];
                positions[bone] = parent < 0
                    ? LocalPositions[bone]
                    : positions[parent] + rotations[parent] * LocalPositions[bone];
            }
        }
    }
}
