using System;

namespace MotionBridge
{
    public enum TransportState
    {
        Opening,
        Open,
        Closed,
    }

    /// <summary>
    /// One WebSocket connection, polled from one thread. Messages arrive whole; nothing is called back. A transport is opened when
    /// it is made, and never again after it has closed. Disposing of it drops the connection in a way that leaves the session to be
    /// resumed; <see cref="Close"/> ends both.
    /// </summary>
    public interface ITransport : IDisposable
    {
        TransportState State { get; }

        /// <summary>The WebSocket close code; 1006 when there was none.</summary>
        int CloseCode { get; }

        /// <summary>Why it closed, for people.</summary>
        string CloseReason { get; }

        /// <summary>The next message. Its bytes stay valid until the next call.</summary>
        bool TryReceive(out ByteSlice message);

        /// <summary>Queues a binary message; the bytes are copied. False when too many wait already.</summary>
        bool Send(byte[] data, int count);

        /// <summary>Closes politely, without waiting.</summary>
        void Close(int code, string reason);
    }
}
