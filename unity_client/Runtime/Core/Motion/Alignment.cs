using System;
using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>
    /// For each slot of a rig that has bones, the rotation in model space that turns the rig's rest pose into the stream's T-pose.
    /// The reference is <c>protocol/retarget.py</c>.
    /// </summary>
    internal sealed class Alignment
    {
        /// <summary>A resting elbow or knee that is bent less does not tell where its hinge is.</summary>
        private const double MinHingeBend = 20.0 * Math.PI / 180.0;

        /// <summary>Cosine between the hinge read off a rig and the usual one, below which the joint is bent backwards.</summary>
        private const double Hyperextended = -0.5;

        /// <summary>Bones closer than this give no direction.</summary>
        private const double MinAimMetres = 0.001;

        private readonly Rig rig;
        private readonly Skeleton skeleton;
        private readonly Dictionary<string, Quat> rotations = new Dictionary<string, Quat>();

        public Alignment(Rig rig, Skeleton skeleton)
        {
            this.rig = rig;
            this.skeleton = skeleton;
            foreach (var slot in BoneSlots.All)
            {
                if (rig.Chain(slot.Name).Length > 0)
                {
                    rotations[slot.Name] = Align(slot);
                }
            }
        }

        public Quat this[string slot]
        {
            get
            {
                Quat rotation;
                return rotations.TryGetValue(slot, out rotation) ? rotation : Quat.Identity;
            }
        }

        private Quat Align(BoneSlot slot)
        {
            if (slot.Second == SecondAxis.Upright)
            {
                return Quat.Identity;
            }
            var aim = Array.Find(
                slot.Toward, to => rig.Chain(to).Length > 0 && RigAim(slot.Name, to).Length > MinAimMetres * rig.Axes.Scale);
            if (aim == null)
            {
                return this[slot.Above];
            }
            var ours = RigAim(slot.Name, aim).Normalized;
            var theirs = (Source(BoneSlots.Find(aim).Joints[0]) - Source(slot.Joints[0])).Normalized;
            var forward = rig.Axes.Forward;
            switch (slot.Second)
            {
                case SecondAxis.Level:
                    return Turn(rig.Axes.Up, theirs, rig.Axes.Up, ours);
                case SecondAxis.Forward:
                    return Turn(theirs, forward, ours, forward);
                default:
                    var flex = slot.Second == SecondAxis.Elbow ? forward : -forward;
                    return Turn(theirs, SourceHinge(slot, theirs, flex), ours, RigHinge(slot, ours, flex));
            }
        }

        private Vec3 RigAim(string from, string to)
        {
            return rig.RestPositions[rig.Chain(to)[0]] - rig.RestPositions[rig.Chain(from)[0]];
        }

        private Vec3 Source(string joint)
        {
            return rig.Axes.Position(skeleton.RestPosition(skeleton.Index(joint)));
        }

        private Vec3 SourceHinge(BoneSlot slot, Vec3 direction, Vec3 flex)
        {
            return Hinge(Source(slot.Hinge[0]), Source(slot.Hinge[1]), Source(slot.Hinge[2]), direction, flex);
        }

        private Vec3 RigHinge(BoneSlot slot, Vec3 direction, Vec3 flex)
        {
            var limb = Array.ConvertAll(slot.Hinge, rig.Chain);
            if (Array.Exists(limb, chain => chain.Length == 0))
            {
                return Vec3.Cross(direction, flex).Normalized;
            }
            var joints = Array.ConvertAll(limb, chain => rig.RestPositions[chain[0]]);
            return Hinge(joints[0], joints[1], joints[2], direction, flex);
        }

        /// <summary>The hinge axis of a limb, or the usual one for bones along a direction that bend toward another.</summary>
        private static Vec3 Hinge(Vec3 start, Vec3 middle, Vec3 end, Vec3 direction, Vec3 flex)
        {
            var usual = Vec3.Cross(direction, flex).Normalized;
            var upper = (middle - start).Normalized;
            var lower = (end - middle).Normalized;
            var axis = Vec3.Cross(upper, lower);
            var bend = Math.Atan2(axis.Length, Vec3.Dot(upper, lower));
            return bend < MinHingeBend || Vec3.Dot(axis.Normalized, usual) < Hyperextended ? usual : axis.Normalized;
        }

        /// <summary>The rotation between two frames of two axes each; the first axis of each is exact.</summary>
        private static Quat Turn(Vec3 toFirst, Vec3 toSecond, Vec3 fromFirst, Vec3 fromSecond)
        {
            return Quat.FromTwoAxes(toFirst, toSecond) * Quat.FromTwoAxes(fromFirst, fromSecond).Inverse;
        }
    }
}
