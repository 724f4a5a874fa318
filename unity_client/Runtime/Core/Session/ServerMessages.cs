using System;

namespace MotionBridge
{
    /// <summary>The server's answer to <c>hello</c>.</summary>
    public sealed class Welcome
    {
        internal Welcome(Fields fields)
        {
            Version = (int)fields.Get<long>("version");
            Server = fields.Get<string>("server");
            ServerVersion = fields.Get<string>("server_version");
            Model = fields.Get<string>("model");
            Session = fields.Get<string>("session");
            Resume = fields.Get<string>("resume", null);
            Resumed = fields.Get<bool>("resumed");
            Characters = Strings(fields.Get<object[]>("characters"));
            Supports = Strings(fields.Get<object[]>("supports"));
            FrameRate = fields.Get<double>("frame_rate");
            ModelFrameRate = fields.Get<double>("model_frame_rate");
            Lead = fields.Get<double>("lead");
            ServerLimits = fields.Get<Fields>("limits");
            Skeleton = Skeleton.FromWelcome(fields.Get<Fields>("skeleton"));
        }

        public int Version { get; private set; }

        public string Server { get; private set; }

        public string ServerVersion { get; private set; }

        public string Model { get; private set; }

        public string Session { get; private set; }

        /// <summary>Token to resume with; null when this server cannot.</summary>
        public string Resume { get; private set; }

        /// <summary>Whether an earlier session goes on.</summary>
        public bool Resumed { get; private set; }

        public string[] Characters { get; private set; }

        public string[] Supports { get; private set; }

        public double FrameRate { get; private set; }

        public double ModelFrameRate { get; private set; }

        /// <summary>Seconds of frames that the server keeps ahead.</summary>
        public double Lead { get; private set; }

        /// <summary>What this server accepts, by the keys of SPEC.md, <c>welcome.limits</c>.</summary>
        public Fields ServerLimits { get; private set; }

        public Skeleton Skeleton { get; private set; }

        private static string[] Strings(object[] values)
        {
            return Array.ConvertAll(values, value => (string)value);
        }
    }

    /// <summary>Something that the server refused or that failed there.</summary>
    public sealed class ServerError
    {
        internal ServerError(Fields fields)
        {
            Code = fields.Get<string>("code");
            Message = fields.Get<string>("message");
            Id = fields.Get<string>("id", null);
            Character = fields.Get<string>("character", null);
            Field = fields.Get<string>("field", null);
        }

        public string Code { get; private set; }

        public string Message { get; private set; }

        /// <summary><c>id</c> of the message at fault; null when it had none.</summary>
        public string Id { get; private set; }

        public string Character { get; private set; }

        public string Field { get; private set; }
    }

    /// <summary>The server's figures about this connection.</summary>
    public sealed class ServerStats
    {
        internal ServerStats(Fields fields)
        {
            FramesSent = fields.Get<long>("frames_sent");
            FramesDropped = fields.Get<long>("frames_dropped");
            GenerationSeconds = fields.GetOptional<double>("generation_seconds");
        }

        public long FramesSent { get; private set; }

        public long FramesDropped { get; private set; }

        public double? GenerationSeconds { get; private set; }
    }

    /// <summary>A whole motion: the answer to <c>generate</c> or <c>edit</c>.</summary>
    public sealed class Clip
    {
        private readonly Fields fields;

        internal Clip(Fields fields)
        {
            this.fields = fields;
            Text = fields.Get<string>("text");
            Seed = fields.Get<long>("seed");
            FrameRate = fields.Get<double>("frame_rate");
            Count = (int)fields.Get<long>("count");
        }

        public string Text { get; private set; }

        public long Seed { get; private set; }

        public double FrameRate { get; private set; }

        /// <summary>Frames in the clip.</summary>
        public int Count { get; private set; }

        /// <summary>Reads one frame.</summary>
        public void Read(int frame, Pose pose)
        {
            if (frame < 0 || frame >= Count)
            {
                throw new ArgumentOutOfRangeException("frame", "frame " + frame + " of a clip of " + Count);
            }
            var root = new float[3];
            var rotations = new float[PoseCodec.FloatsPerFrame];
            PoseCodec.ReadRoot(Block("root"), frame, root, 0);
            PoseCodec.ReadRotations(Block("rotations"), frame, fields.Get<string>("encoding") == "int16", rotations, 0);
            pose.Root = new Vec3(root[0], root[1], root[2]);
            for (var joint = 0; joint < Limits.JointCount; joint++)
            {
                var at = 4 * joint;
                pose.Rotations[joint] = new Quat(rotations[at], rotations[at + 1], rotations[at + 2], rotations[at + 3]);
            }
            pose.Contacts = PoseCodec.ReadContacts(Block("contacts"), frame);
        }

        /// <summary>The fields of an <c>edit</c> that regenerates parts of this clip; id, text and ranges are still missing.</summary>
        internal Fields ForEdit()
        {
            var edit = new Fields();
            foreach (var key in new[] { "frame_rate", "count", "encoding", "root", "rotations", "contacts" })
            {
                edit[key] = fields[key];
            }
            return edit;
        }

        private ByteSlice Block(string key)
        {
            var block = fields.Get<byte[]>(key);
            return new ByteSlice(block, 0, block.Length);
        }
    }
}
