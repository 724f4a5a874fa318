using System;
using System.Runtime.InteropServices;

namespace MotionBridge
{
    /// <summary>Pose blocks to numbers (SPEC.md, "Pose blocks"). Allocates nothing unless a block is wrong.</summary>
    public static class PoseCodec
    {
        public const int RootBytes = 12;
        public const int FloatsPerFrame = 4 * Limits.JointCount;
        private const float Int16Scale = 32767f;

        /// <summary>Bytes that one frame's rotations take.</summary>
        public static int RotationBytes(bool int16)
        {
            return FloatsPerFrame * (int16 ? 2 : 4);
        }

        /// <summary>What is wrong with a block called <c>root</c>, <c>rotations</c> or <c>contacts</c>; null when nothing is.</summary>
        public static string Problem(string name, ByteSlice block, int count, bool int16)
        {
            var each = name == "root" ? RootBytes : name == "rotations" ? RotationBytes(int16) : 1;
            if (block.Count != each * count)
            {
                return "has " + block.Count + " bytes, " + count + " frames need " + each * count;
            }
            if (name == "root" && !IsRootGood(block, count))
            {
                return "positions must be finite and within " + Limits.MaxRootMetres + " m of the origin";
            }
            if (name == "rotations" && !AreRotationsGood(block, count, int16))
            {
                return "quaternions must have length 1 within " + Limits.UnitTolerance;
            }
            return null;
        }

        /// <summary>Whether the three blocks hold what <paramref name="count"/> frames need.</summary>
        public static bool AreGood(ByteSlice root, ByteSlice rotations, ByteSlice contacts, int count, bool int16)
        {
            return root.Count == RootBytes * count
                && rotations.Count == RotationBytes(int16) * count
                && contacts.Count == count
                && IsRootGood(root, count)
                && AreRotationsGood(rotations, count, int16);
        }

        /// <summary>Position of the pelvis in a frame, metres, into three floats from <paramref name="at"/> on.</summary>
        public static void ReadRoot(ByteSlice block, int frame, float[] target, int at)
        {
            for (var axis = 0; axis < 3; axis++)
            {
                target[at + axis] = ReadSingle(block, 3 * frame + axis);
            }
        }

        /// <summary>A frame's local rotations xyzw, of unit length, into 88 floats from <paramref name="at"/> on.</summary>
        public static void ReadRotations(ByteSlice block, int frame, bool int16, float[] target, int at)
        {
            for (var joint = 0; joint < Limits.JointCount; joint++)
            {
                var first = frame * FloatsPerFrame + 4 * joint;
                var length = int16 ? Length(block, first, true) : 1f;
                for (var part = 0; part < 4; part++)
                {
                    target[at + 4 * joint + part] = Component(block, first + part, int16) / length;
                }
            }
        }

        /// <summary>A frame's contact bits: 1 left heel, 2 left toe, 4 right heel, 8 right toe.</summary>
        public static byte ReadContacts(ByteSlice block, int frame)
        {
            return (byte)(block.Data[block.Offset + frame] & 0x0f);
        }

        private static bool IsRootGood(ByteSlice block, int count)
        {
            for (var i = 0; i < 3 * count; i++)
            {
                if (!(Math.Abs(ReadSingle(block, i)) <= Limits.MaxRootMetres))
                {
                    return false;
                }
            }
            return true;
        }

        private static bool AreRotationsGood(ByteSlice block, int count, bool int16)
        {
            for (var joint = 0; joint < count * Limits.JointCount; joint++)
            {
                // A NaN compares false.
                if (!(Math.Abs(Length(block, 4 * joint, int16) - 1f) <= Limits.UnitTolerance))
                {
                    return false;
                }
            }
            return true;
        }

        private static float Length(ByteSlice block, int first, bool int16)
        {
            var sum = 0f;
            for (var part = 0; part < 4; part++)
            {
                var component = Component(block, first + part, int16);
                sum += component * component;
            }
            return (float)Math.Sqrt(sum);
        }

        private static float Component(ByteSlice block, int index, bool int16)
        {
            if (!int16)
            {
                return ReadSingle(block, index);
            }
            var at = block.Offset + 2 * index;
            return (short)(block.Data[at] | block.Data[at + 1] << 8) / Int16Scale;
        }

        private static float ReadSingle(ByteSlice block, int index)
        {
            var data = block.Data;
            var at = block.Offset + 4 * index;
            var bits = data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24;
            return new SingleBits { Bits = bits }.Value;
        }

        [StructLayout(LayoutKind.Explicit)]
        private struct SingleBits
        {
            [FieldOffset(0)]
            public int Bits;

            [FieldOffset(0)]
            public float Value;
        }
    }
}
