using System;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class FrameBufferTests
    {
        [Test]
        public void FramesComeBackWhateverTheOrderTheyCameIn()
        {
            var buffer = new FrameBuffer(64);
            foreach (var first in new[] { 8, 0, 12, 4 })
            {
                Samples.Insert(buffer, first, 4);
            }
            var pose = new Pose();
            for (var index = 0; index < 16; index++)
            {
                buffer.Read(index, pose);
                Assert.AreEqual(index, pose.Root.X);
            }
            Assert.AreEqual(15, buffer.Newest);
            Assert.AreEqual(10, buffer.Buffered(5));
            Assert.AreEqual(0, buffer.Replaced);
        }

        [Test]
        public void TheNewestOfAnIndexWins()
        {
            var buffer = new FrameBuffer(64);
            Samples.Insert(buffer, 0, 10, 0.0, "old");
            Samples.Insert(buffer, 4, 6, 7.0, "new");
            var pose = new Pose();
            for (var index = 0; index < 10; index++)
            {
                buffer.Read(index, pose);
                Assert.AreEqual(index < 4 ? 0.0 : 7.0, pose.Root.Z);
                Assert.AreEqual(index < 4 ? "old" : "new", buffer.Prompt(index));
            }
            Assert.AreEqual(6, buffer.Replaced);
        }

        [Test]
        public void FramesOlderThanTheWindowAreIgnoredAndAFarJumpEmptiesIt()
        {
            var buffer = new FrameBuffer(8);
            Samples.Insert(buffer, 0, 4);
            Samples.Insert(buffer, 1000, 2);
            Assert.IsFalse(buffer.Has(3));
            Samples.Insert(buffer, 2, 4);
            Assert.AreEqual(1001, buffer.Newest);
            Assert.AreEqual(2, Enumerable.Range(0, 1100).Count(index => buffer.Has(index)));
            Samples.Insert(buffer, Limits.MaxFrameIndex - 1, 2);
            Assert.IsTrue(buffer.Has(Limits.MaxFrameIndex));
        }

        [Test]
        public void AMessageLongerThanTheBufferKeepsItsEnd()
        {
            var buffer = new FrameBuffer(8);
            Samples.Insert(buffer, 0, 50);
            Assert.IsTrue(buffer.Has(49) && buffer.Has(42) && !buffer.Has(41));
        }

        [Test]
        public void SamplesBetweenFramesGoTheShortWay()
        {
            var buffer = new FrameBuffer(64);
            Samples.Insert(buffer, 0, 10);
            var pose = new Pose();
            Assert.IsTrue(buffer.Sample(3.25, 8, pose));
            Assert.AreEqual(3.25, pose.Root.X, 1e-6);
            var turned = Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), 2.0 * 0.01 * 3.25);
            Assert.AreEqual(0.0, Quat.Angle(turned, pose.Rotations[0]), 1e-6);
        }

        [Test]
        public void ASmallGapIsInterpolatedAndAWideOneHeld()
        {
            var buffer = new FrameBuffer(64);
            Samples.Insert(buffer, 0, 2);
            Samples.Insert(buffer, 5, 1);
            Samples.Insert(buffer, 30, 1);
            var pose = new Pose();
            buffer.Sample(3.0, 8, pose);
            Assert.AreEqual(3.0, pose.Root.X, 1e-6);
            buffer.Sample(20.0, 8, pose);
            Assert.AreEqual(5.0, pose.Root.X, 1e-6);
            buffer.Sample(99.0, 8, pose);
            Assert.AreEqual(30.0, pose.Root.X, 1e-6);
        }

        [Test]
        public void AnEmptyBufferGivesNothing()
        {
            var buffer = new FrameBuffer(64);
            Assert.IsFalse(buffer.Sample(0.0, 8, new Pose()));
            Assert.AreEqual(-1, buffer.AtOrBefore(5));
            Assert.Throws<ArgumentException>(() => buffer.Read(0, new Pose()));
        }

        [Test]
        public void AgreesWithASlowModelOnRandomTraffic()
        {
            var random = new Random(7);
            var buffer = new FrameBuffer(32);
            var model = new System.Collections.Generic.Dictionary<long, double>();
            long newest = -1;
            for (var round = 0; round < 3000; round++)
            {
                var first = Math.Max(0, newest + random.Next(-40, 20));
                var count = random.Next(1, 12);
                Samples.Insert(buffer, first, count, round);
                newest = Math.Max(newest, first + count - 1);
                for (var index = first; index < first + count; index++)
                {
                    model[index] = round;
                }
                foreach (var old in model.Keys.Where(index => index <= newest - 32).ToArray())
                {
                    model.Remove(old);
                }
                var pose = new Pose();
                for (var index = Math.Max(0, newest - 45); index <= newest + 5; index++)
                {
                    Assert.AreEqual(model.ContainsKey(index), buffer.Has(index));
                    if (buffer.Has(index))
                    {
                        buffer.Read(index, pose);
                        Assert.AreEqual((float)model[index], pose.Root.Z);
                    }
                }
            }
        }
    }
}
