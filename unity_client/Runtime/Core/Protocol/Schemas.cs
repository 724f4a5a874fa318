using System;
using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>The tables of SPEC.md: every message in both directions, field by field, in the order of the tables.</summary>
    public static class Schemas
    {
        public static readonly string[] Encodings = { "float32", "int16" };
        public static readonly string[] Modes = { "replace", "queue" };
        public static readonly string[] OnEnds = { "idle", "repeat", "hold" };
        public static readonly string[] Statuses = { "accepted", "started", "finished", "cancelled", "failed" };

        public static readonly string[] Actions =
        {
            "pause", "resume", "stop", "remove", "root_motion_on", "root_motion_off",
        };

        private static readonly Schema TimelinePrompt = new Schema(
            Name("id").Must(), Sentence("text").Must(), Seconds("seconds"), Seed("seed"), Guidance("guidance"));

        private static readonly Schema Joint = new Schema(
            Name("name").Must(),
            Integer("parent", -1, Limits.MaxFrameIndex).Must(),
            ArrayOf("offset", 3, 3, AnyNumber(null)).Must());

        private static readonly Schema Skeleton = new Schema(
            Name("name").Must(),
            ArrayOf("joints", 1, Limits.MaxValues, MapOf(null, Joint)).Must(),
            ArrayOf("feet", 4, 4, Natural(null)).Must());

        private static readonly Schema ServerLimits = new Schema(
            Natural("text_characters").Or((long)Limits.MaxTextCharacters),
            AnyNumber("seconds_min").Or(Limits.MinSeconds),
            AnyNumber("seconds_max").Or(Limits.MaxSeconds),
            AnyNumber("frame_rate_min").Or(Limits.MinFrameRate),
            AnyNumber("frame_rate_max").Or(Limits.MaxFrameRate),
            Natural("message_bytes").Or((long)Limits.MaxMessageBytes),
            Natural("messages_per_second").Or((long)Limits.MessagesPerSecond),
            Natural("characters").Or((long)Limits.MaxCharacters),
            Natural("queued_prompts").Or((long)Limits.MaxQueuedPrompts),
            Natural("timeline_prompts").Or((long)Limits.MaxTimelinePrompts),
            Natural("pending_requests").Or((long)Limits.MaxPendingRequests));

        /// <summary>What clients send, by type.</summary>
        public static readonly Dictionary<string, Schema> FromClient = new Dictionary<string, Schema>
        {
            {
                "hello",
                new Schema(
                    Integer("version", 1, Limits.MaxFrameIndex).Must(),
                    Label("client").Or(""),
                    Label("client_version").Or(""),
                    Text("token", 0, Limits.MaxTokenCharacters),
                    FrameRate("frame_rate").Or(Limits.DefaultFrameRate),
                    OneOf("encoding", Encodings).Or("float32"),
                    Text("resume", 0, Limits.MaxTokenCharacters),
                    Natural("received"))
            },
            {
                "prompt",
                new Schema(
                    Character(),
                    Name("id").Must(),
                    Sentence("text").Must(),
                    Seconds("seconds"),
                    Seed("seed"),
                    Guidance("guidance"),
                    OneOf("mode", Modes).Or("replace"),
                    OneOf("on_end", OnEnds).Or("idle"))
            },
            {
                "timeline",
                new Schema(
                    Character(),
                    Name("id"),
                    ArrayOf("prompts", 1, Limits.MaxTimelinePrompts, MapOf(null, TimelinePrompt)).Must().Obeys(DistinctIds),
                    OneOf("mode", Modes).Or("replace"),
                    OneOf("on_end", OnEnds).Or("idle"))
            },
            {
                "steer",
                new Schema(
                    Character(),
                    Name("id"),
                    Number("heading", -Math.PI, Math.PI),
                    Number("speed", 0.0, Limits.MaxSpeed),
                    ArrayOf("waypoints", 1, Limits.MaxWaypoints, ArrayOf(null, 2, 2, Metres())))
            },
            { "control", new Schema(Character(), Name("id"), OneOf("action", Actions).Must()) },
            { "playhead", new Schema(Character(), Natural("frame").Must(), Natural("buffered").Or(0L)) },
            {
                "generate",
                new Schema(
                    Name("id").Must(),
                    Sentence("text").Must(),
                    Seconds("seconds"),
                    FrameRate("frame_rate"),
                    Seed("seed"),
                    Guidance("guidance"),
                    Integer("steps", 1, Limits.MaxSteps))
            },
            {
                "edit",
                new Schema(
                    Name("id").Must(),
                    Sentence("text").Must(),
                    Seed("seed"),
                    Guidance("guidance"),
                    Integer("steps", 1, Limits.MaxSteps),
                    FrameRate("frame_rate").Must(),
                    Count().Obeys(EditLength),
                    ArrayOf("ranges", 1, Limits.MaxEditRanges, ArrayOf(null, 2, 2, AnyInteger())).Must().Obeys(OrderedRanges),
                    OneOf("encoding", Encodings).Must(),
                    Block("root"),
                    Block("rotations"),
                    Block("contacts"))
            },
        };

        /// <summary>What servers send, by type.</summary>
        public static readonly Dictionary<string, Schema> FromServer = new Dictionary<string, Schema>
        {
            {
                "welcome",
                new Schema(
                    Integer("version", 1, Limits.MaxFrameIndex).Must(),
                    Label("server").Must(),
                    Label("server_version").Must(),
                    Label("model").Must(),
                    Name("session").Must(),
                    Text("resume", 0, Limits.MaxTokenCharacters),
                    new Field { Name = "resumed", Kind = FieldKind.Boolean, Default = false },
                    ArrayOf("characters", 0, Limits.MaxValues, Name(null)).Or(new object[0]),
                    ArrayOf("supports", 0, Limits.MaxValues, Name(null)).Must(),
                    FrameRate("frame_rate").Must(),
                    OneOf("encoding", Encodings).Must(),
                    AnyNumber("model_frame_rate").Must(),
                    Number("lead", 0.0, double.MaxValue).Must(),
                    MapOf("limits", ServerLimits).Must(),
                    MapOf("skeleton", Skeleton).Must())
            },
            {
                "prompt_status",
                new Schema(
                    Name("character").Must(),
                    Name("id").Must(),
                    OneOf("status", Statuses).Must(),
                    Natural("frame"),
                    AnyNumber("seconds"),
                    Seed("seed"),
                    Text("reason", 0, Limits.MaxErrorCharacters))
            },
            {
                "frames",
                new Schema(
                    Name("character").Must(),
                    Natural("first").Must(),
                    FrameRate("frame_rate").Must(),
                    Name("prompt"),
                    Count(),
                    OneOf("encoding", Encodings).Must(),
                    Block("root"),
                    Block("rotations"),
                    Block("contacts"))
            },
            {
                "clip",
                new Schema(
                    Name("id").Must(),
                    Sentence("text").Must(),
                    Seed("seed").Must(),
                    FrameRate("frame_rate").Must(),
                    Count(),
                    OneOf("encoding", Encodings).Must(),
                    Block("root"),
                    Block("rotations"),
                    Block("contacts"))
            },
            {
                "error",
                new Schema(
                    Name("code").Must(),
                    Text("message", 0, Limits.MaxErrorCharacters).Must(),
                    Name("id"),
                    Name("character"),
                    Text("field", 0, Limits.MaxErrorCharacters))
            },
            {
                "stats",
                new Schema(
                    Natural("frames_sent").Must(), Natural("frames_dropped").Must(), AnyNumber("generation_seconds"))
            },
        };

        private static Field Text(string name, int min, int max)
        {
            return new Field { Name = name, Kind = FieldKind.String, Min = min, Max = max };
        }

        private static Field Name(string name)
        {
            return Text(name, 1, Limits.MaxNameCharacters);
        }

        private static Field Label(string name)
        {
            return Text(name, 0, Limits.MaxNameCharacters);
        }

        private static Field Character()
        {
            return Name("character").Or(Limits.DefaultCharacter);
        }

        private static Field Sentence(string name)
        {
            var field = Text(name, 1, Limits.MaxTextCharacters);
            field.Strip = true;
            return field;
        }

        private static Field OneOf(string name, string[] choices)
        {
            return new Field { Name = name, Kind = FieldKind.String, Choices = choices };
        }

        private static Field Integer(string name, long min, long max)
        {
            return new Field { Name = name, Kind = FieldKind.Integer, Min = min, Max = max };
        }

        private static Field AnyInteger()
        {
            return new Field { Kind = FieldKind.Integer };
        }

        private static Field Natural(string name)
        {
            return Integer(name, 0, Limits.MaxFrameIndex);
        }

        private static Field Seed(string name)
        {
            return Integer(name, 0, Limits.MaxSeed);
        }

        private static Field Count()
        {
            return Integer("count", 1, Limits.MaxFrames).Must();
        }

        private static Field Number(string name, double min, double max)
        {
            return new Field { Name = name, Kind = FieldKind.Number, Min = min, Max = max };
        }

        private static Field AnyNumber(string name)
        {
            return new Field { Name = name, Kind = FieldKind.Number };
        }

        private static Field Metres()
        {
            return Number(null, -Limits.MaxRootMetres, Limits.MaxRootMetres);
        }

        private static Field Seconds(string name)
        {
            return Number(name, Limits.MinSeconds, Limits.MaxSeconds);
        }

        private static Field Guidance(string name)
        {
            return Number(name, 0.0, Limits.MaxGuidance);
        }

        private static Field FrameRate(string name)
        {
            return Number(name, Limits.MinFrameRate, Limits.MaxFrameRate);
        }

        private static Field ArrayOf(string name, int min, int max, Field item)
        {
            return new Field { Name = name, Kind = FieldKind.Array, Min = min, Max = max, Item = item };
        }

        private static Field MapOf(string name, Schema map)
        {
            return new Field { Name = name, Kind = FieldKind.Map, Map = map };
        }

        private static Field Block(string name)
        {
            return new Field { Name = name, Kind = FieldKind.Binary, Required = true, Rule = PoseBlock(name) };
        }

        private static Func<object, Fields, string> PoseBlock(string name)
        {
            return (value, before) => PoseCodec.Problem(
                name, new ByteSlice((byte[])value, 0, ((byte[])value).Length), (int)before.Get<long>("count"),
                before.Get<string>("encoding") == "int16");
        }

        private static string DistinctIds(object value, Fields before)
        {
            var seen = new HashSet<string>();
            foreach (Fields prompt in (object[])value)
            {
                if (!seen.Add(prompt.Get<string>("id")))
                {
                    return "prompt ids must differ, " + prompt.Get<string>("id") + " comes twice";
                }
            }
            return null;
        }

        private static string EditLength(object value, Fields before)
        {
            var seconds = (long)value / before.Get<double>("frame_rate");
            var good = seconds >= Limits.MinSeconds && seconds <= Limits.MaxSeconds + Limits.SecondsSlack;
            return good ? null : "lasts " + seconds + " s; the limit is " + Limits.MinSeconds + " to " + Limits.MaxSeconds + " s";
        }

        private static string OrderedRanges(object value, Fields before)
        {
            var earliest = 0L;
            foreach (object[] range in (object[])value)
            {
                var start = (long)range[0];
                var end = (long)range[1];
                if (start < earliest || end <= start || end > before.Get<long>("count"))
                {
                    return "range [" + start + ", " + end + ") must not be empty, must start at " + earliest
                        + " or later and end by " + before.Get<long>("count");
                }
                earliest = end;
            }
            return null;
        }

        private static Field Must(this Field field)
        {
            field.Required = true;
            return field;
        }

        private static Field Or(this Field field, object value)
        {
            field.Default = value;
            return field;
        }

        private static Field Obeys(this Field field, Func<object, Fields, string> rule)
        {
            field.Rule = rule;
            return field;
        }
    }
}
