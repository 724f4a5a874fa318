using System;
using System.Collections.Generic;
using System.Linq;

namespace MotionBridge.Tests
{
    /// <summary>One golden file.</summary>
    internal sealed class RetargetCase
    {
        private readonly List<object> rotations;
        private readonly List<object> roots;

        public RetargetCase(string path)
        {
            var test = Golden.Meaning(path);
            var table = Golden.Map(test["rig"]);
            var bones = Golden.Items(table["bones"]).Select(Golden.Map).ToArray();
            Names = bones.Select(bone => (string)bone["name"]).ToArray();
            AxesName = (string)table["axes"];
            Rig = new Rig(
                bones.Select(bone => (int)(double)bone["parent"]).ToArray(),
                bones.Select(bone => Golden.Vector(bone["position"])).ToArray(),
                bones.Select(bone => Golden.Rotation(bone["rotation"])).ToArray(),
                Axes.ByName[(string)table["axes"]],
                Golden.Items(table["map"]).Select(Golden.Map).ToDictionary(
                    entry => (string)entry["slot"],
                    entry => Golden.Items(entry["bones"]).Select(bone => Array.IndexOf(Names, (string)bone)).ToArray()));
            rotations = Golden.Items(Golden.Map(test["source"])["rotations"]);
            roots = Golden.Items(Golden.Map(test["source"])["root"]);
            Expected = Golden.Map(test["expected"]);
        }

        public Rig Rig { get; private set; }

        public string AxesName { get; private set; }

        public string[] Names { get; private set; }

        public Dictionary<string, object> Expected { get; private set; }

        public int Frames
        {
            get { return roots.Count; }
        }

        public Pose Pose(int frame)
        {
            var pose = new Pose { Root = Golden.Vector(roots[frame]) };
            for (var joint = 0; joint < Limits.JointCount; joint++)
            {
                pose.Rotations[joint] = Golden.Rotation(Golden.Items(rotations[frame])[joint]);
            }
            return pose;
        }

        public double LargestError(bool align)
        {
            var retargeter = new Retargeter(Rig, Samples.Skeleton(), align);
            var turned = new Quat[Names.Length];
            var positions = new Vec3[Names.Length];
            var largest = 0.0;
            for (var frame = 0; frame < Frames; frame++)
            {
                retargeter.Apply(Pose(frame));
                Rig.Forward(retargeter.LocalRotations, turned, positions);
                foreach (var aim in Golden.Items(Expected["directions"]).Select(Golden.Map))
                {
                    var from = Array.IndexOf(Names, (string)aim["from"]);
                    var to = Array.IndexOf(Names, (string)aim["to"]);
                    var wanted = Golden.Vector(Golden.Items(aim["direction"])[frame]);
                    largest = Math.Max(largest, Golden.Degrees(positions[to] - positions[from], wanted));
                }
            }
            return largest;
        }
    }
}
