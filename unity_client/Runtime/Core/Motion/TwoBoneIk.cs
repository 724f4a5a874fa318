using System;

namespace MotionBridge
{
    /// <summary>Bends a leg so that its ankle comes to a place, in the plane it is bent in already.</summary>
    public static class TwoBoneIk
    {
        /// <summary>The part of its length that a leg may be stretched to; more would make the knee snap.</summary>
        private const double MostStretch = 0.999;

        /// <summary>Finds how to turn the thigh, and then the shin, in the space of the positions.</summary>
        /// <param name="forward">Where the knee goes when the leg is straight.</param>
        public static void Solve(
            Vec3 hip, Vec3 knee, Vec3 ankle, Vec3 target, Vec3 forward, out Quat thighTurn, out Quat shinTurn)
        {
            var thigh = (knee - hip).Length;
            var shin = (ankle - knee).Length;
            var reach = target - hip;
            var distance = Math.Min(Math.Max(reach.Length, Math.Abs(thigh - shin) + 1e-6), MostStretch * (thigh + shin));
            var direction = reach.Normalized;
            var bend = Perpendicular(knee - hip, (ankle - hip).Normalized);
            var pole = bend.Length < 1e-3 * thigh ? forward : Between(ankle - hip, reach) * bend;
            pole = Perpendicular(pole, direction);
            // Law of cosines: how far along the reach the knee lies, and how far beside it.
            var along = (thigh * thigh - shin * shin + distance * distance) / (2.0 * distance);
            var beside = Math.Sqrt(Math.Max(0.0, thigh * thigh - along * along));
            var newKnee = hip + along * direction + beside * pole.Normalized;
            var newAnkle = hip + distance * direction;
            thighTurn = Between(knee - hip, newKnee - hip);
            shinTurn = Between(thighTurn * (ankle - knee), newAnkle - newKnee) * thighTurn;
        }

        private static Vec3 Perpendicular(Vec3 v, Vec3 direction)
        {
            return v - Vec3.Dot(v, direction) * direction;
        }

        private static Quat Between(Vec3 from, Vec3 to)
        {
            var a = from.Normalized;
            var b = to.Normalized;
            var axis = Vec3.Cross(a, b);
            return new Quat(axis.X, axis.Y, axis.Z, 1.0 + Vec3.Dot(a, b)).Normalized;
        }
    }
}
