using System.Text;

namespace MotionBridge
{
    /// <summary>UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.</summary>
    internal static class Utf8
    {
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        public static string Decode(ByteSlice slice)
        {
            return Strict.GetString(slice.Data, slice.Offset, slice.Count);
        }

        public static byte[] Encode(string text)
        {
            return Strict.GetBytes(text);
        }

        /// <summary>How many code points a string has; a surrogate pair counts as one.</summary>
        public static int CodePoints(string text)
        {
            var count = 0;
            foreach (var unit in text)
            {
                count += char.IsLowSurrogate(unit) ? 0 : 1;
            }
            return count;
        }

        /// <summary>How many code points valid UTF-8 has.</summary>
        public static int CodePoints(ByteSlice slice)
        {
            var count = 0;
            for (var i = 0; i < slice.Count; i++)
            {
                count += (slice.Data[slice.Offset + i] & 0xc0) == 0x80 ? 0 : 1;
            }
            return count;
        }

        public static bool IsValid(ByteSlice slice)
        {
            var data = slice.Data;
            var end = slice.Offset + slice.Count;
            for (var at = slice.Offset; at < end;)
            {
                var head = data[at];
                if (head < 0x80)
                {
                    at++;
                    continue;
                }
                var more = head >= 0xf0 ? 3 : head >= 0xe0 ? 2 : 1;
                if (head < 0xc2 || head > 0xf4 || at + more >= end)
                {
                    return false;
                }
                var code = head & (0x3f >> more);
                for (var i = 1; i <= more; i++)
                {
                    if ((data[at + i] & 0xc0) != 0x80)
                    {
                        return false;
                    }
                    code = code << 6 | (data[at + i] & 0x3f);
                }
                var least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
                if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                {
                    return false;
                }
                at += more + 1;
            }
            return true;
        }
    }
}
