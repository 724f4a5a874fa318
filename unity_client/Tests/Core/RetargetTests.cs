using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class RetargetTests
    {
        public static IEnumerable<TestCaseData> Cases()
        {
            return Golden.Cases("retarget");
        }

        [TestCaseSource("Cases")]
        public void RotationsAndPelvisAreTheReferences(string path)
        {
            var test = new RetargetCase(path);
            var retargeter = new Retargeter(test.Rig, Samples.Skeleton());
            var rotations = Golden.Items(test.Expected["rotations"]);
            var pelvis = Golden.Items(test.Expected["pelvis"]);
            Assert.AreEqual((double)test.Expected["scale"], retargeter.Scale, 1e-6);
            for (var frame = 0; frame < test.Frames; frame++)
            {
                retargeter.Apply(test.Pose(frame));
                var wanted = Golden.Items(rotations[frame]);
                for (var bone = 0; bone < wanted.Count; bone++)
                {
                    Assert.AreEqual(
                        0.0, Quat.Angle(Golden.Rotation(wanted[bone]), retargeter.LocalRotations[bone]), 1e-4, test.Names[bone]);
                }
                var apart = (Golden.Vector(pelvis[frame]) - retargeter.Pelvis).Length / test.Rig.Axes.Scale;
                Assert.AreEqual(0.0, apart, 1e-4);
            }
        }

        [TestCaseSource("Cases")]
        public void BonesPointWhereTheSourcePoints(string path)
        {
            Assert.Less(new RetargetCase(path).LargestError(true), 0.1);
        }

        [TestCaseSource("Cases")]
        public void WithoutAlignmentTheyPointElsewhere(string path)
        {
            var test = new RetargetCase(path);
            var wanted = (double)test.Expected["degrees_without_alignment"];
            Assert.Greater(wanted, 5.0);
            Assert.AreEqual(wanted, test.LargestError(false), 0.1);
        }

        [Test]
        public void AnAPoseIsTensOfDegreesOffWithoutAlignment()
        {
            var off = Cases().Where(test => !test.TestName.EndsWith("t_pose") && !test.TestName.EndsWith("long_armed"))
                .Select(test => new RetargetCase((string)test.Arguments[0]).LargestError(false)).ToArray();
            Assert.IsTrue(off.Length >= 6 && off.Min() > 30.0);
        }

        /// <summary>One golden file.</summary>
        private sealed class RetargetCase
        {
            private readonly List<object> rotations;
            private readonly List<object> roots;

            public RetargetCase(string path)
            {
                var test = Golden.Meaning(path);
                var table = Golden.Map(test["rig"]);
                var bones = Golden.Items(table["bones"]).Select(Golden.Map).ToArray();
                Names = bones.Select(bone => (string)bone["name"]).ToArray();
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
}
