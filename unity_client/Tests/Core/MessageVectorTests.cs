using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class MessageVectorTests
    {
        private static readonly Dictionary<string, Dictionary<string, Schema>> Sides =
            new Dictionary<string, Dictionary<string, Schema>>
            {
                { "client", Schemas.FromClient },
                { "server", Schemas.FromServer },
            };

        public static IEnumerable<TestCaseData> Good()
        {
            return Golden.Cases("valid", "alternative");
        }

        public static IEnumerable<TestCaseData> Bad()
        {
            return Golden.Cases("malformed");
        }

        [TestCaseSource("Good")]
        public void DecodesToItsMeaning(string path)
        {
            var meaning = Golden.Meaning(path);
            var data = Golden.Bytes(path);
            var message = Codec.Decode(data, 0, data.Length, Sides[(string)meaning["from"]]);
            var expected = Golden.Map(meaning["message"]);
            Assert.AreEqual(expected["type"], message.Type);
            expected.Remove("type");
            AssertSame(expected, message.Fields, message.Type);
        }

        [TestCaseSource("Good")]
        public void EncodesToTheProjectsBytes(string path)
        {
            var meaning = Golden.Meaning(path);
            if ((string)meaning["from"] == "server")
            {
                return;
            }
            var data = Golden.Bytes(path);
            var message = Codec.Decode(data, 0, data.Length, Schemas.FromClient);
            var writer = new MsgpackWriter();
            Codec.Encode(writer, message.Type, message.Fields);
            Assert.AreEqual((bool)meaning["canonical"], writer.ToArray().SequenceEqual(data));
            var again = Codec.Decode(writer.Buffer, 0, writer.Count, Schemas.FromClient);
            var expected = Golden.Map(meaning["message"]);
            expected.Remove("type");
            AssertSame(expected, again.Fields, again.Type);
        }

        [TestCaseSource("Good")]
        public void PosesAreThoseOfTheJson(string path)
        {
            var meaning = Golden.Meaning(path);
            if (!meaning.ContainsKey("poses") || (string)Golden.Map(meaning["message"])["type"] == "edit")
            {
                return;
            }
            var data = Golden.Bytes(path);
            var poses = Golden.Map(meaning["poses"]);
            var message = Golden.Map(meaning["message"]);
            var tolerance = (string)message["encoding"] == "int16" ? 1e-6 : 0.0;
            var read = (string)message["type"] == "frames" ? FromFrames(data) : FromClip(data);
            for (var frame = 0; frame < Golden.Items(poses["root"]).Count; frame++)
            {
                var pose = read(frame);
                var root = Golden.Vector(Golden.Items(poses["root"])[frame]);
                Assert.AreEqual(0.0, (root - pose.Root).Length, 0.0);
                Assert.AreEqual((double)Golden.Items(poses["contacts"])[frame], pose.Contacts);
                for (var joint = 0; joint < Limits.JointCount; joint++)
                {
                    var wanted = Golden.Rotation(Golden.Items(Golden.Items(poses["rotations"])[frame])[joint]);
                    var got = pose.Rotations[joint];
                    Assert.AreEqual(wanted.X, got.X, tolerance);
                    Assert.AreEqual(wanted.Y, got.Y, tolerance);
                    Assert.AreEqual(wanted.Z, got.Z, tolerance);
                    Assert.AreEqual(wanted.W, got.W, tolerance);
                }
            }
        }

        [TestCaseSource("Good")]
        public void TheFastReaderTakesFramesAndNothingElse(string path)
        {
            var message = Golden.Map(Golden.Meaning(path)["message"]);
            var data = Golden.Bytes(path);
            FramesView frames;
            var taken = FramesReader.TryRead(data, 0, data.Length, out frames);
            Assert.AreEqual((string)message["type"] == "frames", taken);
            if (taken)
            {
                Assert.AreEqual(message["first"], frames.First);
                Assert.AreEqual(message["count"], frames.Count);
                Assert.AreEqual(message["frame_rate"], frames.FrameRate);
                Assert.AreEqual(message.ContainsKey("prompt"), frames.HasPrompt);
            }
        }

        [TestCaseSource("Bad")]
        public void RefusesWithCodeFieldAndId(string path)
        {
            var meaning = Golden.Meaning(path);
            var data = Golden.Bytes(path);
            var schemas = Sides[(string)meaning["from"]];
            var error = Assert.Throws<ProtocolException>(
                () => Codec.Decode(data, 0, data.Length, schemas, (int)(double)meaning["max_bytes"]));
            Assert.AreEqual(meaning["code"], error.Code);
            Assert.AreEqual(meaning["field"], error.Field);
            Assert.AreEqual(meaning["id"], error.RequestId);
            Assert.IsFalse(string.IsNullOrEmpty(error.Message));
        }

        [TestCaseSource("Bad")]
        public void TheFastReaderTakesNoBadMessage(string path)
        {
            var data = Golden.Bytes(path);
            FramesView frames;
            try
            {
                Assert.IsFalse(FramesReader.TryRead(data, 0, data.Length, out frames));
            }
            catch (ProtocolException error)
            {
                Assert.AreEqual(ErrorCodes.Malformed, error.Code);
            }
        }

        [Test]
        public void CoordinatesAgree()
        {
            if (Golden.Folder == null)
            {
                Assert.Ignore("set MOTIONBRIDGE_VECTORS to protocol/vectors");
            }
            var cases = Golden.Items(Json.Parse(System.IO.File.ReadAllText(Golden.Folder + "/coordinates.json")));
            Assert.Greater(cases.Count, 3);
            foreach (var entry in cases.Select(Golden.Map))
            {
                foreach (var target in new[] { "unity", "unreal_actor", "unreal_mesh" })
                {
                    var wanted = Golden.Map(entry[target]);
                    var position = Axes.ByName[target].Position(Golden.Vector(entry["position"]));
                    var rotation = Axes.ByName[target].Rotation(Golden.Rotation(entry["rotation"]));
                    Assert.AreEqual(0.0, (Golden.Vector(wanted["position"]) - position).Length, 1e-9);
                    Assert.AreEqual(1.0, Quat.Dot(Golden.Rotation(wanted["rotation"]), rotation), 1e-12);
                }
            }
        }

        private static Func<int, Pose> FromFrames(byte[] data)
        {
            FramesView frames;
            Assert.IsTrue(FramesReader.TryRead(data, 0, data.Length, out frames));
            var buffer = new FrameBuffer(64);
            buffer.Insert(ref frames, null);
            return frame =>
            {
                var pose = new Pose();
                buffer.Read(frames.First + frame, pose);
                return pose;
            };
        }

        private static Func<int, Pose> FromClip(byte[] data)
        {
            var clip = new Clip(Codec.Decode(data, 0, data.Length, Schemas.FromServer).Fields);
            return frame =>
            {
                var pose = new Pose();
                clip.Read(frame, pose);
                return pose;
            };
        }

        private static void AssertSame(object expected, object actual, string where)
        {
            var map = expected as Dictionary<string, object>;
            if (map != null && map.ContainsKey("$hex"))
            {
                var hex = (string)map["$hex"];
                var bytes = Enumerable.Range(0, hex.Length / 2).Select(i => Convert.ToByte(hex.Substring(2 * i, 2), 16));
                CollectionAssert.AreEqual(bytes.ToArray(), (byte[])actual, where);
            }
            else if (map != null)
            {
                var fields = (Fields)actual;
                CollectionAssert.AreEquivalent(map.Keys, fields.Keys, where);
                foreach (var pair in map)
                {
                    AssertSame(pair.Value, fields[pair.Key], where + "." + pair.Key);
                }
            }
            else if (expected is List<object>)
            {
                var items = Golden.Items(expected);
                var entries = (object[])actual;
                Assert.AreEqual(items.Count, entries.Length, where);
                for (var i = 0; i < entries.Length; i++)
                {
                    AssertSame(items[i], entries[i], where + "[" + i + "]");
                }
            }
            else if (expected is double)
            {
                Assert.AreEqual((double)expected, Convert.ToDouble(actual), 0.0, where);
            }
            else
            {
                Assert.AreEqual(expected, actual, where);
            }
        }
    }
}
