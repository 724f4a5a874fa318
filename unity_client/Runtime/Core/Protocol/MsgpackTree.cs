using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>
    /// One whole message as objects: null, bool, long, double, string, byte[], object[] and Dictionary&lt;string, object&gt;. For
    /// the messages that come now and then; <see cref="FramesReader"/> reads the ones that come every frame.
    /// </summary>
    internal static class MsgpackTree
    {
        /// <summary>Stands for a value of an extension type, which no field has.</summary>
        private static readonly object Extension = new object();

        /// <summary>The map that a message is; <see cref="ProtocolException"/> when it is anything else, or too big.</summary>
        public static Dictionary<string, object> ReadMessage(byte[] data, int offset, int count, int maxBytes)
        {
            if (count > maxBytes)
            {
                throw new ProtocolException(
                    ErrorCodes.TooBig, "message has " + count + " bytes, the limit is " + maxBytes);
            }
            var reader = new MsgpackReader(data, offset, count);
            var values = Limits.MaxValues;
            var map = Read(ref reader, ref values, 0) as Dictionary<string, object>;
            if (map == null)
            {
                throw MsgpackReader.Malformed("a message must be a map");
            }
            if (!reader.AtEnd)
            {
                throw MsgpackReader.Malformed("bytes follow the message's map");
            }
            return map;
        }

        private static object Read(ref MsgpackReader reader, ref int values, int depth)
        {
            switch (reader.Kind)
            {
                case MsgpackKind.Nil:
                    reader.ReadNil();
                    return null;
                case MsgpackKind.Boolean:
                    return reader.ReadBoolean();
                case MsgpackKind.Integer:
                    return reader.ReadInteger();
                case MsgpackKind.Float:
                    return reader.ReadNumber();
                case MsgpackKind.String:
                    return Utf8.Decode(reader.ReadString());
                case MsgpackKind.Binary:
                    return reader.ReadBinary().ToArray();
                case MsgpackKind.Array:
                    return ReadArray(ref reader, ref values, depth);
                case MsgpackKind.Map:
                    return ReadMap(ref reader, ref values, depth);
                default:
                    reader.SkipExtension();
                    return Extension;
            }
        }

        private static object[] ReadArray(ref MsgpackReader reader, ref int values, int depth)
        {
            var entries = new object[MsgpackReader.Enter(reader.ReadArrayHeader(), ref values, depth)];
            for (var i = 0; i < entries.Length; i++)
            {
                entries[i] = Read(ref reader, ref values, depth + 1);
            }
            return entries;
        }

        private static Dictionary<string, object> ReadMap(ref MsgpackReader reader, ref int values, int depth)
        {
            var count = MsgpackReader.Enter(reader.ReadMapHeader(), ref values, depth);
            var map = new Dictionary<string, object>();
            for (var i = 0; i < count; i++)
            {
                var key = Utf8.Decode(reader.ReadString());
                map[key] = Read(ref reader, ref values, depth + 1);
            }
            return map;
        }
    }
}
