using System;

namespace MotionBridge
{
    /// <summary>
    /// Puts streamed poses onto one rig: <c>G_target = G_source · A · R_rest</c> in model space for every mapped bone; unmapped ones
    /// keep their local rest rotation. Allocates nothing per pose. The reference is <c>protocol/retarget.py</c>.
    /// </summary>
    public sealed class Retargeter
    {
        private readonly Rig rig;
        private readonly Skeleton skeleton;
        private readonly Link[] links;
        private readonly Quat[] source;
        private readonly Quat[] unit;
        private readonly Quat[] turned;
        private readonly double lift;

        /// <param name="align">False leaves the alignment A out; tests show with it what A does.</param>
        public Retargeter(Rig rig, Skeleton skeleton, bool align = true)
        {
            this.rig = rig;
            this.skeleton = skeleton;
            var count = rig.Parents.Length;
            links = new Link[count];
            source = new Quat[skeleton.Count];
            unit = new Quat[skeleton.Count];
            turned = new Quat[count];
            LocalRotations = (Quat[])rig.LocalRotations.Clone();
            var alignment = new Alignment(rig, skeleton);
            foreach (var slot in BoneSlots.All)
            {
                AddLinks(slot, align ? alignment[slot.Name] : Quat.Identity);
            }
            Scale = Proportion(align ? alignment["pelvis"] : Quat.Identity, out lift);
        }

        /// <summary>Factor of the root's travel.</summary>
        public double Scale { get; private set; }

        /// <summary>Local rotations of every bone after <see cref="Apply"/>.</summary>
        public Quat[] LocalRotations { get; private set; }

        /// <summary>Position of the pelvis bone in model space, in the rig's unit, after <see cref="Apply"/>.</summary>
        public Vec3 Pelvis { get; private set; }

        /// <summary>Whether a bone is driven by the stream.</summary>
        public bool IsDriven(int bone)
        {
            return links[bone] != null;
        }

        /// <summary>Retargets one pose into <see cref="LocalRotations"/> and <see cref="Pelvis"/>.</summary>
        public void Apply(Pose pose)
        {
            for (var joint = 0; joint < unit.Length; joint++)
            {
                unit[joint] = pose.Rotations[joint].Normalized;
            }
            skeleton.ToGlobal(unit, source);
            for (var joint = 0; joint < source.Length; joint++)
            {
                source[joint] = rig.Axes.Rotation(source[joint]);
            }
            for (var bone = 0; bone < links.Length; bone++)
            {
                var parent = rig.Parents[bone];
                var link = links[bone];
                if (link == null)
                {
                    turned[bone] = parent < 0 ? rig.LocalRotations[bone] : turned[parent] * rig.LocalRotations[bone];
                    continue;
                }
                var global = link.Share < 1.0
                    ? Quat.Slerp(source[link.Low], source[link.High], link.Share)
                    : source[link.High];
                turned[bone] = global * link.Rest;
                LocalRotations[bone] = parent < 0 ? turned[bone] : turned[parent].Inverse * turned[bone];
            }
            Pelvis = Scale * rig.Axes.Position(pose.Root) + lift * rig.Axes.Up;
        }

        private void AddLinks(BoneSlot slot, Quat alignment)
        {
            var chain = rig.Chain(slot.Name);
            for (var place = 0; place < chain.Length; place++)
            {
                // Bone k of N stands for the stretch k/N to (k+1)/N of the joints and turns with the end of it.
                var end = (place + 1.0) * slot.Joints.Length / chain.Length;
                var low = Math.Min((int)Math.Ceiling(end) - 1, slot.Joints.Length - 1);
                links[chain[place]] = new Link
                {
                    Low = skeleton.Index(low == 0 ? slot.Base : slot.Joints[low - 1]),
                    High = skeleton.Index(slot.Joints[low]),
                    Share = end - low,
                    Rest = alignment * rig.RestRotations[chain[place]],
                };
            }
        }

        /// <summary>
        /// Root scale, and the height to add so that a standing source stands on the floor. Both compare legs stretched out
        /// straight, so that a rig which rests with its legs apart counts in full.
        /// </summary>
        private double Proportion(Quat pelvisAlignment, out double added)
        {
            var up = rig.Axes.Up;
            var pelvis = rig.RestPositions[rig.Chain("pelvis")[0]];
            var sourcePelvis = Vec3.Dot(rig.Axes.Position(skeleton.RestPosition(0)), up);
            var ours = 0.0;
            var theirs = 0.0;
            var hips = new Vec3();
            foreach (var side in new[] { "left_", "right_" })
            {
                var leg = new[] { side + "hip", side + "knee", side + "ankle" };
                if (Array.Exists(leg, slot => rig.Chain(slot).Length == 0))
                {
                    added = 0.0;
                    return Vec3.Dot(pelvis, up) / sourcePelvis;
                }
                var joints = Array.ConvertAll(leg, slot => rig.RestPositions[rig.Chain(slot)[0]]);
                ours += 0.5 * LegHeight(joints, up);
                theirs += 0.5 * LegHeight(
                    Array.ConvertAll(leg, name => rig.Axes.Position(skeleton.RestPosition(skeleton.Index(name)))), up);
                hips += 0.5 * joints[0];
            }
            var scale = ours / theirs;
            added = ours + Vec3.Dot(pelvisAlignment * (pelvis - hips), up) - scale * sourcePelvis;
            return scale;
        }

        private static double LegHeight(Vec3[] leg, Vec3 up)
        {
            return (leg[1] - leg[0]).Length + (leg[2] - leg[1]).Length + Vec3.Dot(leg[2], up);
        }

        /// <summary>What drives a bone: the rotation a share of the way from one joint to the next.</summary>
        private sealed class Link
        {
            public int Low;
            public int High;
            public double Share;

            /// <summary>A · R_rest: the bone's rotation in model space while the source stands in its T-pose.</summary>
            public Quat Rest;
        }
    }
}
