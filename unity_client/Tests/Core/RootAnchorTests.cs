using System;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class RootAnchorTests
    {
        [Test]
        public void ANewTimelineBeginsWhereTheOldOneWasLeft()
        {
            var shown = Standing(3.0, -2.0, 1.1);
            var first = Standing(0.4, 0.3, -2.0);
            var anchor = new RootAnchor();
            anchor.Join(shown, first);
            anchor.Apply(first);
            Assert.AreEqual(0.0, (shown.Root - first.Root).Length, 1e-9);
            Assert.AreEqual(1.1, RootAnchor.Heading(first), 1e-9);
        }

        [Test]
        public void TravelTurnsWithTheHeading()
        {
            var anchor = new RootAnchor();
            anchor.Join(Standing(0.0, 0.0, Math.PI / 2), Standing(0.0, 0.0, 0.0));
            var later = Standing(0.0, 1.0, 0.0);
            anchor.Apply(later);
            Assert.AreEqual(0.0, (new Vec3(1.0, 0.95, 0.0) - later.Root).Length, 1e-9);
        }

        private static Pose Standing(double x, double z, double heading)
        {
            var pose = new Pose { Root = new Vec3(x, 0.95, z) };
            pose.Rotations[0] = Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), heading) * Quat.AxisAngle(new Vec3(1.0, 0.0, 0.0), 0.1);
            return pose;
        }
    }
}
