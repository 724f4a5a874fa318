using System;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class PlayheadClockTests
    {
        private const double Lead = 0.25;
        private const double Rate = 30.0;

        [Test]
        public void StartsWhenHalfTheLeadIsHeld()
        {
            var buffer = new FrameBuffer(256);
            var clock = new PlayheadClock(Lead);
            Samples.Insert(buffer, 0, 2);
            clock.Advance(0.001, buffer, Rate);
            Assert.IsFalse(clock.HasStarted);
            Samples.Insert(buffer, 2, 4);
            clock.Advance(0.001, buffer, Rate);
            Assert.IsTrue(clock.HasStarted);
        }

        [Test]
        public void StartsInTheEndWithLittle()
        {
            var buffer = new FrameBuffer(256);
            var clock = new PlayheadClock(Lead);
            Samples.Insert(buffer, 0, 3);
            for (var i = 0; i < 70; i++)
            {
                clock.Advance(1.0 / 60.0, buffer, Rate);
            }
            Assert.IsTrue(clock.HasStarted);
        }

        [Test]
        public void RunsAtExactlyRealTimeWhenTheServerKeepsItsLead()
        {
            var run = new Run(new Random(1), 0.0, 0.0);
            run.Play(20.0);
            Assert.AreEqual(0, run.Clock.Underruns);
            Assert.AreEqual(20.0 * Rate, run.Clock.Position, 0.3 * Rate);
            Assert.AreEqual(1.0, run.Clock.Speed);
        }

        [TestCase(0.05)]
        [TestCase(0.1)]
        public void JitterWithinTheLeadNeverStopsIt(double jitter)
        {
            var run = new Run(new Random(2), 0.02, jitter);
            run.Play(30.0);
            Assert.AreEqual(0, run.Clock.Underruns);
            Assert.Less(run.FastestStep, 1.06);
            Assert.GreaterOrEqual(run.SlowestStep, 0.94);
        }

        [Test]
        public void AfterAStallItGoesOnAndKeepsALongerDelay()
        {
            var run = new Run(new Random(3), 0.02, 0.02);
            run.Play(5.0);
            run.StallFor = 0.6;
            run.Play(5.0);
            Assert.GreaterOrEqual(run.Clock.Underruns, 1);
            Assert.Greater(run.Clock.Delay, 0.5 * Lead);
            Assert.Greater(run.Clock.Position, 8.5 * Rate);
            Assert.LessOrEqual(run.Clock.Position, run.Buffer.Newest);
            run.Play(60.0);
            Assert.AreEqual(0.5 * Lead, run.Clock.Delay, 0.02);
        }

        [Test]
        public void JumpsOverAWideGapAndNotOverANarrowOne()
        {
            var buffer = new FrameBuffer(256);
            var clock = new PlayheadClock(Lead);
            Samples.Insert(buffer, 0, 10);
            Samples.Insert(buffer, 12, 8);
            Samples.Insert(buffer, 60, 30);
            var largest = 0.0;
            var before = 0.0;
            for (var i = 0; i < 60; i++)
            {
                clock.Advance(1.0 / 60.0, buffer, Rate);
                largest = Math.Max(largest, clock.Position - before);
                before = clock.Position;
            }
            Assert.Greater(clock.Position, 60.0);
            Assert.AreEqual(60.0 - 20.0, largest, 1.5);
        }

        [Test]
        public void SlowsDownBeforeFramesRunOut()
        {
            var buffer = new FrameBuffer(256);
            var clock = new PlayheadClock(Lead);
            Samples.Insert(buffer, 0, 9);
            for (var i = 0; i < 14; i++)
            {
                clock.Advance(1.0 / 60.0, buffer, Rate);
            }
            Assert.Less(clock.Speed, 1.0);
            Assert.GreaterOrEqual(clock.Speed, 0.95);
        }

        /// <summary>A server that keeps its lead over reports that take a while, over a network that delays at random, in order.</summary>
        private sealed class Run
        {
            public readonly FrameBuffer Buffer = new FrameBuffer(256);
            public readonly PlayheadClock Clock = new PlayheadClock(Lead);
            public double StallFor;
            public double FastestStep;
            public double SlowestStep = 1.0;
            private readonly System.Collections.Generic.Queue<double[]> flying =
                new System.Collections.Generic.Queue<double[]>();
            private readonly Random random;
            private readonly double delay;
            private readonly double jitter;
            private double time;
            private double lastArrival;
            private long sent = -1;

            public Run(Random random, double delay, double jitter)
            {
                this.random = random;
                this.delay = delay;
                this.jitter = jitter;
            }

            public void Play(double seconds)
            {
                for (var end = time + seconds; time < end; time += 1.0 / 60.0)
                {
                    var shown = Clock.HasStarted ? Clock.Position : 0.0;
                    for (var last = (long)(shown + Lead * Rate); sent < last; sent++)
                    {
                        lastArrival = Math.Max(lastArrival, time + delay + jitter * random.NextDouble() + StallFor);
                        StallFor = 0.0;
                        flying.Enqueue(new[] { lastArrival, sent + 1 });
                    }
                    while (flying.Count > 0 && flying.Peek()[0] <= time)
                    {
                        Samples.Insert(Buffer, (long)flying.Dequeue()[1], 1);
                    }
                    var before = Clock.Position;
                    var ran = Clock.HasStarted && !Clock.IsWaiting;
                    Clock.Advance(1.0 / 60.0, Buffer, Rate);
                    if (ran && !Clock.IsWaiting)
                    {
                        var step = (Clock.Position - before) * 60.0 / Rate;
                        FastestStep = Math.Max(FastestStep, step);
                        SlowestStep = Math.Min(SlowestStep, step);
                    }
                }
            }
        }
    }
}
