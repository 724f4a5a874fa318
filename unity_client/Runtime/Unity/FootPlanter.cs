using System;
using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>
    /// Puts feet onto the ground that the game has, where the stream's flat floor is not: casts a ray below each ankle, lowers the hips
    /// to the lower foot, and bends the legs so that the ankles keep their height over the ground.
    /// </summary>
    [Serializable]
    public sealed class FootPlanter
    {
        [Tooltip("Cast rays to the ground below the feet.")]
        public bool enabled;

        [Tooltip("Layers that are ground. Leave the character's own layer out.")]
        public LayerMask ground = ~0;

        [Tooltip("Highest step up or down, in metres.")]
        public float maxStep = 0.5f;

        [Tooltip("Half-life of changes of height, in seconds.")]
        public float halfLife = 0.06f;

        private readonly float[] offsets = new float[2];
        private float lowered;

        private static readonly string[] Sides = { "left_", "right_" };

        /// <summary>Adjusts a pose that has just been written.</summary>
        /// <param name="weight">0 does nothing.</param>
        public void Apply(CharacterRig rig, float weight, float elapsed)
        {
            if (!enabled || weight <= 0.0f)
            {
                return;
            }
            var follow = halfLife > 0.0f ? 1.0f - Mathf.Pow(0.5f, elapsed / halfLife) : 1.0f;
            for (var side = 0; side < Sides.Length; side++)
            {
                var ankle = Bone(rig, side, "ankle");
                var target = ankle == null ? 0.0f : GroundBelow(rig.Root, ankle.position);
                offsets[side] = Mathf.Lerp(offsets[side], target, follow);
            }
            lowered = Mathf.Min(0.0f, Mathf.Min(offsets[0], offsets[1]));
            var up = rig.Root.up;
            rig.Hips.position += weight * lowered * up;
            for (var side = 0; side < Sides.Length; side++)
            {
                Reach(rig, side, weight * (offsets[side] - lowered) * up);
            }
        }

        /// <summary>Height of the ground under a point, over the plane the character stands on; 0 when nothing is hit.</summary>
        private float GroundBelow(Transform root, Vector3 point)
        {
            var up = root.up;
            var height = Vector3.Dot(point - root.position, up);
            var start = point + (maxStep - height) * up;
            RaycastHit hit;
            if (!Physics.Raycast(start, -up, out hit, 2.0f * maxStep, ground, QueryTriggerInteraction.Ignore))
            {
                return 0.0f;
            }
            return Vector3.Dot(hit.point - root.position, up);
        }

        private static void Reach(CharacterRig rig, int side, Vector3 lift)
        {
            var hip = Bone(rig, side, "hip");
            var knee = Bone(rig, side, "knee");
            var ankle = Bone(rig, side, "ankle");
            if (hip == null || knee == null || ankle == null)
            {
                return;
            }
            var sole = ankle.rotation;
            Quat thigh;
            Quat shin;
            TwoBoneIk.Solve(
                hip.position.ToVec3(), knee.position.ToVec3(), ankle.position.ToVec3(), (ankle.position + lift).ToVec3(),
                rig.Root.forward.ToVec3(), out thigh, out shin);
            var turnedKnee = shin.ToQuaternion() * knee.rotation;
            hip.rotation = thigh.ToQuaternion() * hip.rotation;
            knee.rotation = turnedKnee;
            ankle.rotation = sole;
        }

        private static Transform Bone(CharacterRig rig, int side, string part)
        {
            var chain = rig.Rig.Chain(Sides[side] + part);
            return chain.Length == 0 ? null : rig.Bones[chain[0]];
        }
    }
}
