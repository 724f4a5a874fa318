using System;
using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>
    /// Turns the wire's frame of reference into another (SPEC.md, "Frame of reference"): component i of the target is
    /// <c>sign[i]</c> times component <c>order[i]</c> of the source; positions also take a scale.
    /// </summary>
    public sealed class Axes
    {
        private readonly int[] positionOrder;
        private readonly int[] positionSign;
        private readonly int[] rotationOrder;
        private readonly int[] rotationSign;

        private Axes(int[] positionOrder, int[] positionSign, int[] rotationOrder, int[] rotationSign, double scale)
        {
            this.positionOrder = positionOrder;
            this.positionSign = positionSign;
            this.rotationOrder = rotationOrder;
            this.rotationSign = rotationSign;
            Scale = scale;
        }

        public static readonly Axes Wire = new Axes(
            new[] { 0, 1, 2 }, new[] { 1, 1, 1 }, new[] { 0, 1, 2 }, new[] { 1, 1, 1 }, 1.0);

        public static readonly Axes Unity = new Axes(
            new[] { 0, 1, 2 }, new[] { -1, 1, 1 }, new[] { 0, 1, 2 }, new[] { 1, -1, -1 }, 1.0);

        /// <summary>All tables by the names that the golden vectors use.</summary>
        public static readonly IDictionary<string, Axes> ByName = new Dictionary<string, Axes>
        {
            { "wire", Wire },
            { "unity", Unity },
            {
                "unreal_actor",
                new Axes(new[] { 2, 0, 1 }, new[] { 1, -1, 1 }, new[] { 2, 0, 1 }, new[] { -1, 1, -1 }, 100.0)
            },
            {
                "unreal_mesh",
                new Axes(new[] { 0, 2, 1 }, new[] { 1, 1, 1 }, new[] { 0, 2, 1 }, new[] { -1, -1, -1 }, 100.0)
            },
        };

        /// <summary>Units of the target in a metre.</summary>
        public double Scale { get; private set; }

        public Vec3 Up
        {
            get { return Direction(new Vec3(0.0, 1.0, 0.0)); }
        }

        public Vec3 Forward
        {
            get { return Direction(new Vec3(0.0, 0.0, 1.0)); }
        }

        public Vec3 Position(Vec3 p)
        {
            return Scale * Direction(p);
        }

        public Quat Rotation(Quat q)
        {
            var v = Signed(new Vec3(q.X, q.Y, q.Z), rotationOrder, rotationSign);
            return new Quat(v.X, v.Y, v.Z, q.W);
        }

        public Vec3 Direction(Vec3 d)
        {
            return Signed(d, positionOrder, positionSign);
        }

        private static Vec3 Signed(Vec3 v, int[] order, int[] sign)
        {
            return new Vec3(
                sign[0] * Part(v, order[0]), sign[1] * Part(v, order[1]), sign[2] * Part(v, order[2]));
        }

        private static double Part(Vec3 v, int index)
        {
            return index == 0 ? v.X : index == 1 ? v.Y : v.Z;
        }
    }
}
