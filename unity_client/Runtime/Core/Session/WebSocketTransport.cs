#if !UNITY_WEBGL || UNITY_EDITOR
using System;
using System.Collections.Generic;
using System.Net.WebSockets;
using System.Threading;
using System.Threading.Tasks;

namespace MotionBridge
{
    /// <summary>A transport on <see cref="ClientWebSocket"/>: every platform but WebGL. Sockets run on the thread pool.</summary>
    public sealed class WebSocketTransport : ITransport
    {
        private const int MaxWaitingIn = 256;
        private const int MaxWaitingOut = 256;
        private const int FullPauseMilliseconds = 5;
        private const int CloseMilliseconds = 2000;

        private readonly ClientWebSocket socket = new ClientWebSocket();
        private readonly CancellationTokenSource stop = new CancellationTokenSource();
        private readonly MessageQueue inbound = new MessageQueue(MaxWaitingIn, Limits.MaxMessageBytes);
        private readonly Queue<byte[]> outbound = new Queue<byte[]>();
        private readonly SemaphoreSlim outboundReady = new SemaphoreSlim(0);
        private readonly object gate = new object();
        private volatile int state = (int)TransportState.Opening;
        private bool closing;
        private int closeCode = CloseCodes.Normal;
        private string closeReason = "";

        /// <summary>Starts to connect.</summary>
        /// <exception cref="ArgumentException">The URL is no ws:// or wss:// address.</exception>
        public WebSocketTransport(string url)
        {
            Uri address;
            if (!Uri.TryCreate(url, UriKind.Absolute, out address) || (address.Scheme != "ws" && address.Scheme != "wss"))
            {
                throw new ArgumentException(
                    "\"" + url + "\" is no WebSocket address; write ws://host:port, such as " + Limits.DefaultUrl);
            }
            socket.Options.AddSubProtocol(Limits.Subprotocol);
            Task.Run(() => Run(address));
        }

        public TransportState State
        {
            get { return (TransportState)state; }
        }

        public int CloseCode { get; private set; }

        public string CloseReason { get; private set; }

        public bool TryReceive(out ByteSlice message)
        {
            return inbound.TryTake(out message);
        }

        public bool Send(byte[] data, int count)
        {
            var copy = new byte[count];
            Buffer.BlockCopy(data, 0, copy, 0, count);
            lock (gate)
            {
                if (closing || outbound.Count >= MaxWaitingOut)
                {
                    return false;
                }
                outbound.Enqueue(copy);
            }
            outboundReady.Release();
            return true;
        }

        public void Close(int code, string reason)
        {
            lock (gate)
            {
                closing = true;
                closeCode = code;
                closeReason = reason;
            }
            outboundReady.Release();
            AbortLater();
        }

        public void Dispose()
        {
            Task.Run(() => Abort());
        }

        /// <summary>An end that does not answer the close must not keep the socket alive.</summary>
        private void AbortLater()
        {
            // Not CancelAfter: what a cancelled socket throws would come up on a timer's thread and end the process.
            Task.Delay(CloseMilliseconds).ContinueWith(late => Abort());
        }

        private void Abort()
        {
            stop.Cancel();
            socket.Abort();
        }

        private async Task Run(Uri address)
        {
            try
            {
                await socket.ConnectAsync(address, stop.Token).ConfigureAwait(false);
                if (socket.SubProtocol != Limits.Subprotocol)
                {
                    Finish(CloseCodes.Abnormal, "the server at " + address + " does not speak " + Limits.Subprotocol);
                    return;
                }
                state = (int)TransportState.Open;
                var sender = SendAll();
                await ReceiveAll().ConfigureAwait(false);
                stop.Cancel();
                await sender.ConfigureAwait(false);
            }
            catch (Exception error)
            {
                Finish(CloseCodes.Abnormal, Innermost(error).Message);
            }
            finally
            {
                socket.Abort();
                socket.Dispose();
            }
        }

        private async Task ReceiveAll()
        {
            while (true)
            {
                while (inbound.IsFull)
                {
                    await Task.Delay(FullPauseMilliseconds, stop.Token).ConfigureAwait(false);
                }
                var result = await socket.ReceiveAsync(inbound.Room(), stop.Token).ConfigureAwait(false);
                if (result.MessageType == WebSocketMessageType.Close)
                {
                    await AnswerClose().ConfigureAwait(false);
                    return;
                }
                if (!inbound.Commit(result.Count, result.EndOfMessage))
                {
                    Finish(CloseCodes.MessageTooBig, "the server sent a message over " + Limits.MaxMessageBytes + " bytes");
                    return;
                }
            }
        }

        /// <summary>Answers first: once it is known to have closed, a transport is disposed of, and the server would wait.</summary>
        private async Task AnswerClose()
        {
            var code = socket.CloseStatus ?? WebSocketCloseStatus.NormalClosure;
            var reason = socket.CloseStatusDescription ?? "";
            try
            {
                AbortLater();
                if (socket.State == WebSocketState.CloseReceived)
                {
                    await socket.CloseOutputAsync(code, "", stop.Token).ConfigureAwait(false);
                }
            }
            finally
            {
                Finish((int)code, reason);
            }
        }

        private async Task SendAll()
        {
            try
            {
                while (true)
                {
                    await outboundReady.WaitAsync(stop.Token).ConfigureAwait(false);
                    byte[] next = null;
                    lock (gate)
                    {
                        if (outbound.Count > 0)
                        {
                            next = outbound.Dequeue();
                        }
                    }
                    if (next == null)
                    {
                        await socket.CloseOutputAsync((WebSocketCloseStatus)closeCode, closeReason, stop.Token)
                            .ConfigureAwait(false);
                        return;
                    }
                    await socket.SendAsync(new ArraySegment<byte>(next), WebSocketMessageType.Binary, true, stop.Token)
                        .ConfigureAwait(false);
                }
            }
            catch (Exception error)
            {
                Finish(CloseCodes.Abnormal, Innermost(error).Message);
                stop.Cancel();
            }
        }

        private void Finish(int code, string reason)
        {
            lock (gate)
            {
                if (state == (int)TransportState.Closed)
                {
                    return;
                }
                CloseCode = code;
                CloseReason = reason;
                closing = true;
                state = (int)TransportState.Closed;
            }
        }

        private static Exception Innermost(Exception error)
        {
            return error.InnerException == null ? error : Innermost(error.InnerException);
        }
    }
}
#endif
