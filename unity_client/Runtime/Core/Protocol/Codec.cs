using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>A decoded and checked message.</summary>
    public struct Message
    {
        public readonly string Type;
        public readonly Fields Fields;

        public Message(string type, Fields fields)
        {
            Type = type;
            Fields = fields;
        }
    }

    /// <summary>Bytes to messages and back.</summary>
    public static class Codec
    {
        /// <summary>Decodes one message; <see cref="ProtocolException"/> says which rule it breaks.</summary>
        /// <param name="schemas"><see cref="Schemas.FromServer"/> or <see cref="Schemas.FromClient"/>.</param>
        public static Message Decode(
            byte[] data,
            int offset,
            int count,
            Dictionary<string, Schema> schemas,
            int maxBytes = Limits.MaxMessageBytes)
        {
            var raw = MsgpackTree.ReadMessage(data, offset, count, maxBytes);
            object value;
            raw.TryGetValue("type", out value);
            var type = value as string;
            var id = RequestId(raw);
            if (type == null)
            {
                throw new ProtocolException(ErrorCodes.Malformed, "a message must have a key `type` with a string", null, id);
            }
            Schema schema;
            if (!schemas.TryGetValue(type, out schema))
            {
                throw new ProtocolException(ErrorCodes.UnknownType, "unknown message type " + type, "type", id);
            }
            try
            {
                return new Message(type, schema.Check(raw, ""));
            }
            catch (FieldException error)
            {
                throw new ProtocolException(
                    ErrorCodes.InvalidField, type + "." + error.Path + ": " + error.Message, error.Path, id);
            }
        }

        /// <summary>Writes one message from a client, in the protocol's fixed encoding.</summary>
        public static void Encode(MsgpackWriter writer, string type, Fields fields)
        {
            Schemas.FromClient[type].Write(writer, fields, type);
        }

        /// <summary>
        /// Fills defaults in and checks what the program itself is about to send; <see cref="ProtocolException"/> names the field,
        /// its value and its limit.
        /// </summary>
        public static Fields Check(string type, Fields fields)
        {
            try
            {
                return Schemas.FromClient[type].Check(Raw(fields), "");
            }
            catch (FieldException error)
            {
                throw new ProtocolException(ErrorCodes.InvalidField, type + "." + error.Path + ": " + error.Message, error.Path);
            }
        }

        private static Dictionary<string, object> Raw(Fields fields)
        {
            var raw = new Dictionary<string, object>();
            foreach (var pair in fields)
            {
                raw[pair.Key] = RawValue(pair.Value);
            }
            return raw;
        }

        private static object RawValue(object value)
        {
            var map = value as Fields;
            if (map != null)
            {
                return Raw(map);
            }
            var entries = value as object[];
            return entries == null ? value : System.Array.ConvertAll(entries, RawValue);
        }

        private static string RequestId(Dictionary<string, object> raw)
        {
            object value;
            raw.TryGetValue("id", out value);
            var id = value as string;
            var size = id == null ? 0 : Utf8.CodePoints(id);
            return size >= 1 && size <= Limits.MaxNameCharacters ? id : null;
        }
    }
}
