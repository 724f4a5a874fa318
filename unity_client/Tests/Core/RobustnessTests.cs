using System;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class RobustnessTests
    {
        [Test]
        public void TenThousandRandomInputsOnlyEverGiveProtocolExceptions()
        {
            var random = new Random(11);
            var seeds = new[]
            {
                Samples.Message("welcome", Samples.WelcomeFields("token", false, "a", "b")),
                Samples.Message("frames", Samples.FramesFields(3, 2, 0.0, "main", "p1")),
                Samples.Message("error", new Fields().With("code", "busy").With("message", "try again")),
            };
            var refused = 0;
            for (var round = 0; round < 10000; round++)
            {
                var data = round % 2 == 0 ? Noise(random) : Damaged(random, seeds[random.Next(seeds.Length)]);
                // Surrounded by bytes that a read out of range would take for data.
                var padded = Enumerable.Repeat((byte)0x81, 64).Concat(data).Concat(Enumerable.Repeat((byte)0x81, 64)).ToArray();
                refused += Refuses(padded, 64, data.Length) ? 1 : 0;
                Assert.AreEqual(Refuses(padded, 64, data.Length), Refuses(data, 0, data.Length));
            }
            Assert.Greater(refused, 5000);
            Assert.Less(refused, 10000);
        }

        [Test]
        public void EveryShorterMessageIsRefused()
        {
            var data = Samples.Message("frames", Samples.FramesFields(3, 2, 0.0, "main", "p1"));
            for (var length = 0; length < data.Length; length++)
            {
                Assert.IsTrue(Refuses(data, 0, length), "cut at " + length);
            }
        }

        [Test]
        public void ADeepOrHugePromiseCostsNothing()
        {
            var deep = Enumerable.Repeat((byte)0x91, 1000000).ToArray();
            var huge = new byte[] { 0xdf, 0xff, 0xff, 0xff, 0xff };
            Assert.IsTrue(Refuses(deep, 0, deep.Length));
            Assert.IsTrue(Refuses(huge, 0, huge.Length));
        }

        [Test]
        public void FragmentsAreJoined()
        {
            var random = new Random(5);
            var messages = Enumerable.Range(0, 200).Select(i => new byte[random.Next(0, 90000)]).ToArray();
            var queue = new MessageQueue(8, Limits.MaxMessageBytes);
            foreach (var message in messages)
            {
                random.NextBytes(message);
                var at = 0;
                do
                {
                    var room = queue.Room();
                    var count = Math.Min(Math.Min(room.Count, random.Next(1, 4000)), message.Length - at);
                    Buffer.BlockCopy(message, at, room.Array, room.Offset, count);
                    at += count;
                    Assert.IsTrue(queue.Commit(count, at == message.Length));
                }
                while (at < message.Length);
                ByteSlice taken;
                Assert.IsTrue(queue.TryTake(out taken));
                CollectionAssert.AreEqual(message, taken.ToArray());
            }
        }

        [Test]
        public void AMessageOverTheLimitIsRefusedBeforeItIsWhole()
        {
            var queue = new MessageQueue(8, 10000);
            var taken = 0;
            while (queue.Commit(queue.Room().Count, false))
            {
                taken += queue.Room().Count;
                Assert.Less(taken, 40000);
            }
        }

        [Test]
        public void AFullQueueSaysSo()
        {
            var queue = new MessageQueue(2, 100);
            Assert.IsFalse(queue.IsFull);
            queue.Room();
            queue.Commit(1, true);
            queue.Room();
            queue.Commit(1, true);
            Assert.IsTrue(queue.IsFull);
            ByteSlice message;
            queue.TryTake(out message);
            Assert.IsFalse(queue.IsFull);
        }

        private static bool Refuses(byte[] data, int offset, int count)
        {
            try
            {
                FramesView frames;
                if (!FramesReader.TryRead(data, offset, count, out frames))
                {
                    Codec.Decode(data, offset, count, Schemas.FromServer);
                    return false;
                }
                Codec.Decode(data, offset, count, Schemas.FromServer);
                new FrameBuffer(16).Insert(ref frames, null);
                return false;
            }
            catch (ProtocolException)
            {
                return true;
            }
        }

        private static byte[] Noise(Random random)
        {
            var data = new byte[random.Next(0, 300)];
            random.NextBytes(data);
            if (data.Length > 0 && random.Next(2) == 0)
            {
                data[0] = (byte)(0x80 + random.Next(16));
            }
            return data;
        }

        private static byte[] Damaged(Random random, byte[] good)
        {
            var data = (byte[])good.Clone();
            for (var i = random.Next(0, 4); i >= 0; i--)
            {
                data[random.Next(data.Length)] = (byte)random.Next(256);
            }
            return random.Next(4) == 0 ? data.Take(random.Next(data.Length)).ToArray() : data;
        }
    }
}
