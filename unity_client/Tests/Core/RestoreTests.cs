using System;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    /// <summary>What a session begun anew is told, when the one before could not be resumed.</summary>
    [TestFixture]
    public class RestoreTests
    {
        private FakeServer server;
        private MotionClient client;

        [SetUp]
        public void Connect()
        {
            server = new FakeServer();
            client = server.Client();
            server.Connect(client);
        }

        [Test]
        public void APathLiesWhereItDidForWhoWalksIt()
        {
            Walk("hero", 0, 60);
            client.Update(1.0);
            var before = PlaceOf("hero");
            Assert.Greater(before.Point.X, 10.0);
            var corner = new Vec3(before.Point.X + 4.0, 0.0, -3.0);
            var door = new Vec3(before.Point.X + 8.0, 0.0, 6.0);
            Assert.IsTrue(client.Steer(0.7, 1.5, "hero", new[] { corner, door }));
            LoseSession();
            var left = PlaceOf("hero");
            Assert.Greater(left.Point.X, before.Point.X, "it walked on while the connection was down");
            Assert.IsEmpty(server.Got("steer"));
            server.AcceptAll();
            client.Update(0.0);
            Assert.IsEmpty(server.Got("steer"), "before its first pose is shown no one knows where it stands");
            server.Push("frames", Samples.FramesFields(40, 30, 5.0, "hero"));
            client.Update(0.0);
            var now = PlaceOf("hero");
            Assert.AreEqual(5.0, now.Point.Z);
            var steer = server.Got("steer").Single();
            Assert.AreEqual(1.5, steer.Get<double>("speed"));
            Assert.AreEqual(Place.Turn(left.Heading, 0.7), Place.Turn(now.Heading, steer.Get<double>("heading")), 1e-9);
            var points = steer.Get<object[]>("waypoints").Cast<object[]>().Select(Point).ToArray();
            Assert.AreEqual(2, points.Length);
            Assert.AreEqual(0.0, (left.ToLocal(corner) - now.ToLocal(points[0])).Length, 1e-9);
            Assert.AreEqual(0.0, (left.ToLocal(door) - now.ToLocal(points[1])).Length, 1e-9);
            client.Update(0.1);
            Assert.AreEqual(1, server.Got("steer").Length);
        }

        [Test]
        public void WayPointsThatWereReachedAreNotWalkedToAgain()
        {
            Walk("hero", 0, 60);
            client.Steer(null, null, "hero", new[] { new Vec3(3.0, 0.0, 0.3), new Vec3(900.0, 0.0, 0.0) });
            for (var i = 0; i < 20; i++)
            {
                client.Update(1.0 / 60.0);
            }
            Assert.Greater(PlaceOf("hero").Point.X, 4.0);
            LoseSession();
            Accept("hero", 0, 10);
            Assert.AreEqual(1, server.Got("steer").Single().Get<object[]>("waypoints").Length);
        }

        [Test]
        public void SteeringThatWasLetGoOfStaysSo()
        {
            Walk("hero", 0, 60);
            client.Steer(1.0, 1.0, "hero");
            client.Steer(null, null, "hero");
            LoseSession();
            Accept("hero", 0, 10);
            Assert.IsEmpty(server.Got("steer"));
        }

        [Test]
        public void ASecondLossBeforeThePathWasToldAgainKeepsIt()
        {
            Walk("hero", 0, 60);
            client.Update(1.0);
            client.Steer(null, null, "hero", new[] { new Vec3(90.0, 0.0, 4.0) });
            LoseSession();
            var left = PlaceOf("hero");
            server.AcceptAll();
            client.Update(0.0);
            LoseSession();
            Accept("hero", 25, 10);
            var point = Point((object[])server.Got("steer").Single().Get<object[]>("waypoints")[0]);
            Assert.AreEqual(0.0, (left.ToLocal(new Vec3(90.0, 0.0, 4.0)) - PlaceOf("hero").ToLocal(point)).Length, 1e-9);
        }

        [Test]
        public void RootMotionAndPauseAreToldAgain()
        {
            Walk("hero", 0, 60);
            client.Control("root_motion_off", "hero");
            client.Control("pause", "hero");
            LoseSession();
            Accept("hero", 0, 10);
            CollectionAssert.AreEqual(
                new[] { "root_motion_off", "pause" }, server.Got("control").Select(control => control.Get<string>("action")));
            Assert.IsTrue(client.Find("hero").IsPaused);
        }

        [Test]
        public void ACharacterThatStoodIdleDoesSoAgainAndOneThatHeldItsPoseNeedsNoServer()
        {
            Finish(Walk("idle", 0, 30), 30);
            Finish(Walk("held", 0, 30, "hold"), 30);
            Finish(Walk("gone", 0, 30), 30);
            client.Control("remove", "gone");
            LoseSession();
            Assert.AreEqual("idle", server.Got("prompt").Single().Get<string>("character"));
            Assert.AreEqual("idle", server.Got("control").Single().Get<string>("character"));
            Assert.AreEqual("stop", server.Got("control").Single().Get<string>("action"));
            Accept("idle", 0, 10);
            Assert.IsTrue(client.Find("idle").Exists);
            Assert.IsFalse(client.Find("held").Exists);
        }

        [Test]
        public void ACharacterRemovedWithoutAConnectionIsRemovedWhenTheSessionGoesOn()
        {
            server = new FakeServer();
            client = server.Client();
            server.Connect(client, "token");
            var walk = Walk("hero", 0, 60);
            server.Drop(client);
            Assert.IsFalse(client.Control("remove", "hero"));
            Assert.AreEqual(PromptState.Cancelled, walk.State);
            Assert.IsFalse(client.Find("hero").Exists);
            client.SendPrompt("a person bows", "hero");
            LoseSession("token", true, "hero");
            CollectionAssert.AreEqual(
                new[] { "hello", "control", "prompt" }, server.Transport.Received.Select(message => message.Type));
            Assert.IsFalse(client.Find("hero").Exists);
            LoseSession();
            Assert.IsEmpty(server.Got("control"));
        }

        [Test]
        public void NothingIsToldAgainWhenThatIsSwitchedOff()
        {
            server.Options.Restore = false;
            Walk("hero", 0, 60);
            Finish(Walk("idle", 0, 30), 30);
            client.Steer(1.0, 1.0, "hero");
            client.Control("pause", "hero");
            LoseSession();
            client.SendPrompt("a person walks", "hero");
            client.Update(0.0);
            Accept("hero", 0, 10);
            Assert.IsEmpty(server.Got("steer"));
            Assert.IsEmpty(server.Got("control"));
        }

        [Test]
        public void AMessageAboutACharacterGoesAfterThePromptThatMakesIt()
        {
            client.SendPrompt("a person walks", "hero");
            client.Steer(1.0, 1.0, "hero");
            client.SendPrompt("a person waves", "other");
            client.SendTimeline(new[] { "a person bows" }, "other", new PromptOptions { Queue = true });
            CollectionAssert.AreEqual(
                new[] { "hello", "prompt", "steer", "prompt", "timeline" },
                server.Transport.Received.Select(message => message.Type));
        }

        [Test]
        public void ResumingAfterAnEndWithoutRetriesGoesOn()
        {
            server = new FakeServer();
            server.Options.Reconnect = false;
            client = server.Client();
            server.Connect(client, "token");
            Walk("hero", 0, 30);
            server.Drop(client);
            Assert.AreEqual(ConnectionState.Disconnected, client.State);
            server.Connect(client, "token", true, "hero");
            server.Push("frames", Samples.FramesFields(30, 5, 0.0, "hero"));
            client.Update(0.0);
            Assert.AreEqual(35, client.Find("hero").FramesReceived);
        }

        private PromptHandle Walk(string character, long first, int frames, string onEnd = "idle")
        {
            var handle = client.SendPrompt("a person walks", character, new PromptOptions { OnEnd = onEnd });
            client.Update(0.0);
            Accept(character, first, frames);
            return handle;
        }

        private void Accept(string character, long first, int frames)
        {
            server.AcceptAll();
            server.Push("frames", Samples.FramesFields(first, frames, 0.0, character));
            client.Update(0.0);
        }

        private void Finish(PromptHandle handle, long frame)
        {
            server.Status(handle.Id, "finished", handle.Character, frame);
            client.Update(0.0);
        }

        private void LoseSession(string resume = null, bool resumed = false, params string[] characters)
        {
            server.Drop(client);
            while (client.State == ConnectionState.WaitingToRetry)
            {
                client.Update(0.05);
            }
            server.Welcome(client, resume, resumed, characters);
        }

        private Place PlaceOf(string character)
        {
            var pose = new Pose();
            Assert.IsTrue(client.Find(character).Sample(pose));
            return new Place(pose);
        }

        private static Vec3 Point(object[] pair)
        {
            return new Vec3((double)pair[0], 0.0, (double)pair[1]);
        }
    }
}
