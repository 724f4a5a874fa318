using System;
using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>
    /// Joins the fragments that a socket thread receives and hands whole messages to another thread. Buffers are used again, so a
    /// steady stream allocates nothing. When <see cref="Capacity"/> messages wait, <see cref="IsFull"/> tells the socket thread to
    /// stop reading: the server then notices that the client is slow and skips frames.
    /// </summary>
    public sealed class MessageQueue
    {
        private const int FirstSize = 4096;
        private readonly object gate = new object();
        private readonly Queue<Item> waiting = new Queue<Item>();
        private readonly Stack<byte[]> free = new Stack<byte[]>();
        private readonly int maxBytes;
        private byte[] filling = new byte[FirstSize];
        private int filled;
        private byte[] taken;

        public MessageQueue(int capacity, int maxBytes)
        {
            Capacity = capacity;
            this.maxBytes = maxBytes;
        }

        public int Capacity { get; private set; }

        public bool IsFull
        {
            get
            {
                lock (gate)
                {
                    return waiting.Count >= Capacity;
                }
            }
        }

        /// <summary>Where the socket thread writes the next bytes of the message under way.</summary>
        public ArraySegment<byte> Room()
        {
            if (filled == filling.Length)
            {
                Array.Resize(ref filling, 2 * filling.Length);
            }
            return new ArraySegment<byte>(filling, filled, filling.Length - filled);
        }

        /// <summary>Bytes have been written. False when the message has become too big.</summary>
        public bool Commit(int count, bool endOfMessage)
        {
            filled += count;
            if (filled > maxBytes)
            {
                return false;
            }
            if (endOfMessage)
            {
                lock (gate)
                {
                    waiting.Enqueue(new Item { Data = filling, Count = filled });
                    filling = free.Count > 0 ? free.Pop() : new byte[FirstSize];
                }
                filled = 0;
            }
            return true;
        }

        /// <summary>The oldest message. Its bytes stay valid until the next call.</summary>
        public bool TryTake(out ByteSlice message)
        {
            lock (gate)
            {
                if (taken != null && free.Count < Capacity)
                {
                    free.Push(taken);
                }
                taken = null;
                if (waiting.Count == 0)
                {
                    message = new ByteSlice();
                    return false;
                }
                var item = waiting.Dequeue();
                taken = item.Data;
                message = new ByteSlice(item.Data, 0, item.Count);
                return true;
            }
        }

        private struct Item
        {
            public byte[] Data;
            public int Count;
        }
    }
}
