using System;

namespace MotionBridge
{
    /// <summary>
    /// Writes msgpack in the protocol's one fixed encoding: shortest integers, strings, binaries, arrays and maps, floats as
    /// float 64. It keeps its buffer, so that a writer that is cleared and used again allocates nothing.
    /// </summary>
    public sealed class MsgpackWriter
    {
        private byte[] data = new byte[256];

        /// <summary>Bytes written since the last <see cref="Clear"/>.</summary>
        public int Count { get; private set; }

        /// <summary>The buffer; the first <see cref="Count"/> bytes of it count, until the next write.</summary>
        public byte[] Buffer
        {
            get { return data; }
        }

        public void Clear()
        {
            Count = 0;
        }

        public byte[] ToArray()
        {
            var copy = new byte[Count];
            System.Buffer.BlockCopy(data, 0, copy, 0, Count);
            return copy;
        }

        public void WriteBoolean(bool value)
        {
            Put(value ? (byte)0xc3 : (byte)0xc2);
        }

        public void WriteInteger(long value)
        {
            if (value >= -32 && value <= 127)
            {
                Put((byte)value);
            }
            else if (value >= 0)
            {
                var width = value <= byte.MaxValue ? 0 : value <= ushort.MaxValue ? 1 : value <= uint.MaxValue ? 2 : 3;
                Put((byte)(0xcc + width));
                PutBigEndian((ulong)value, 1 << width);
            }
            else
            {
                var width = value >= sbyte.MinValue ? 0 : value >= short.MinValue ? 1 : value >= int.MinValue ? 2 : 3;
                Put((byte)(0xd0 + width));
                PutBigEndian((ulong)value, 1 << width);
            }
        }

        public void WriteNumber(double value)
        {
            Put(0xcb);
            PutBigEndian((ulong)BitConverter.DoubleToInt64Bits(value), 8);
        }

        public void WriteString(string value)
        {
            WriteUtf8(Utf8.Encode(value));
        }

        /// <summary>A string from its UTF-8 bytes.</summary>
        public void WriteUtf8(byte[] value)
        {
            if (value.Length < 32)
            {
                Put((byte)(0xa0 | value.Length));
            }
            else
            {
                PutLength(value.Length, 0xd9);
            }
            PutBytes(value);
        }

        public void WriteBinary(byte[] value)
        {
            PutLength(value.Length, 0xc4);
            PutBytes(value);
        }

        public void WriteArrayHeader(int count)
        {
            PutHeader(count, 0x90, 0xdc);
        }

        public void WriteMapHeader(int count)
        {
            PutHeader(count, 0x80, 0xde);
        }

        private void PutHeader(int count, int small, int large)
        {
            if (count < 16)
            {
                Put((byte)(small | count));
                return;
            }
            var wide = count > ushort.MaxValue;
            Put((byte)(large + (wide ? 1 : 0)));
            PutBigEndian((ulong)count, wide ? 4 : 2);
        }

        private void PutLength(int length, int head)
        {
            var width = length <= byte.MaxValue ? 0 : length <= ushort.MaxValue ? 1 : 2;
            Put((byte)(head + width));
            PutBigEndian((ulong)length, 1 << width);
        }

        private void PutBigEndian(ulong value, int bytes)
        {
            Grow(bytes);
            for (var shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
            {
                data[Count++] = (byte)(value >> shift);
            }
        }

        private void PutBytes(byte[] bytes)
        {
            Grow(bytes.Length);
            System.Buffer.BlockCopy(bytes, 0, data, Count, bytes.Length);
            Count += bytes.Length;
        }

        private void Put(byte value)
        {
            Grow(1);
            data[Count++] = value;
        }

        private void Grow(int more)
        {
            if (data.Length - Count < more)
            {
                Array.Resize(ref data, Math.Max(2 * data.Length, Count + more));
            }
        }
    }
}
