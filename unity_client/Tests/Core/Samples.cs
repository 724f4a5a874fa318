using System;

namespace MotionBridge.Tests
{
    /// <summary>Messages and skeletons that tests need, made without a server.</summary>
    internal static class Samples
    {
        private static readonly string[] Joints =
        {
            "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle", "spine3",
            "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
            "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        };

        private static readonly int[] Parents =
        {
            -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19,
        };

        private static readonly double[][] Offsets =
        {
            new[] { 0.0, 0.95, 0.0 }, new[] { 0.08, -0.085, 0.0 }, new[] { -0.08, -0.085, 0.0 }, new[] { 0.0, 0.1, 0.0 },
            new[] { 0.0, -0.4, 0.0 }, new[] { 0.0, -0.4, 0.0 }, new[] { 0.0, 0.13, 0.0 }, new[] { 0.0, -0.39, 0.0 },
            new[] { 0.0, -0.39, 0.0 }, new[] { 0.0, 0.08, 0.0 }, new[] { 0.0, -0.055, 0.13 }, new[] { 0.0, -0.055, 0.13 },
            new[] { 0.0, 0.19, 0.0 }, new[] { 0.05, 0.12, 0.0 }, new[] { -0.05, 0.12, 0.0 }, new[] { 0.0, 0.1, 0.02 },
            new[] { 0.13, 0.02, 0.0 }, new[] { -0.13, 0.02, 0.0 }, new[] { 0.27, 0.0, 0.0 }, new[] { -0.27, 0.0, 0.0 },
            new[] { 0.25, 0.0, 0.0 }, new[] { -0.25, 0.0, 0.0 },
        };

        /// <summary>The skeleton of protocol/skeleton.json.</summary>
        public static Skeleton Skeleton()
        {
            return new Skeleton(Joints, Parents, Array.ConvertAll(Offsets, o => new Vec3(o[0], o[1], o[2])));
        }

        public static Fields WelcomeFields(string resume = null, bool resumed = false, params string[] characters)
        {
            var joints = new object[Joints.Length];
            for (var i = 0; i < joints.Length; i++)
            {
                joints[i] = new Fields().With("name", Joints[i]).With("parent", Parents[i])
                    .With("offset", Array.ConvertAll<double, object>(Offsets[i], part => part));
            }
            var skeleton = new Fields().With("name", "motionbridge-22").With("joints", joints)
                .With("feet", new object[] { 7L, 10L, 8L, 11L });
            return new Fields().With("version", 1).With("server", "fake").With("server_version", "0").With("model", "none")
                .With("session", "s1").With("resume", resume).With("resumed", resumed)
                .With("characters", Array.ConvertAll<string, object>(characters, name => name)).With("supports", new object[0])
                .With("frame_rate", 30.0).With("encoding", "float32").With("model_frame_rate", 20.0).With("lead", 0.25)
                .With("limits", new Fields()).With("skeleton", skeleton);
        }

        /// <summary>Frames whose root's x is the index modulo 10000, and whose pelvis turns with it; <paramref name="shift"/> is the root's z.</summary>
        public static Fields FramesFields(long first, int count, double shift = 0.0, string character = "main", string prompt = null)
        {
            var root = new byte[PoseCodec.RootBytes * count];
            var rotations = new byte[PoseCodec.RotationBytes(false) * count];
            for (var i = 0; i < count; i++)
            {
                Put(root, 3 * i, (float)((first + i) % 10000));
                Put(root, 3 * i + 2, (float)shift);
                for (var joint = 0; joint < Limits.JointCount; joint++)
                {
                    var half = joint == 0 ? 0.01 * (first + i) : 0.0;
                    Put(rotations, 88 * i + 4 * joint + 1, (float)Math.Sin(half));
                    Put(rotations, 88 * i + 4 * joint + 3, (float)Math.Cos(half));
                }
            }
            return new Fields().With("character", character).With("first", first).With("frame_rate", 30.0).With("prompt", prompt)
                .With("count", count).With("encoding", "float32").With("root", root).With("rotations", rotations)
                .With("contacts", new byte[count]);
        }

        public static byte[] Message(string type, Fields fields)
        {
            var writer = new MsgpackWriter();
            Schemas.FromServer[type].Write(writer, fields, type);
            return writer.ToArray();
        }

        public static void Insert(FrameBuffer buffer, long first, int count, double shift = 0.0, string prompt = null)
        {
            var data = Message("frames", FramesFields(first, count, shift));
            FramesView frames;
            if (!FramesReader.TryRead(data, 0, data.Length, out frames))
            {
                throw new InvalidOperationException("the sample frames are not good");
            }
            buffer.Insert(ref frames, prompt);
        }

        private static void Put(byte[] block, int index, float value)
        {
            Buffer.BlockCopy(BitConverter.GetBytes(value), 0, block, 4 * index, 4);
        }
    }
}
