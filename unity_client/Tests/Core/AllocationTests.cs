using System;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class AllocationTests
    {
        private const int Frames = 3000;

        /// <summary>Message to retargeted pose, three characters at 60 frames a second, playheads and way-points included.</summary>
        [Test]
        public void NothingIsAllocatedPerFrame()
        {
            var method = typeof(GC).GetMethod("GetAllocatedBytesForCurrentThread");
            if (method == null)
            {
                Assert.Ignore("this runtime does not count allocations");
            }
            var allocated = (Func<long>)Delegate.CreateDelegate(typeof(Func<long>), method);
            var server = new FakeServer { Characters = new[] { "a", "b", "c" } };
            var client = server.Client();
            server.Connect(client);
            foreach (var name in server.Characters)
            {
                client.SendPrompt("a person walks", name);
                client.Steer(1.0, null, name, new[] { new Vec3(-50.0, 0.0, 0.0) });
            }
            client.Update(0.0);
            server.AcceptAll();
            server.Transport.StopKeeping();
            client.Update(0.0);
            var messages = Enumerable.Range(0, Frames + 200).SelectMany(frame => server.Characters.Select(
                name => Samples.Message("frames", Samples.FramesFields(frame, 1, 0.0, name, "p1")))).ToArray();
            var retargeter = new Retargeter(Rigs.Stick(), Samples.Skeleton());
            var pose = new Pose();
            var next = 0;
            var shown = 0;
            long before = 0;
            for (var frame = 0; frame < Frames; frame++)
            {
                if (frame == 200)
                {
                    before = allocated();
                }
                for (var character = 0; character < 3; character++)
                {
                    server.Transport.Push(messages[next++]);
                }
                client.Update(1.0 / 30.0);
                for (var character = 0; character < client.Characters.Count; character++)
                {
                    if (client.Characters[character].Sample(pose))
                    {
                        retargeter.Apply(pose);
                        shown++;
                    }
                }
            }
            var bytes = allocated() - before;
            Assert.Greater(shown, 3 * (Frames - 300));
            Assert.Greater(server.Transport.Sent, Frames / 10);
            Assert.AreEqual(0, bytes, "bytes allocated in " + (Frames - 200) + " frames of three characters");
        }
    }
}
