using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>What fixes the twist of a bone about its direction, or replaces the direction.</summary>
    internal enum SecondAxis
    {
        /// <summary>The body's forward direction.</summary>
        Forward,

        /// <summary>The hinge of an elbow, which bends forward.</summary>
        Elbow,

        /// <summary>The hinge of a knee, which bends backward.</summary>
        Knee,

        /// <summary>Up, with the bone's heading: soles stay on the ground whatever the height of the ankle.</summary>
        Level,

        /// <summary>None: the bone rests upright and looks forward in both.</summary>
        Upright,

        /// <summary>None: keeps its rest rotation relative to the bone above.</summary>
        Parent,
    }

    /// <summary>One entry of a bone map: a chain of bones that stands for a chain of joints.</summary>
    internal sealed class BoneSlot
    {
        public readonly string Name;
        public readonly string[] Joints;

        /// <summary>The slot it hangs on, and the joint there.</summary>
        public readonly string Above;

        public readonly string Base;

        /// <summary>Slots that its first bone may point at, best first.</summary>
        public readonly string[] Toward;

        public readonly SecondAxis Second;

        /// <summary>The slots of the limb, upper, lower and end, whose plane fixes the twist; null for none.</summary>
        public readonly string[] Hinge;

        public BoneSlot(
            string name, string[] joints, string above, string at, string[] toward, SecondAxis second, string[] hinge = null)
        {
            Name = name;
            Joints = joints;
            Above = above;
            Base = at;
            Toward = toward;
            Second = second;
            Hinge = hinge;
        }
    }

    /// <summary>The entries of a bone map, each after the one it hangs on. Only <c>pelvis</c> must have a bone.</summary>
    /// <remarks>
    /// The torso is aligned as one, by the line from pelvis to neck: single spine bones of real rigs lean by 20 to 30 degrees from
    /// one to the next, and straightening each would bend the body that the artist made.
    /// </remarks>
    public static class BoneSlots
    {
        private static readonly string[] None = new string[0];
        private static readonly BoneSlot[] Table = MakeTable();

        /// <summary>The names of all slots.</summary>
        public static IEnumerable<string> Names
        {
            get
            {
                foreach (var slot in Table)
                {
                    yield return slot.Name;
                }
            }
        }

        internal static IList<BoneSlot> All
        {
            get { return Table; }
        }

        internal static BoneSlot Find(string name)
        {
            foreach (var slot in Table)
            {
                if (slot.Name == name)
                {
                    return slot;
                }
            }
            return null;
        }

        private static BoneSlot[] MakeTable()
        {
            var table = new List<BoneSlot>
            {
                new BoneSlot("pelvis", new[] { "pelvis" }, "", "pelvis", new[] { "neck", "head", "spine" }, SecondAxis.Forward),
                new BoneSlot("spine", new[] { "spine1", "spine2", "spine3" }, "pelvis", "pelvis", None, SecondAxis.Parent),
                new BoneSlot("neck", new[] { "neck" }, "spine", "spine3", new[] { "head" }, SecondAxis.Forward),
                new BoneSlot("head", new[] { "head" }, "neck", "neck", None, SecondAxis.Upright),
            };
            foreach (var side in new[] { "left_", "right_" })
            {
                var arm = new[] { side + "shoulder", side + "elbow", side + "wrist" };
                var leg = new[] { side + "hip", side + "knee", side + "ankle" };
                table.Add(Limb(side + "collar", "spine", "spine3", arm[0], SecondAxis.Forward, null));
                table.Add(Limb(arm[0], side + "collar", side + "collar", arm[1], SecondAxis.Elbow, arm));
                table.Add(Limb(arm[1], arm[0], arm[0], arm[2], SecondAxis.Elbow, arm));
                table.Add(Limb(arm[2], arm[1], arm[1], null, SecondAxis.Parent, null));
                table.Add(Limb(leg[0], "pelvis", "pelvis", leg[1], SecondAxis.Knee, leg));
                table.Add(Limb(leg[1], leg[0], leg[0], leg[2], SecondAxis.Knee, leg));
                table.Add(Limb(leg[2], leg[1], leg[1], side + "foot", SecondAxis.Level, null));
                table.Add(Limb(side + "foot", leg[2], leg[2], null, SecondAxis.Parent, null));
            }
            return table.ToArray();
        }

        private static BoneSlot Limb(string name, string above, string at, string toward, SecondAxis second, string[] hinge)
        {
            return new BoneSlot(name, new[] { name }, above, at, toward == null ? None : new[] { toward }, second, hinge);
        }
    }
}
