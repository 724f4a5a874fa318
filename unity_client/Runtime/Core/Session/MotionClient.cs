using System;
using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>
    /// One connection to a server, with any number of characters. It starts no threads and keeps no clock: call <see cref="Update"/>
    /// once per frame, from one thread. Everything it announces, it announces from there; only prompts that waited for it, and go out
    /// ahead of another message, are announced when that is sent.
    /// </summary>
    public sealed partial class MotionClient : IDisposable
    {
        private readonly ClientOptions options;
        private readonly Func<string, ITransport> open;
        private readonly Backoff backoff;
        private readonly string idPrefix;
        private readonly MsgpackWriter writer = new MsgpackWriter();
        private readonly PromptBook prompts = new PromptBook();
        private readonly Dictionary<string, ClipHandle> requests = new Dictionary<string, ClipHandle>();
        private readonly List<CharacterStream> streams = new List<CharacterStream>();
        private ITransport transport;
        private double clock;
        private double deadline;
        private double lastHeard;
        private double fedAt;
        private int ids;
        private long received;

        /// <param name="open">Makes a transport that connects to a URL.</param>
        /// <param name="random">For scattered retries and unique ids.</param>
        public MotionClient(ClientOptions options, Func<string, ITransport> open, Random random)
        {
            this.options = options;
            this.open = open;
            backoff = new Backoff(options.LeastRetry, options.MostRetry, random);
            idPrefix = random.Next(0x10000000).ToString("x7") + "-";
            Problem = "";
        }

        public event Action<ConnectionState> StateChanged;

        public event Action<Welcome> Welcomed;

        public event Action<PromptHandle> PromptChanged;

        /// <summary>An error from the server; the connection usually goes on.</summary>
        public event Action<ServerError> ErrorReceived;

        public event Action<ServerStats> StatsReceived;

        /// <summary>A character's timeline has started, or started anew.</summary>
        public event Action<CharacterStream> CharacterBegan;

        public ConnectionState State { get; private set; }

        /// <summary>Why the last connection ended or could not be made, and what to do; empty when all is well.</summary>
        public string Problem { get; private set; }

        /// <summary>The last <c>welcome</c>; null before the first.</summary>
        public Welcome Welcome { get; private set; }

        /// <summary>Seconds from the last prompt sent to its <c>accepted</c>: the network's round trip.</summary>
        public double RoundTrip { get; private set; }

        /// <summary>Messages from the server that could not be read; each was skipped.</summary>
        public int BadMessages { get; private set; }

        /// <summary>Sessions begun so far.</summary>
        public int Sessions { get; private set; }

        public IList<CharacterStream> Characters
        {
            get { return streams; }
        }

        /// <summary>Starts to connect, unless it is connected or trying already.</summary>
        public void Connect()
        {
            if (State == ConnectionState.Disconnected || State == ConnectionState.Failed)
            {
                backoff.Reset();
                Open();
            }
        }

        /// <summary>Closes the connection for good; prompts under way are cancelled.</summary>
        public void Close()
        {
            if (transport != null)
            {
                transport.Close(CloseCodes.Normal, "");
                transport = null;
            }
            prompts.Close();
            settings.Clear();
            FailRequests("the connection was closed");
            EndStreams();
            // A session that was left on purpose is not to be resumed.
            Welcome = null;
            SetState(ConnectionState.Disconnected);
        }

        public void Dispose()
        {
            Close();
        }

        /// <summary>Receives, announces, moves every character's playhead on, and sends what is due.</summary>
        /// <param name="elapsed">Seconds since the last call.</param>
        public void Update(double elapsed)
        {
            Update(elapsed, elapsed);
        }

        /// <summary>As <see cref="Update(double)"/>, for a game whose time runs slower or faster, or stands still.</summary>
        /// <param name="elapsed">Real seconds since the last call.</param>
        /// <param name="played">Seconds of the game's time since the last call.</param>
        public void Update(double elapsed, double played)
        {
            clock += elapsed;
            if (State == ConnectionState.WaitingToRetry && clock >= deadline)
            {
                Open();
            }
            if (transport != null)
            {
                Receive();
                CheckConnection();
            }
            for (var i = 0; i < streams.Count; i++)
            {
                streams[i].Advance(played);
            }
            if (State == ConnectionState.Connected)
            {
                SendWaitingPrompts();
                FollowPaths();
                ReportPlayheads();
            }
        }

        /// <summary>Sends a sentence, at once or as soon as there is a connection.</summary>
        /// <exception cref="ProtocolException">A value is outside its limits.</exception>
        public PromptHandle SendPrompt(string text, string character = Limits.DefaultCharacter, PromptOptions how = null)
        {
            how = how ?? new PromptOptions();
            var fields = PromptFields(text, how).With("character", character)
                .With("mode", how.Queue ? "queue" : "replace").With("on_end", how.OnEnd);
            var handle = new PromptHandle(Codec.Check("prompt", fields));
            prompts.Add(handle);
            SettingsOf(character).HoldsAtEnd = how.OnEnd == "hold";
            return handle;
        }

        /// <summary>
        /// Sends several sentences for one character, played in order, accepted or refused as a whole. <paramref name="how"/> gives the
        /// mode of the first, what follows the last, and the settings of all.
        /// </summary>
        /// <exception cref="ProtocolException">A value is outside its limits.</exception>
        public PromptHandle[] SendTimeline(string[] texts, string character = Limits.DefaultCharacter, PromptOptions how = null)
        {
            how = how ?? new PromptOptions();
            var id = NextId();
            var entries = Array.ConvertAll(texts, text => PromptFields(text, how));
            var timeline = new Fields().With("character", character).With("id", id)
                .With("prompts", Array.ConvertAll<Fields, object>(entries, entry => entry))
                .With("mode", how.Queue ? "queue" : "replace").With("on_end", how.OnEnd);
            var sent = Send("timeline", timeline);
            SettingsOf(character).HoldsAtEnd = how.OnEnd == "hold";
            var handles = new PromptHandle[texts.Length];
            for (var i = 0; i < texts.Length; i++)
            {
                // Without a connection they wait as single prompts: queued one after the other they make the same timeline.
                var mode = how.Queue || i > 0 ? "queue" : "replace";
                var fields = Codec.Check(
                    "prompt", entries[i].With("character", character).With("mode", mode).With("on_end", how.OnEnd));
                handles[i] = new PromptHandle(fields) { Group = id };
                prompts.Add(handles[i]);
                if (sent)
                {
                    handles[i].MarkSent(clock);
                }
            }
            return handles;
        }

        /// <summary>
        /// Bends a walk: through way-points, then along a heading, at a speed. Null for all three lets go; each call replaces the one
        /// before as a whole.
        /// </summary>
        /// <param name="heading">Radians about +Y: 0 is +Z, positive to the left.</param>
        /// <param name="speed">Metres per second.</param>
        /// <param name="waypoints">
        /// Points of the ground in the stream's own axes, metres, in order: 1 to <see cref="Limits.MaxWaypoints"/>; their heights do not
        /// count.
        /// </param>
        /// <returns>False without a connection.</returns>
        /// <exception cref="ProtocolException">A value is outside its limits.</exception>
        public bool Steer(
            double? heading, double? speed, string character = Limits.DefaultCharacter, Vec3[] waypoints = null)
        {
            var steering = new Steering(heading, speed, waypoints == null ? null : (Vec3[])waypoints.Clone());
            var sent = Send("steer", steering.ToFields(character));
            if (sent)
            {
                SettingsOf(character).Steer(steering);
            }
            return sent;
        }

        /// <summary>Pauses, resumes, stops or removes a character, or switches its root motion (SPEC.md, <c>control</c>).</summary>
        /// <returns>False without a connection; a character that is removed then is gone all the same.</returns>
        public bool Control(string action, string character = Limits.DefaultCharacter)
        {
            var sent = Send("control", new Fields().With("character", character).With("action", action));
            if (action == "remove")
            {
                Remove(character, sent);
            }
            else if (sent)
            {
                var known = SettingsOf(character);
                known.Control(action);
                var stream = Find(character);
                if (stream != null)
                {
                    stream.IsPaused = known.IsPaused;
                }
            }
            return sent;
        }

        /// <summary>Asks for a whole clip; the answer comes through the handle.</summary>
        public ClipHandle Generate(string text, PromptOptions how = null, double? frameRate = null, int? steps = null)
        {
            var fields = PromptFields(text, how ?? new PromptOptions()).With("frame_rate", frameRate).With("steps", steps);
            return Request("generate", fields);
        }

        /// <summary>Asks for a clip with half-open frame ranges made anew under a text.</summary>
        public ClipHandle Edit(Clip clip, string text, int[][] ranges, PromptOptions how = null, int? steps = null)
        {
            how = how ?? new PromptOptions();
            var pairs = Array.ConvertAll<int[], object>(ranges, range => new object[] { (long)range[0], (long)range[1] });
            var fields = clip.ForEdit().With("id", NextId()).With("text", text).With("seed", how.Seed)
                .With("guidance", how.Guidance).With("steps", steps).With("ranges", pairs);
            return Request("edit", fields);
        }

        /// <summary>The stream of a character; null before the server has accepted a prompt for it.</summary>
        public CharacterStream Find(string character)
        {
            for (var i = 0; i < streams.Count; i++)
            {
                if (streams[i].Name == character)
                {
                    return streams[i];
                }
            }
            return null;
        }

        private ClipHandle Request(string type, Fields fields)
        {
            var handle = new ClipHandle(fields.Get<string>("id"));
            if (Send(type, fields))
            {
                requests[handle.Id] = handle;
            }
            else
            {
                handle.Finish(null, "there is no connection");
            }
            return handle;
        }

        private void FinishRequest(string id, Clip clip, string error)
        {
            ClipHandle handle;
            if (requests.TryGetValue(id, out handle))
            {
                requests.Remove(id);
                handle.Finish(clip, error);
            }
        }

        private void FailRequests(string reason)
        {
            foreach (var handle in new List<ClipHandle>(requests.Values))
            {
                FinishRequest(handle.Id, null, reason);
            }
        }

        private Fields PromptFields(string text, PromptOptions how)
        {
            return new Fields().With("id", NextId()).With("text", text).With("seconds", how.Seconds)
                .With("seed", how.Seed).With("guidance", how.Guidance);
        }

        private string NextId()
        {
            return idPrefix + ++ids;
        }

        private bool Send(string type, Fields fields)
        {
            var good = Codec.Check(type, fields);
            if (State != ConnectionState.Connected)
            {
                return false;
            }
            // What was asked for earlier goes first: a message about a character may need the prompt that makes it.
            SendWaitingPrompts();
            return Write(type, good);
        }

        private bool Write(string type, Fields fields)
        {
            writer.Clear();
            Codec.Encode(writer, type, fields);
            return transport.Send(writer.Buffer, writer.Count);
        }

        private void SetState(ConnectionState state)
        {
            if (State != state)
            {
                State = state;
                Announce(StateChanged, state);
            }
        }

        private static void Announce<T>(Action<T> listeners, T what)
        {
            if (listeners != null)
            {
                listeners(what);
            }
        }
    }
}
