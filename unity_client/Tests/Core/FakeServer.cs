using System;
using System.Collections.Generic;
using System.Linq;

namespace MotionBridge.Tests
{
    /// <summary>A transport in memory.</summary>
    internal sealed class FakeTransport : ITransport
    {
        private readonly byte[][] ring = new byte[64][];
        private bool keeps = true;
        private int read;
        private int written;

        public readonly List<Message> Received = new List<Message>();

        public FakeTransport(string url)
        {
            Url = url;
            CloseReason = "";
        }

        public string Url { get; private set; }

        public int Sent { get; private set; }

        public TransportState State { get; set; }

        public int CloseCode { get; set; }

        public string CloseReason { get; set; }

        public bool IsDisposed { get; private set; }

        public void Push(byte[] message)
        {
            ring[written++ % ring.Length] = message;
        }

        public bool TryReceive(out ByteSlice message)
        {
            var any = read < written;
            var data = any ? ring[read++ % ring.Length] : null;
            message = any ? new ByteSlice(data, 0, data.Length) : new ByteSlice();
            return any;
        }

        public bool Send(byte[] data, int size)
        {
            Sent++;
            if (keeps)
            {
                Received.Add(Codec.Decode(data, 0, size, Schemas.FromClient));
            }
            return true;
        }

        /// <summary>From now on messages are counted and not decoded, so that only the client's own allocations show.</summary>
        public void StopKeeping()
        {
            keeps = false;
        }

        public void Close(int code, string reason)
        {
            CloseCode = code;
            CloseReason = reason;
            State = TransportState.Closed;
        }

        public void Dispose()
        {
            IsDisposed = true;
        }
    }

    /// <summary>The other end of a <see cref="MotionClient"/>, spoken by the test itself.</summary>
    internal sealed class FakeServer
    {
        public readonly List<FakeTransport> Transports = new List<FakeTransport>();
        public readonly ClientOptions Options = new ClientOptions();
        public string[] Characters = new string[0];
        private int accepted;

        public FakeTransport Transport
        {
            get { return Transports[Transports.Count - 1]; }
        }

        public MotionClient Client()
        {
            return new MotionClient(Options, Open, new Random(4));
        }

        /// <summary>A new connection to this server.</summary>
        public ITransport Open(string url)
        {
            Transports.Add(new FakeTransport(url));
            accepted = 0;
            return Transport;
        }

        public void Connect(MotionClient client, string resume = null, bool resumed = false, params string[] characters)
        {
            client.Connect();
            Welcome(client, resume, resumed, characters);
        }

        /// <summary>Opens the newest transport, takes <c>hello</c> and answers it.</summary>
        public void Welcome(MotionClient client, string resume = null, bool resumed = false, params string[] characters)
        {
            Transport.State = TransportState.Open;
            client.Update(0.0);
            Push("welcome", Samples.WelcomeFields(resume, resumed, characters));
            client.Update(0.0);
        }

        public void Push(string type, Fields fields)
        {
            Transport.Push(Samples.Message(type, fields));
        }

        public void Status(string id, string status, string character = "main", long? frame = null)
        {
            Push(
                "prompt_status",
                new Fields().With("character", character).With("id", id).With("status", status).With("frame", frame));
        }

        /// <summary>The messages of a type that the newest connection has brought.</summary>
        public Fields[] Got(string type)
        {
            return Transport.Received.Where(message => message.Type == type).Select(message => message.Fields).ToArray();
        }

        public void AcceptAll()
        {
            foreach (var prompt in Got("prompt").Skip(accepted))
            {
                accepted++;
                Status(prompt.Get<string>("id"), "accepted", prompt.Get<string>("character"));
            }
        }

        public void Drop(MotionClient client, int code = CloseCodes.Abnormal, string reason = "reset")
        {
            Transport.CloseCode = code;
            Transport.CloseReason = reason;
            Transport.State = TransportState.Closed;
            client.Update(0.0);
        }
    }
}
