using System;

namespace MotionBridge
{
    /// <summary>Seconds to wait before each new attempt: doubling, bounded, and scattered so that clients do not come at once.</summary>
    public sealed class Backoff
    {
        private readonly double least;
        private readonly double most;
        private readonly Random random;
        private int attempts;

        public Backoff(double least, double most, Random random)
        {
            this.least = least;
            this.most = most;
            this.random = random;
        }

        /// <summary>The next wait, between half of it and all of it.</summary>
        public double Next()
        {
            var wait = Math.Min(most, least * Math.Pow(2.0, Math.Min(attempts++, 30)));
            return wait * (0.5 + 0.5 * random.NextDouble());
        }

        /// <summary>After a success.</summary>
        public void Reset()
        {
            attempts = 0;
        }
    }
}
