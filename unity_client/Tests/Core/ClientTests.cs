using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class ClientTests
    {
        private FakeServer server;
        private MotionClient client;

        [SetUp]
        public void Start()
        {
            server = new FakeServer();
            client = server.Client();
        }

        [Test]
        public void GreetsAndTakesTheWelcome()
        {
            server.Options.Token = "s3cret";
            server.Options.Int16 = true;
            var states = new List<ConnectionState>();
            client.StateChanged += states.Add;
            server.Connect(client);
            var hello = server.Got("hello").Single();
            Assert.AreEqual("s3cret", hello.Get<string>("token"));
            Assert.AreEqual("int16", hello.Get<string>("encoding"));
            Assert.AreEqual(1, hello.Get<long>("version"));
            Assert.IsFalse(hello.ContainsKey("resume"));
            Assert.AreEqual(22, client.Welcome.Skeleton.Count);
            CollectionAssert.AreEqual(
                new[] { ConnectionState.Connecting, ConnectionState.Greeting, ConnectionState.Connected }, states);
        }

        [Test]
        public void APromptSentBeforeTheConnectionGoesOutWithIt()
        {
            var handle = client.SendPrompt("  a person waves ", "hero", new PromptOptions { Seed = 5, Seconds = 2.0 });
            Assert.AreEqual(PromptState.Waiting, handle.State);
            server.Connect(client);
            var prompt = server.Got("prompt").Single();
            Assert.AreEqual("a person waves", prompt.Get<string>("text"));
            Assert.AreEqual(5, prompt.Get<long>("seed"));
            Assert.AreEqual(PromptState.Sent, handle.State);
        }

        [Test]
        public void AHandleFollowsItsPrompt()
        {
            server.Connect(client);
            var handle = client.SendPrompt("a person waves");
            var states = new List<PromptState>();
            handle.Changed += changed => states.Add(changed.State);
            client.Update(0.01);
            server.Status(handle.Id, "accepted");
            client.Update(0.01);
            server.Status(handle.Id, "started", "main", 7);
            client.Update(0.01);
            server.Status(handle.Id, "finished", "main", 67);
            client.Update(0.01);
            CollectionAssert.AreEqual(
                new[] { PromptState.Sent, PromptState.Accepted, PromptState.Started, PromptState.Finished }, states);
            Assert.AreEqual(7, handle.StartFrame);
            Assert.AreEqual(67, handle.EndFrame);
            Assert.IsTrue(handle.IsDone);
        }

        [Test]
        public void ARefusedPromptSaysWhy()
        {
            server.Connect(client);
            var handle = client.SendPrompt("a person waves");
            client.Update(0.01);
            server.Push("error", new Fields().With("code", "too_many_prompts").With("message", "32 wait already").With("id", handle.Id));
            client.Update(0.01);
            Assert.AreEqual(PromptState.Refused, handle.State);
            Assert.AreEqual("32 wait already", handle.Reason);
        }

        [Test]
        public void ATimelineIsOneMessageAndIsRefusedAsAWhole()
        {
            server.Connect(client);
            var handles = client.SendTimeline(new[] { "a person walks", "a person bows" }, "main", new PromptOptions { OnEnd = "hold" });
            var timeline = server.Got("timeline").Single();
            Assert.AreEqual(2, timeline.Get<object[]>("prompts").Length);
            client.Update(0.01);
            Assert.IsEmpty(server.Got("prompt"));
            server.Push("error", new Fields().With("code", "busy").With("message", "no").With("id", timeline.Get<string>("id")));
            client.Update(0.01);
            Assert.IsTrue(handles.All(handle => handle.State == PromptState.Refused));
        }

        [Test]
        public void AWrongValueIsRefusedBeforeItIsSent()
        {
            server.Connect(client);
            var error = Assert.Throws<ProtocolException>(
                () => client.SendPrompt("walk", "main", new PromptOptions { Seconds = 20.0 }));
            Assert.AreEqual("seconds", error.Field);
            StringAssert.Contains("9.8", error.Message);
            Assert.Throws<ProtocolException>(() => client.SendPrompt("   "));
            Assert.Throws<ProtocolException>(() => client.Steer(4.0, 1.0));
        }

        [Test]
        public void FramesOfACharacterComeOnlyAfterItsPromptIsAccepted()
        {
            server.Connect(client);
            server.Push("frames", Samples.FramesFields(0, 5));
            client.Update(0.01);
            Assert.IsNull(client.Find("main"));
            Play("main", 20);
            Assert.AreEqual(20, client.Find("main").FramesReceived);
            client.Control("remove");
            server.Push("frames", Samples.FramesFields(20, 5));
            client.Update(0.01);
            Assert.AreEqual(20, client.Find("main").FramesReceived);
            Assert.IsFalse(client.Find("main").Exists);
            var epoch = client.Find("main").Epoch;
            Play("main", 4);
            Assert.AreEqual(epoch + 1, client.Find("main").Epoch);
            Assert.AreEqual(4, client.Find("main").FramesReceived);
        }

        [Test]
        public void ReportsThePlayheadAFewTimesASecondAndNeverWhatWasNotSent()
        {
            server.Connect(client);
            Play("main", 60);
            for (var i = 0; i < 180; i++)
            {
                client.Update(1.0 / 60.0);
            }
            var reports = server.Got("playhead");
            Assert.IsTrue(reports.Length >= 9 && reports.Length <= 16, reports.Length + " reports in 3 s");
            Assert.IsTrue(reports.All(report => report.Get<long>("frame") <= 59));
            Assert.AreEqual(59, reports.Last().Get<long>("frame"));
        }

        [Test]
        public void PauseStopsTheClock()
        {
            server.Connect(client);
            Play("main", 60);
            client.Update(0.2);
            client.Control("pause");
            var at = client.Find("main").Clock.Position;
            client.Update(0.5);
            Assert.AreEqual(at, client.Find("main").Clock.Position);
            client.Control("resume");
            client.Update(0.1);
            Assert.Greater(client.Find("main").Clock.Position, at);
        }

        [Test]
        public void ADroppedConnectionComesBackAndResumes()
        {
            server.Connect(client, "token-1");
            var handle = Play("main", 60);
            client.Update(0.5);
            var position = client.Find("main").Clock.Position;
            server.Drop(client);
            Assert.AreEqual(ConnectionState.WaitingToRetry, client.State);
            var unsent = client.SendPrompt("a person sits", "main", new PromptOptions { Queue = true });
            WaitForRetry();
            server.Welcome(client, "token-2", true, "main");
            Assert.AreEqual("token-1", server.Got("hello").Single().Get<string>("resume"));
            Assert.AreEqual(PromptState.Accepted, handle.State);
            Assert.AreEqual(unsent.Id, server.Got("prompt").Single().Get<string>("id"));
            Assert.GreaterOrEqual(client.Find("main").Clock.Position, position);
            Assert.AreEqual(1, client.Find("main").Epoch);
            server.Push("frames", Samples.FramesFields(60, 5));
            client.Update(0.01);
            Assert.AreEqual(65, client.Find("main").FramesReceived);
        }

        [Test]
        public void ResumingSaysHowManyMessagesOfTheSessionArrived()
        {
            server.Connect(client, "token-1");
            Assert.IsFalse(server.Got("hello").Single().ContainsKey("received"));
            Play("main", 60);
            server.Transport.Push(new byte[] { 0xc1 });
            client.Update(0.1);
            Assert.AreEqual(3, ReceivedAtResume());
            server.Welcome(client, "token-1", true, "main");
            server.Push("frames", Samples.FramesFields(60, 5));
            client.Update(0.1);
            Assert.AreEqual(4, ReceivedAtResume());
            server.Push("error", new Fields().With("code", "server_full").With("message", "no room"));
            client.Update(0.0);
            Assert.AreEqual(4, ReceivedAtResume());
            server.Welcome(client, "token-2");
            Assert.AreEqual(0, ReceivedAtResume());
        }

        [Test]
        public void WayPointsAreGroundPointsInOrder()
        {
            server.Connect(client);
            Assert.IsTrue(client.Steer(0.5, null, "hero", new[] { new Vec3(2.0, 9.0, 3.5), new Vec3(-1.25, 0.0, 6.0) }));
            var steer = server.Got("steer").Single();
            var pairs = steer.Get<object[]>("waypoints").Cast<object[]>().ToArray();
            Assert.AreEqual(2, pairs.Length);
            CollectionAssert.AreEqual(new[] { 2.0, 3.5 }, pairs[0]);
            CollectionAssert.AreEqual(new[] { -1.25, 6.0 }, pairs[1]);
            Assert.IsFalse(steer.ContainsKey("speed"));
            var error = Assert.Throws<ProtocolException>(
                () => client.Steer(null, null, "hero", new Vec3[Limits.MaxWaypoints + 1]));
            Assert.AreEqual("waypoints", error.Field);
        }

        [Test]
        public void WithoutResumeTheCharactersStartAnewAndTheirPromptsAreSentAgain()
        {
            server.Connect(client);
            var finished = Play("main", 30);
            server.Status(finished.Id, "finished", "main", 30);
            client.Update(0.0);
            var walking = Play("main", 30, "queue");
            var next = client.SendPrompt("a person bows", "main", new PromptOptions { Queue = true });
            client.Update(0.5);
            server.AcceptAll();
            client.Update(0.0);
            server.Drop(client);
            WaitForRetry();
            server.Welcome(client);
            var sent = server.Got("prompt");
            CollectionAssert.AreEqual(new[] { walking.Id, next.Id }, sent.Select(prompt => prompt.Get<string>("id")));
            CollectionAssert.AreEqual(new[] { "replace", "queue" }, sent.Select(prompt => prompt.Get<string>("mode")));
            Assert.IsFalse(client.Find("main").Exists);
            server.AcceptAll();
            client.Update(0.0);
            Assert.AreEqual(-1, client.Find("main").Buffer.Newest);
            Assert.AreEqual(2, client.Find("main").Epoch);
            Assert.AreEqual(PromptState.Accepted, walking.State);
        }

        [Test]
        public void PromptsAreNotRepeatedWhenThatIsSwitchedOff()
        {
            server.Options.Restore = false;
            server.Connect(client);
            var handle = Play("main", 30);
            server.Drop(client);
            WaitForRetry();
            server.Welcome(client);
            Assert.IsEmpty(server.Got("prompt"));
            Assert.AreEqual(PromptState.Cancelled, handle.State);
        }

        [Test]
        public void APromptThatMayHaveArrivedIsSentAgainAndItsDuplicateIsNoError()
        {
            server.Connect(client, "token-1");
            var handle = client.SendPrompt("a person waves");
            client.Update(0.1);
            server.Drop(client);
            WaitForRetry();
            server.Welcome(client, "token-1", true, "main");
            Assert.AreEqual(handle.Id, server.Got("prompt").Single().Get<string>("id"));
            server.Push("error", new Fields().With("code", "duplicate_id").With("message", "plays").With("id", handle.Id));
            client.Update(0.1);
            Assert.AreEqual(PromptState.Accepted, handle.State);
        }

        [Test]
        public void RetriesComeLessAndLessOften()
        {
            client.Connect();
            var waits = new List<double>();
            for (var attempt = 0; attempt < 8; attempt++)
            {
                server.Drop(client);
                waits.Add(WaitForRetry());
            }
            for (var attempt = 0; attempt < waits.Count; attempt++)
            {
                var most = Math.Min(10.0, 0.5 * Math.Pow(2.0, attempt));
                Assert.IsTrue(waits[attempt] >= 0.5 * most - 0.06 && waits[attempt] <= most + 0.06, waits[attempt] + " s");
            }
        }

        [TestCase(CloseCodes.Unauthorized, "token")]
        [TestCase(CloseCodes.VersionMismatch, "update")]
        [TestCase(CloseCodes.ResumedElsewhere, "taken")]
        public void SomeRefusalsAreFinal(int code, string advice)
        {
            client.Connect();
            server.Drop(client, code, "said the server");
            Assert.AreEqual(ConnectionState.Failed, client.State);
            StringAssert.Contains(advice, client.Problem);
            StringAssert.Contains("said the server", client.Problem);
            client.Update(60.0);
            Assert.AreEqual(1, server.Transports.Count);
        }

        [Test]
        public void AnUnreachableServerIsNamedWithTheCommandThatStartsOne()
        {
            client.Connect();
            server.Drop(client, CloseCodes.Abnormal, "connection refused");
            StringAssert.Contains("motionbridge serve", client.Problem);
            StringAssert.Contains(server.Options.Url, client.Problem);
        }

        [Test]
        public void AServerThatNeverAnswersIsGivenUp()
        {
            client.Connect();
            server.Transport.State = TransportState.Open;
            client.Update(0.0);
            client.Update(10.5);
            Assert.AreEqual(ConnectionState.WaitingToRetry, client.State);
            Assert.IsTrue(server.Transport.IsDisposed);
        }

        [Test]
        public void SilenceIsALostConnectionOnlyWhileACharacterShouldMove()
        {
            server.Connect(client);
            client.Update(60.0);
            Assert.AreEqual(ConnectionState.Connected, client.State);
            Play("main", 30);
            client.Control("pause");
            client.Update(60.0);
            Assert.AreEqual(ConnectionState.Connected, client.State);
            client.Control("resume");
            for (var second = 0; second < 9; second++)
            {
                client.Update(1.0);
            }
            Assert.AreEqual(ConnectionState.Connected, client.State);
            client.Update(1.0);
            client.Update(2.0);
            Assert.AreEqual(ConnectionState.WaitingToRetry, client.State);
        }

        [Test]
        public void BadAndUnknownMessagesAreSkipped()
        {
            server.Connect(client);
            server.Transport.Push(new byte[] { 0xc1, 1, 2 });
            server.Transport.Push(new byte[] { 0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xa3, 0x6e, 0x65, 0x77 });
            client.Update(0.1);
            Assert.AreEqual(1, client.BadMessages);
            Assert.AreEqual(ConnectionState.Connected, client.State);
        }

        [Test]
        public void ClosingEndsEverything()
        {
            server.Connect(client, "token-1");
            var handle = Play("main", 10);
            var clip = client.Generate("a person bows");
            client.Close();
            Assert.AreEqual(PromptState.Cancelled, handle.State);
            Assert.IsNotNull(clip.Error);
            Assert.AreEqual(TransportState.Closed, server.Transport.State);
            Assert.AreEqual(CloseCodes.Normal, server.Transport.CloseCode);
            client.Update(60.0);
            Assert.AreEqual(1, server.Transports.Count);
            client.Connect();
            server.Welcome(client);
            Assert.IsFalse(server.Got("hello").Single().ContainsKey("resume"));
        }

        [Test]
        public void ARequestIsAnsweredByItsClipOrItsError()
        {
            server.Connect(client);
            var good = client.Generate("a person bows", new PromptOptions { Seconds = 2.0 }, 20.0, 10);
            var bad = client.Generate("a person bows");
            var clip = Samples.FramesFields(0, 12);
            server.Push("clip", new Fields().With("id", good.Id).With("text", "a person bows").With("seed", 5).With("frame_rate", 20.0)
                .With("count", 12).With("encoding", "float32").With("root", clip["root"]).With("rotations", clip["rotations"])
                .With("contacts", clip["contacts"]));
            server.Push("error", new Fields().With("code", "busy").With("message", "try again").With("id", bad.Id));
            client.Update(0.1);
            Assert.AreEqual(12, good.Clip.Count);
            Assert.AreEqual("try again", bad.Error);
            var edit = client.Edit(good.Clip, "a person kicks", new[] { new[] { 1, 2 } });
            Assert.IsNull(edit.Error);
            Assert.AreEqual(edit.Id, server.Got("edit").Single().Get<string>("id"));
            CollectionAssert.AreEqual((byte[])clip["root"], server.Got("edit").Single().Get<byte[]>("root"));
        }

        private PromptHandle Play(string character, int frames, string mode = "replace")
        {
            var handle = client.SendPrompt("a person walks", character, new PromptOptions { Queue = mode == "queue" });
            client.Update(0.0);
            server.Status(handle.Id, "accepted", character);
            server.Push("frames", Samples.FramesFields(0, frames, 0.0, character, handle.Id));
            client.Update(0.0);
            return handle;
        }

        /// <summary>Drops the connection, opens another, and returns the <c>hello.received</c> that it brings.</summary>
        private long ReceivedAtResume()
        {
            server.Drop(client);
            WaitForRetry();
            server.Transport.State = TransportState.Open;
            client.Update(0.0);
            return server.Got("hello").Single().Get<long>("received");
        }

        private double WaitForRetry()
        {
            var waited = 0.0;
            while (client.State == ConnectionState.WaitingToRetry)
            {
                client.Update(0.05);
                waited += 0.05;
                Assert.Less(waited, 20.0);
            }
            return waited;
        }
    }
}
