namespace MotionBridge
{
    /// <summary>A <c>frames</c> message, pointing into the bytes it came in.</summary>
    public struct FramesView
    {
        public ByteSlice Character;
        public ByteSlice Prompt;
        public bool HasPrompt;
        public long First;
        public int Count;
        public double FrameRate;
        public bool Int16;
        public ByteSlice Root;
        public ByteSlice Rotations;
        public ByteSlice Contacts;
    }

    /// <summary>
    /// Reads the message that comes every frame without allocating. It accepts exactly what <see cref="Schemas.FromServer"/> says
    /// of <c>frames</c>; whatever else it meets is left to <see cref="Codec.Decode"/>, which says what is wrong.
    /// </summary>
    public static class FramesReader
    {
        private static readonly byte[] Type = Utf8.Encode("type");
        private static readonly byte[] Frames = Utf8.Encode("frames");
        private static readonly byte[] Character = Utf8.Encode("character");
        private static readonly byte[] First = Utf8.Encode("first");
        private static readonly byte[] FrameRate = Utf8.Encode("frame_rate");
        private static readonly byte[] Prompt = Utf8.Encode("prompt");
        private static readonly byte[] Count = Utf8.Encode("count");
        private static readonly byte[] Encoding = Utf8.Encode("encoding");
        private static readonly byte[] Root = Utf8.Encode("root");
        private static readonly byte[] Rotations = Utf8.Encode("rotations");
        private static readonly byte[] Contacts = Utf8.Encode("contacts");
        private static readonly byte[] Float32 = Utf8.Encode("float32");
        private static readonly byte[] Int16 = Utf8.Encode("int16");

        /// <summary>True when the message is a good <c>frames</c>; throws only when it is not msgpack.</summary>
        public static bool TryRead(byte[] data, int offset, int count, out FramesView view)
        {
            view = new FramesView { First = -1 };
            if (count > Limits.MaxMessageBytes)
            {
                return false;
            }
            var reader = new MsgpackReader(data, offset, count);
            if (reader.Kind != MsgpackKind.Map)
            {
                return false;
            }
            var values = Limits.MaxValues;
            var keys = MsgpackReader.Enter(reader.ReadMapHeader(), ref values, 0);
            var isFrames = false;
            var hasEncoding = false;
            for (var i = 0; i < keys; i++)
            {
                var key = reader.ReadString();
                var kind = reader.Kind;
                if (key.Is(Type))
                {
                    isFrames = kind == MsgpackKind.String && reader.ReadString().Is(Frames);
                    if (!isFrames)
                    {
                        return false;
                    }
                }
                else if (key.Is(Prompt) && kind == MsgpackKind.Nil)
                {
                    view.HasPrompt = false;
                    reader.ReadNil();
                }
                else if (key.Is(Character) || key.Is(Prompt) || key.Is(Encoding))
                {
                    if (kind != MsgpackKind.String || !ReadText(ref view, key, reader.ReadString(), ref hasEncoding))
                    {
                        return false;
                    }
                }
                else if (key.Is(First) || key.Is(Count) || key.Is(FrameRate))
                {
                    if (!ReadNumber(ref view, key, ref reader, kind))
                    {
                        return false;
                    }
                }
                else if (key.Is(Root) || key.Is(Rotations) || key.Is(Contacts))
                {
                    if (kind != MsgpackKind.Binary)
                    {
                        return false;
                    }
                    ReadBlock(ref view, key, reader.ReadBinary());
                }
                else
                {
                    reader.Skip(ref values, 1);
                }
            }
            return reader.AtEnd && isFrames && hasEncoding && view.Character.Count > 0 && view.First >= 0 && view.Count > 0
                && view.FrameRate > 0.0 && view.Root.Data != null && view.Rotations.Data != null && view.Contacts.Data != null
                && PoseCodec.AreGood(view.Root, view.Rotations, view.Contacts, view.Count, view.Int16);
        }

        private static bool ReadText(ref FramesView view, ByteSlice key, ByteSlice value, ref bool hasEncoding)
        {
            if (key.Is(Encoding))
            {
                hasEncoding = true;
                view.Int16 = value.Is(Int16);
                return view.Int16 || value.Is(Float32);
            }
            var size = Utf8.CodePoints(value);
            if (size < 1 || size > Limits.MaxNameCharacters)
            {
                return false;
            }
            if (key.Is(Character))
            {
                view.Character = value;
                return true;
            }
            view.Prompt = value;
            view.HasPrompt = true;
            return true;
        }

        private static bool ReadNumber(ref FramesView view, ByteSlice key, ref MsgpackReader reader, MsgpackKind kind)
        {
            if (key.Is(FrameRate))
            {
                if (kind != MsgpackKind.Integer && kind != MsgpackKind.Float)
                {
                    return false;
                }
                view.FrameRate = reader.ReadNumber();
                return view.FrameRate >= Limits.MinFrameRate && view.FrameRate <= Limits.MaxFrameRate;
            }
            if (kind != MsgpackKind.Integer)
            {
                return false;
            }
            var value = reader.ReadInteger();
            if (key.Is(First))
            {
                view.First = value;
                return value >= 0 && value <= Limits.MaxFrameIndex;
            }
            view.Count = value >= 1 && value <= Limits.MaxFrames ? (int)value : 0;
            return view.Count > 0;
        }

        private static void ReadBlock(ref FramesView view, ByteSlice key, ByteSlice block)
        {
            if (key.Is(Root))
            {
                view.Root = block;
            }
            else if (key.Is(Rotations))
            {
                view.Rotations = block;
            }
            else
            {
                view.Contacts = block;
            }
        }
    }
}
