using System;
using System.Runtime.InteropServices;

namespace MotionBridge
{
    /// <summary>What the next msgpack value is.</summary>
    public enum MsgpackKind
    {
        Nil,
        Boolean,
        Integer,
        Float,
        String,
        Binary,
        Array,
        Map,
        Extension,
    }

    /// <summary>A stretch of bytes within a message.</summary>
    public struct ByteSlice
    {
        public readonly byte[] Data;
        public readonly int Offset;
        public readonly int Count;

        public ByteSlice(byte[] data, int offset, int count)
        {
            Data = data;
            Offset = offset;
            Count = count;
        }

        /// <summary>Whether the bytes are those given.</summary>
        public bool Is(byte[] other)
        {
            if (other == null || other.Length != Count)
            {
                return false;
            }
            for (var i = 0; i < Count; i++)
            {
                if (Data[Offset + i] != other[i])
                {
                    return false;
                }
            }
            return true;
        }

        /// <summary>A copy of the bytes.</summary>
        public byte[] ToArray()
        {
            var copy = new byte[Count];
            Buffer.BlockCopy(Data, Offset, copy, 0, Count);
            return copy;
        }
    }

    /// <summary>
    /// A cursor over the msgpack values of one message. It allocates nothing, reads nothing outside its bytes, and accepts
    /// every encoding of a value. Each method throws <see cref="ProtocolException"/> with the code <c>malformed</c> when the
    /// bytes are not what it reads.
    /// </summary>
    public struct MsgpackReader
    {
        private readonly byte[] data;
        private readonly int end;
        private int position;

        public MsgpackReader(byte[] data, int offset, int count)
        {
            if (offset < 0 || count < 0 || offset > data.Length - count)
            {
                throw new ArgumentOutOfRangeException("count", "the message does not lie within the array");
            }
            this.data = data;
            position = offset;
            end = offset + count;
        }

        /// <summary>Whether all bytes have been read.</summary>
        public bool AtEnd
        {
            get { return position == end; }
        }

        /// <summary>What the next value is.</summary>
        public MsgpackKind Kind
        {
            get { return KindOf(Peek()); }
        }

        public void ReadNil()
        {
            Expect(MsgpackKind.Nil);
            position++;
        }

        public bool ReadBoolean()
        {
            Expect(MsgpackKind.Boolean);
            return data[position++] == 0xc3;
        }

        /// <summary>An integer; those above the range of <see cref="long"/> come as its largest value.</summary>
        public long ReadInteger()
        {
            Expect(MsgpackKind.Integer);
            var head = data[position++];
            if (head <= 0x7f || head >= 0xe0)
            {
                return (sbyte)head;
            }
            var signed = head >= 0xd0;
            var bytes = 1 << (head & 3);
            var bits = ReadBigEndian(bytes);
            if (!signed)
            {
                return bits > long.MaxValue ? long.MaxValue : (long)bits;
            }
            var unused = 64 - 8 * bytes;
            return (long)(bits << unused) >> unused;
        }

        /// <summary>A float 32, float 64 or integer.</summary>
        public double ReadNumber()
        {
            if (Kind == MsgpackKind.Integer)
            {
                return ReadInteger();
            }
            Expect(MsgpackKind.Float);
            if (data[position++] == 0xcb)
            {
                return BitConverter.Int64BitsToDouble((long)ReadBigEndian(8));
            }
            return new FloatBits { Bits = (uint)ReadBigEndian(4) }.Value;
        }

        /// <summary>The UTF-8 bytes of a string, which are known to be valid.</summary>
        public ByteSlice ReadString()
        {
            Expect(MsgpackKind.String);
            var head = data[position++];
            var slice = Take(head < 0xc0 ? (ulong)(head & 0x1f) : ReadBigEndian(1 << (head - 0xd9)));
            if (!Utf8.IsValid(slice))
            {
                throw Malformed("a string is not UTF-8");
            }
            return slice;
        }

        public ByteSlice ReadBinary()
        {
            Expect(MsgpackKind.Binary);
            return Take(ReadBigEndian(1 << (data[position++] - 0xc4)));
        }

        /// <summary>The number of entries of an array, which the message is long enough to hold.</summary>
        public int ReadArrayHeader()
        {
            Expect(MsgpackKind.Array);
            var head = data[position++];
            return Length(head < 0xa0 ? (ulong)(head & 0x0f) : ReadBigEndian(2 << (head - 0xdc)), 1);
        }

        /// <summary>The number of keys of a map, which the message is long enough to hold.</summary>
        public int ReadMapHeader()
        {
            Expect(MsgpackKind.Map);
            var head = data[position++];
            return Length(head < 0x90 ? (ulong)(head & 0x0f) : ReadBigEndian(2 << (head - 0xde)), 2);
        }

