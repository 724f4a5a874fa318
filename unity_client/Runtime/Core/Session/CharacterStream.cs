using System;

namespace MotionBridge
{
    /// <summary>One character's frames and where the client is in them.</summary>
    public sealed class CharacterStream
    {
        private readonly byte[] nameUtf8;
        private byte[] promptUtf8;
        private string prompt;
        private double frameRate;
        private double reportIn;

        internal CharacterStream(string name, int capacity, double lead, double frameRate)
        {
            Name = name;
            nameUtf8 = Utf8.Encode(name);
            this.frameRate = frameRate;
            Buffer = new FrameBuffer(capacity);
            Clock = new PlayheadClock(lead);
            Exists = true;
        }

        public string Name { get; private set; }

        public FrameBuffer Buffer { get; private set; }

        public PlayheadClock Clock { get; private set; }

        /// <summary>Grows whenever the timeline starts anew at frame 0: a new session, or a character made again.</summary>
        public int Epoch { get; private set; }

        /// <summary>Whether the server has this character; without it the last pose is held.</summary>
        public bool Exists { get; private set; }

        public bool IsPaused { get; internal set; }

        /// <summary>Whether frames should be coming and there are none to show.</summary>
        public bool IsStarving
        {
            get { return Exists && !IsPaused && Clock.IsWaiting; }
        }

        /// <summary>Frames received since the timeline began.</summary>
        public long FramesReceived { get; private set; }

        /// <summary>Frames that came after their time and were not shown.</summary>
        public long FramesLate { get; private set; }

        public double FrameRate
        {
            get { return frameRate; }
        }

        /// <summary>Seconds of frames held ahead of the playhead.</summary>
        public double BufferedSeconds
        {
            get { return Buffer.Newest < 0 ? 0.0 : Math.Max(0.0, (Buffer.Newest - Clock.Position) / frameRate); }
        }

        /// <summary>Id of the prompt whose frame is shown; null while idle or before the first frame.</summary>
        public string PromptShown
        {
            get { return Buffer.Prompt((long)Math.Floor(Clock.Position)); }
        }

        /// <summary>The pose to show now; false before there is one.</summary>
        public bool Sample(Pose pose)
        {
            var gap = (int)Math.Ceiling(PlayheadClock.LongestGapSeconds * frameRate);
            return Clock.HasStarted && Buffer.Sample(Clock.Position, gap, pose);
        }

        internal byte[] NameUtf8
        {
            get { return nameUtf8; }
        }

        internal bool IsNamed(ByteSlice name)
        {
            return name.Is(nameUtf8);
        }

        /// <summary>A new timeline begins at frame 0.</summary>
        internal void Begin()
        {
            Epoch++;
            Exists = true;
            IsPaused = false;
            FramesReceived = 0;
            FramesLate = 0;
            reportIn = 0.0;
            Buffer.Clear();
            Clock.Reset();
        }

        /// <summary>The server no longer has it; frames still under way are ignored.</summary>
        internal void End()
        {
            Exists = false;
        }

        internal void Take(ref FramesView frames)
        {
            frameRate = frames.FrameRate;
            FramesReceived += frames.Count;
            if (Clock.HasStarted)
            {
                FramesLate += Math.Max(0, Math.Min(frames.Count, (long)Math.Floor(Clock.Position) + 1 - frames.First));
            }
            Buffer.Insert(ref frames, PromptOf(ref frames));
        }

        internal void Advance(double elapsed)
        {
            if (Exists && !IsPaused)
            {
                Clock.Advance(elapsed, Buffer, frameRate);
                reportIn -= elapsed;
            }
        }

        /// <summary>The frame to report as the playhead, when a report is due.</summary>
        internal bool TakeReport(double interval, out long frame, out int buffered)
        {
            frame = (long)Math.Floor(Clock.Position);
            buffered = 0;
            if (!Exists || !Clock.HasStarted || reportIn > 0.0 || frame > Buffer.Newest)
            {
                return false;
            }
            reportIn = interval;
            buffered = Buffer.Buffered(frame);
            return true;
        }

        private string PromptOf(ref FramesView frames)
        {
            if (!frames.HasPrompt)
            {
                return null;
            }
            if (!frames.Prompt.Is(promptUtf8))
            {
                promptUtf8 = frames.Prompt.ToArray();
                prompt = Utf8.Decode(frames.Prompt);
            }
            return prompt;
        }
    }
}
