using System;

namespace MotionBridge
{
    /// <summary>What a prompt is now.</summary>
    public enum PromptState
    {
        /// <summary>Not sent yet: there is no connection.</summary>
        Waiting,
        Sent,
        Accepted,
        Started,

        /// <summary>All its frames have been sent.</summary>
        Finished,

        /// <summary>Replaced, stopped or removed before its end.</summary>
        Cancelled,

        /// <summary>Its motion could not be made.</summary>
        Failed,

        /// <summary>The server answered with an error; <see cref="PromptHandle.Reason"/> says which.</summary>
        Refused,
    }

    /// <summary>How a prompt is played. Null leaves the choice to the server.</summary>
    public sealed class PromptOptions
    {
        /// <summary>Length, 0.5 to 9.8 s.</summary>
        public double? Seconds;

        /// <summary>For the same motion again.</summary>
        public long? Seed;

        /// <summary>Classifier-free guidance scale, 0 to 20.</summary>
        public double? Guidance;

        /// <summary>True: after what plays and waits. False: now.</summary>
        public bool Queue;

        /// <summary>What follows when nothing else waits: <c>idle</c>, <c>repeat</c> or <c>hold</c>.</summary>
        public string OnEnd = "idle";
    }

    /// <summary>One prompt on its way through the server. Changes are announced within <see cref="MotionClient.Update"/>.</summary>
    public sealed class PromptHandle
    {
        private readonly Fields fields;

        internal PromptHandle(Fields fields)
        {
            this.fields = fields;
            Id = fields.Get<string>("id");
            Character = fields.Get<string>("character");
            Text = fields.Get<string>("text");
        }

        /// <summary>The state has changed.</summary>
        public event Action<PromptHandle> Changed;

        public string Id { get; private set; }

        public string Character { get; private set; }

        public string Text { get; private set; }

        public PromptState State { get; private set; }

        /// <summary>First frame, once it has started.</summary>
        public long? StartFrame { get; private set; }

        /// <summary>The frame after its last, once it has finished.</summary>
        public long? EndFrame { get; private set; }

        /// <summary>The length it got, once it has started.</summary>
        public double? Seconds { get; private set; }

        /// <summary>The seed it got, once it has started.</summary>
        public long? Seed { get; private set; }

        /// <summary>Why it was cancelled, failed or refused.</summary>
        public string Reason { get; private set; }

        /// <summary>Whether nothing more will happen to it.</summary>
        public bool IsDone
        {
            get { return State >= PromptState.Finished; }
        }

        internal Fields FieldsWithMode(bool queue)
        {
            fields["mode"] = queue ? "queue" : "replace";
            return fields;
        }

        internal bool Queue
        {
            get { return fields.Get<string>("mode") == "queue"; }
        }

        /// <summary>Id of the timeline it was sent in; null for a single prompt.</summary>
        internal string Group { get; set; }

        /// <summary>When it was sent, on the client's clock.</summary>
        internal double SentAt { get; private set; }

        /// <summary>Whether it was sent over more than one connection.</summary>
        internal bool SentAgain { get; private set; }

        internal void MarkSent(double now)
        {
            SentAgain = SentAt > 0.0;
            SentAt = now;
            Set(PromptState.Sent);
        }

        internal void Take(Fields status)
        {
            StartFrame = status.Get<string>("status") == "started" ? status.GetOptional<long>("frame") : StartFrame;
            EndFrame = status.Get<string>("status") == "finished" ? status.GetOptional<long>("frame") : EndFrame;
            Seconds = status.GetOptional<double>("seconds") ?? Seconds;
            Seed = status.GetOptional<long>("seed") ?? Seed;
            Set(StateOf(status.Get<string>("status")), status.Get<string>("reason", null));
        }

        internal void Set(PromptState state, string reason = null)
        {
            State = state;
            Reason = reason ?? Reason;
            var changed = Changed;
            if (changed != null)
            {
                changed(this);
            }
        }

        private static PromptState StateOf(string status)
        {
            return PromptState.Accepted + Array.IndexOf(Schemas.Statuses, status);
        }
    }

    /// <summary>A <c>generate</c> or <c>edit</c> on its way. Announced within <see cref="MotionClient.Update"/>.</summary>
    public sealed class ClipHandle
    {
        internal ClipHandle(string id)
        {
            Id = id;
        }

        /// <summary>The clip is there, or an error is.</summary>
        public event Action<ClipHandle> Done;

        public string Id { get; private set; }

        /// <summary>The motion; null until it is there, and when the request failed.</summary>
        public Clip Clip { get; private set; }

        /// <summary>What went wrong; null when nothing did.</summary>
        public string Error { get; private set; }

        internal void Finish(Clip clip, string error)
        {
            Clip = clip;
            Error = error;
            var done = Done;
            if (done != null)
            {
                done(this);
            }
        }
    }
}
