using System;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class CharacterMotionTests
    {
        [Test]
        public void TravelAndTurningAddUpToThePathOfTheStream()
        {
            var root = new RootMotion();
            var place = new Vec3();
            var heading = 0.0;
            for (var step = 0; step <= 200; step++)
            {
                var pose = Standing(0.1 * step, Math.Sin(0.05 * step), 3.0 + 0.04 * step);
                root.Take(pose);
                place += Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), heading) * root.Move;
                heading += root.Turn;
                Assert.AreEqual(0.0, RootMotion.Heading(pose), 1e-9);
                Assert.AreEqual(0.0, (pose.Root - new Vec3(0.0, 0.95, 0.0)).Length, 1e-9);
            }
            // The object began at heading 0 while the stream began at 3: the same path, turned by −3.
            var wanted = Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), -3.0) * new Vec3(20.0, 0.0, Math.Sin(10.0));
            Assert.AreEqual(0.0, (wanted - place).Length, 1e-9);
            Assert.AreEqual(8.0, heading, 1e-9);
        }

        [Test]
        public void ANewTimelineMovesNothingAndIsFadedIn()
        {
            var server = new FakeServer();
            var client = server.Client();
            server.Connect(client);
            var motion = new CharacterMotion();
            Play(server, client, 0.0);
            var stream = client.Find("main");
            Assert.IsTrue(motion.Step(stream, 0.1, 0.0));
            client.Update(1.0);
            motion.Step(stream, 1.0, 0.0);
            Assert.Greater(motion.Move.Length, 1.0);
            client.Control("remove");
            Play(server, client, 50.0);
            Assert.IsTrue(motion.Step(stream, 1.0 / 60.0, 0.0));
            Assert.AreEqual(0.0, motion.Move.Length, 0.0);
        }

        [Test]
        public void APointBesideTheCharacterIsFoundInTheStreamsAxes()
        {
            var root = new RootMotion();
            root.Take(Standing(2.0, 5.0, 0.5 * Math.PI));
            Assert.AreEqual(0.0, (new Vec3(2.0, 0.0, 5.0) - root.Place.Point).Length, 1e-9);
            var server = new FakeServer();
            var client = server.Client();
            server.Connect(client);
            var motion = new CharacterMotion();
            Assert.IsFalse(motion.IsOn(client.Find("main")));
            Play(server, client, 4.0);
            var stream = client.Find("main");
            Assert.IsFalse(motion.IsOn(stream));
            motion.Step(stream, 0.1, 0.0);
            Assert.IsTrue(motion.IsOn(stream));
            var here = motion.ToStream(new Vec3());
            Assert.AreEqual(4.0, here.Z, 1e-9);
            var ahead = motion.ToStream(new Vec3(0.0, 7.0, 3.0)) - here;
            Assert.AreEqual(0.0, (3.0 * new Vec3(Math.Sin(motion.Heading), 0.0, Math.Cos(motion.Heading)) - ahead).Length, 1e-9);
            client.Control("remove");
            Assert.IsFalse(motion.IsOn(stream));
            Play(server, client, 50.0);
            Assert.IsFalse(motion.IsOn(stream));
        }

        [Test]
        public void SmoothingHalvesADifferenceInItsHalfLife()
        {
            var server = new FakeServer();
            var client = server.Client();
            server.Connect(client);
            Play(server, client, 0.0);
            var motion = new CharacterMotion();
            motion.Step(client.Find("main"), 0.1, 0.0);
            motion.Pose.Root = new Vec3(0.0, 2.0, 0.0);
            motion.Step(client.Find("main"), 0.25, 0.25);
            Assert.AreEqual(1.0, motion.Pose.Root.Y, 1e-6);
        }

        [TestCase(0.05, 0.05, 0.2)]
        [TestCase(0.0, 0.12, 0.0)]
        [TestCase(-0.1, 0.25, -0.2)]
        public void TheAnkleComesToItsTargetAndTheBonesKeepTheirLengths(double x, double y, double z)
        {
            var hip = new Vec3(0.1, 0.9, 0.0);
            var knee = new Vec3(0.1, 0.5, 0.02);
            var ankle = new Vec3(0.1, 0.1, 0.0);
            var target = ankle + new Vec3(x, y, z);
            Quat thigh;
            Quat shin;
            TwoBoneIk.Solve(hip, knee, ankle, target, new Vec3(0.0, 0.0, 1.0), out thigh, out shin);
            var newKnee = hip + thigh * (knee - hip);
            var newAnkle = newKnee + shin * (ankle - knee);
            Assert.AreEqual(0.0, (target - newAnkle).Length, 1e-6);
            Assert.Greater(Vec3.Dot(newKnee - 0.5 * (hip + newAnkle), new Vec3(0.0, 0.0, 1.0)), 0.0);
        }

        [Test]
        public void ATargetOutOfReachIsPointedAt()
        {
            Quat thigh;
            Quat shin;
            var hip = new Vec3(0.0, 1.0, 0.0);
            TwoBoneIk.Solve(
                hip, new Vec3(0.0, 0.5, 0.0), new Vec3(), new Vec3(3.0, 1.0, 0.0), new Vec3(0.0, 0.0, 1.0), out thigh, out shin);
            var ankle = hip + thigh * new Vec3(0.0, -0.5, 0.0) + shin * new Vec3(0.0, -0.5, 0.0);
            Assert.AreEqual(0.0, (new Vec3(0.999, 1.0, 0.0) - ankle).Length, 1e-3);
        }

        private static void Play(FakeServer server, MotionClient client, double z)
        {
            var handle = client.SendPrompt("a person walks");
            client.Update(0.0);
            server.Status(handle.Id, "accepted");
            server.Push("frames", Samples.FramesFields(0, 60, z));
            client.Update(0.0);
            client.Update(0.01);
        }

        private static Pose Standing(double x, double z, double heading)
        {
            var pose = new Pose { Root = new Vec3(x, 0.95, z) };
            pose.Rotations[0] = Quat.AxisAngle(new Vec3(0.0, 1.0, 0.0), heading) * Quat.AxisAngle(new Vec3(1.0, 0.0, 0.0), 0.1);
            return pose;
        }
    }
}
