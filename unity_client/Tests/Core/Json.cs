using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace MotionBridge.Tests
{
    /// <summary>Just enough JSON to read the golden files: null, bool, double, string, List and Dictionary.</summary>
    internal sealed class Json
    {
        private readonly string text;
        private int at;

        private Json(string text)
        {
            this.text = text;
        }

        public static object Parse(string text)
        {
            var parser = new Json(text);
            var value = parser.Value();
            parser.Space();
            if (parser.at != text.Length)
            {
                throw new FormatException("text after the value, at " + parser.at);
            }
            return value;
        }

        private object Value()
        {
            Space();
            switch (text[at])
            {
                case '{':
                    return Map();
                case '[':
                    return Items();
                case '"':
                    return String();
                case 't':
                    at += 4;
                    return true;
                case 'f':
                    at += 5;
                    return false;
                case 'n':
                    at += 4;
                    return null;
                default:
                    return Number();
            }
        }

        private Dictionary<string, object> Map()
        {
            var map = new Dictionary<string, object>();
            at++;
            for (Space(); text[at] != '}'; Space())
            {
                at += text[at] == ',' ? 1 : 0;
                Space();
                var key = String();
                Space();
                at++;
                map[key] = Value();
            }
            at++;
            return map;
        }

        private List<object> Items()
        {
            var items = new List<object>();
            at++;
            for (Space(); text[at] != ']'; Space())
            {
                at += text[at] == ',' ? 1 : 0;
                items.Add(Value());
            }
            at++;
            return items;
        }

        private string String()
        {
            var value = new StringBuilder();
            for (at++; text[at] != '"'; at++)
            {
                if (text[at] != '\\')
                {
                    value.Append(text[at]);
                    continue;
                }
                at++;
                var escape = "bfnrt".IndexOf(text[at]);
                if (text[at] == 'u')
                {
                    value.Append((char)int.Parse(text.Substring(at + 1, 4), NumberStyles.HexNumber));
                    at += 4;
                }
                else
                {
                    value.Append(escape < 0 ? text[at] : "\b\f\n\r\t"[escape]);
                }
            }
            at++;
            return value.ToString();
        }

        private double Number()
        {
            var start = at;
            while (at < text.Length && "+-.0123456789eE".IndexOf(text[at]) >= 0)
            {
                at++;
            }
            return double.Parse(text.Substring(start, at - start), CultureInfo.InvariantCulture);
        }

        private void Space()
        {
            while (at < text.Length && char.IsWhiteSpace(text[at]))
            {
                at++;
            }
        }
    }
}
