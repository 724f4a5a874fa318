using System;

namespace MotionBridge
{
    /// <summary>
    /// Where in a character's timeline the client is. It starts when <see cref="Delay"/> seconds of frames are held, runs by the
    /// client's own clock, slows down by up to 5 % before frames run out and speeds up by as much when far too many are held. When
    /// they do run out it waits for them again, and from then on keeps a longer delay, which shrinks again over time.
    /// </summary>
    /// <remarks>
    /// The server sends up to a fixed lead ahead of the playhead that this clock reports. Aiming at an exact fill would therefore
    /// chase itself: playing faster makes the server send faster. So between the two marks the speed is exactly 1.
    /// </remarks>
    public sealed class PlayheadClock
    {
        private const double MaxSpeedChange = 0.05;
        private const double DelayGrowth = 1.5;
        private const double DelayRecoverySeconds = 30.0;
        private const double PatienceSeconds = 1.0;

        /// <summary>Longest gap, in seconds, that is interpolated over; the clock jumps over a longer one.</summary>
        public const double LongestGapSeconds = 0.25;

        private readonly double lead;
        private double waited;

        /// <param name="lead">Seconds that the server keeps ahead, <c>welcome.lead</c>.</param>
        public PlayheadClock(double lead)
        {
            this.lead = lead;
            Reset();
        }

        /// <summary>Frames since frame 0, with a fraction. Meaningless until <see cref="HasStarted"/>.</summary>
        public double Position { get; private set; }

        /// <summary>Whether a frame has been shown.</summary>
        public bool HasStarted { get; private set; }

        /// <summary>Whether it waits for frames.</summary>
        public bool IsWaiting { get; private set; }

        /// <summary>Seconds of frames to hold before it goes on.</summary>
        public double Delay { get; private set; }

        /// <summary>Speed of the last advance; 1 is real time.</summary>
        public double Speed { get; private set; }

        /// <summary>How often frames ran out.</summary>
        public int Underruns { get; private set; }

        private double ShortestDelay
        {
            get { return 0.5 * lead; }
        }

        /// <summary>Back to before the first frame of a timeline.</summary>
        public void Reset()
        {
            Position = 0.0;
            HasStarted = false;
            IsWaiting = true;
            Delay = ShortestDelay;
            Speed = 0.0;
            Underruns = 0;
            waited = 0.0;
        }

        /// <summary>Moves on by <paramref name="elapsed"/> seconds.</summary>
        public void Advance(double elapsed, FrameBuffer buffer, double frameRate)
        {
            Speed = 0.0;
            if (buffer.Newest < 0)
            {
                return;
            }
            if (!HasStarted)
            {
                Position = Math.Max(0, buffer.After(-1));
            }
            var held = (buffer.Newest - Position) / frameRate;
            if (IsWaiting && !StopWaiting(elapsed, held))
            {
                return;
            }
            Speed = SpeedFor(held);
            Position += elapsed * frameRate * Speed;
            Delay = Math.Max(ShortestDelay, Delay - elapsed * lead / DelayRecoverySeconds);
            JumpOverGap(buffer, frameRate);
            if (Position >= buffer.Newest)
            {
                Position = buffer.Newest;
                IsWaiting = true;
                Underruns++;
                // The server never sends more than its lead: waiting for more would wait for ever.
                Delay = Math.Min(0.9 * lead, Delay * DelayGrowth);
            }
        }

        private bool StopWaiting(double elapsed, double held)
        {
            waited = held > 0.0 ? waited + elapsed : 0.0;
            if (held < Delay && waited < PatienceSeconds)
            {
                return false;
            }
            waited = 0.0;
            HasStarted = true;
            IsWaiting = false;
            return true;
        }

        private double SpeedFor(double held)
        {
            var low = 0.5 * Delay;
            var high = lead + Delay;
            if (held < low)
            {
                return 1.0 - MaxSpeedChange * (1.0 - Math.Max(0.0, held) / Math.Max(low, 1e-9));
            }
            return held > high ? 1.0 + MaxSpeedChange * Math.Min(1.0, (held - high) / Math.Max(lead, 1e-9)) : 1.0;
        }

        private void JumpOverGap(FrameBuffer buffer, double frameRate)
        {
            var floor = (long)Math.Floor(Position);
            if (buffer.Has(floor))
            {
                return;
            }
            var before = buffer.AtOrBefore(floor);
            var after = buffer.After(floor);
            if (after >= 0 && (before < 0 || after - before > Math.Ceiling(LongestGapSeconds * frameRate)))
            {
                Position = after;
            }
        }
    }
}