        /// <summary>Passes over one value, extension types included.</summary>
        /// <param name="values">Values the message may still hold; lowered by those within this one.</param>
        /// <param name="depth">How many maps and arrays the value lies in.</param>
        public void Skip(ref int values, int depth)
        {
            switch (Kind)
            {
                case MsgpackKind.String:
                    ReadString();
                    break;
                case MsgpackKind.Binary:
                    ReadBinary();
                    break;
                case MsgpackKind.Extension:
                    SkipExtension();
                    break;
                case MsgpackKind.Array:
                    var entries = Enter(ReadArrayHeader(), ref values, depth);
                    for (var i = 0; i < entries; i++)
                    {
                        Skip(ref values, depth + 1);
                    }
                    break;
                case MsgpackKind.Map:
                    var keys = Enter(ReadMapHeader(), ref values, depth);
                    for (var i = 0; i < keys; i++)
                    {
                        ReadString();
                        Skip(ref values, depth + 1);
                    }
                    break;
                case MsgpackKind.Float:
                case MsgpackKind.Integer:
                    ReadNumber();
                    break;
                default:
                    position++;
                    break;
            }
        }

        /// <summary>Checks that a map or array of so many values may be there, and counts them.</summary>
        public static int Enter(int count, ref int values, int depth)
        {
            if (depth >= Limits.MaxDepth)
            {
                throw Malformed("a message is nested deeper than " + Limits.MaxDepth + " levels");
            }
            values -= count;
            if (values < 0)
            {
                throw Malformed("a message holds more than " + Limits.MaxValues + " values");
            }
            return count;
        }

        public void SkipExtension()
        {
            Expect(MsgpackKind.Extension);
            var head = data[position++];
            var length = head >= 0xd4 ? 1UL << (head - 0xd4) : ReadBigEndian(1 << (head - 0xc7));
            Take(1);
            Take(length);
        }

        internal static ProtocolException Malformed(string problem)
        {
            return new ProtocolException(ErrorCodes.Malformed, problem);
        }

        private static MsgpackKind KindOf(byte head)
        {
            if (head <= 0x7f || head >= 0xe0)
            {
                return MsgpackKind.Integer;
            }
            if (head <= 0x8f)
            {
                return MsgpackKind.Map;
            }
            if (head <= 0x9f)
            {
                return MsgpackKind.Array;
            }
            return head <= 0xbf ? MsgpackKind.String : Kinds[head - 0xc0];
        }

        // 0xc1 is never used; KindOf's caller refuses it before it looks here.
        private static readonly MsgpackKind[] Kinds =
        {
            MsgpackKind.Nil, MsgpackKind.Nil, MsgpackKind.Boolean, MsgpackKind.Boolean,
            MsgpackKind.Binary, MsgpackKind.Binary, MsgpackKind.Binary, MsgpackKind.Extension,
            MsgpackKind.Extension, MsgpackKind.Extension, MsgpackKind.Float, MsgpackKind.Float,
            MsgpackKind.Integer, MsgpackKind.Integer, MsgpackKind.Integer, MsgpackKind.Integer,
            MsgpackKind.Integer, MsgpackKind.Integer, MsgpackKind.Integer, MsgpackKind.Integer,
            MsgpackKind.Extension, MsgpackKind.Extension, MsgpackKind.Extension, MsgpackKind.Extension,
            MsgpackKind.Extension, MsgpackKind.String, MsgpackKind.String, MsgpackKind.String,
            MsgpackKind.Array, MsgpackKind.Array, MsgpackKind.Map, MsgpackKind.Map,
        };

        private byte Peek()
        {
            if (position >= end)
            {
                throw Malformed("the message ends within a value");
            }
            if (data[position] == 0xc1)
            {
                throw Malformed("byte 0xc1 is no msgpack");
            }
            return data[position];
        }

        private void Expect(MsgpackKind wanted)
        {
            if (Kind != wanted)
            {
                throw Malformed("expected " + wanted + ", found " + Kind);
            }
        }

        private ulong ReadBigEndian(int bytes)
        {
            if (bytes > end - position)
            {
                throw Malformed("the message ends within a value");
            }
            ulong value = 0;
            for (var i = 0; i < bytes; i++)
            {
                value = value << 8 | data[position++];
            }
            return value;
        }

        private ByteSlice Take(ulong count)
        {
            if (count > (ulong)(end - position))
            {
                throw Malformed("a length promises more than the message holds");
            }
            var slice = new ByteSlice(data, position, (int)count);
            position += (int)count;
            return slice;
        }

        private int Length(ulong count, int bytesEach)
        {
            if (count * (ulong)bytesEach > (ulong)(end - position))
            {
                throw Malformed("a length promises more than the message holds");
            }
            return (int)count;
        }

        [StructLayout(LayoutKind.Explicit)]
        private struct FloatBits
        {
            [FieldOffset(0)]
            public uint Bits;

            [FieldOffset(0)]
            public float Value;
        }
    }
}
