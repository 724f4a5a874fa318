namespace MotionBridge
{
    /// <summary>Writes <c>playhead</c>, which goes out several times a second, without allocating.</summary>
    internal static class PlayheadWriter
    {
        private static readonly byte[] Type = Utf8.Encode("type");
        private static readonly byte[] Playhead = Utf8.Encode("playhead");
        private static readonly byte[] Character = Utf8.Encode("character");
        private static readonly byte[] Frame = Utf8.Encode("frame");
        private static readonly byte[] Buffered = Utf8.Encode("buffered");

        public static void Write(MsgpackWriter writer, byte[] character, long frame, int buffered)
        {
            writer.Clear();
            writer.WriteMapHeader(4);
            writer.WriteUtf8(Type);
            writer.WriteUtf8(Playhead);
            writer.WriteUtf8(Character);
            writer.WriteUtf8(character);
            writer.WriteUtf8(Frame);
            writer.WriteInteger(frame);
            writer.WriteUtf8(Buffered);
            writer.WriteInteger(buffered);
        }
    }
}
