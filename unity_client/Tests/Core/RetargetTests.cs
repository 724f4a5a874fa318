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
    }
}
