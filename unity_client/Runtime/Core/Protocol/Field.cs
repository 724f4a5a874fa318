using System;
using System.Collections.Generic;
using System.Globalization;

namespace MotionBridge
{
    /// <summary>What a field holds.</summary>
    public enum FieldKind
    {
        String,
        Integer,
        Number,
        Boolean,
        Binary,
        Array,
        Map,
    }

    /// <summary>
    /// One field of a message: its kind, limits and default. Decoded values are string, long, double, bool, byte[], object[] and
    /// <see cref="Fields"/>.
    /// </summary>
    public sealed class Field
    {
        public string Name;
        public FieldKind Kind;
        public bool Required;

        /// <summary>What an absent field means; null when it stays absent.</summary>
        public object Default;

        /// <summary>Least and most: of a number its value, of a string its code points, of an array its entries.</summary>
        public double Min = double.NegativeInfinity;

        public double Max = double.PositiveInfinity;

        /// <summary>Whether white space at both ends of a string is dropped first.</summary>
        public bool Strip;

        /// <summary>The strings allowed; null for any.</summary>
        public string[] Choices;

        /// <summary>What the entries of an array are.</summary>
        public Field Item;

        /// <summary>What a map holds.</summary>
        public Schema Map;

        /// <summary>A rule that ties the value to the fields before it: returns what is wrong, or null.</summary>
        public Func<object, Fields, string> Rule;

        /// <summary>The value as it is kept; <see cref="FieldException"/> when it breaks a rule.</summary>
        internal object Check(object value, Fields before, string path)
        {
            var kept = CheckKind(value, path);
            var problem = Rule == null ? null : Rule(kept, before);
            if (problem != null)
            {
                throw new FieldException(path, problem);
            }
            return kept;
        }

        internal void Write(MsgpackWriter writer, object value)
        {
            switch (Kind)
            {
                case FieldKind.String:
                    writer.WriteString((string)value);
                    break;
                case FieldKind.Integer:
                    writer.WriteInteger((long)value);
                    break;
                case FieldKind.Number:
                    writer.WriteNumber((double)value);
                    break;
                case FieldKind.Boolean:
                    writer.WriteBoolean((bool)value);
                    break;
                case FieldKind.Binary:
                    writer.WriteBinary((byte[])value);
                    break;
                case FieldKind.Map:
                    Map.Write(writer, (Fields)value, null);
                    break;
                default:
                    var entries = (object[])value;
                    writer.WriteArrayHeader(entries.Length);
                    foreach (var entry in entries)
                    {
                        Item.Write(writer, entry);
                    }
                    break;
            }
        }

        private object CheckKind(object value, string path)
        {
            switch (Kind)
            {
                case FieldKind.String:
                    return CheckString(Cast<string>(value, path), path);
                case FieldKind.Integer:
                    return CheckRange(CastValue<long>(value, path), path);
                case FieldKind.Number:
                    return CheckNumber(value, path);
                case FieldKind.Boolean:
                    return CastValue<bool>(value, path);
                case FieldKind.Binary:
                    return Cast<byte[]>(value, path);
                case FieldKind.Map:
                    return Map.Check(Cast<Dictionary<string, object>>(value, path), path);
                default:
                    return CheckArray(Cast<object[]>(value, path), path);
            }
        }

        private string CheckString(string value, string path)
        {
            if (Strip)
            {
                value = value.Trim();
            }
            if (Choices != null && Array.IndexOf(Choices, value) < 0)
            {
                throw new FieldException(path, "must be one of " + string.Join(", ", Choices) + "; got " + value);
            }
            CheckSize(Utf8.CodePoints(value), "characters", path);
            return value;
        }

        private long CheckRange(long value, string path)
        {
            if (value < Min || value > Max)
            {
                throw new FieldException(path, "must be " + Text(Min) + " to " + Text(Max) + "; got " + value);
            }
            return value;
        }

        private double CheckNumber(object value, string path)
        {
            var number = value is long ? (long)value : CastValue<double>(value, path);
            var good = number >= Min - Limits.Float32Slack && number <= Max + Limits.Float32Slack;
            if (!good || double.IsInfinity(number))
            {
                throw new FieldException(path, "must be " + Text(Min) + " to " + Text(Max) + "; got " + Text(number));
            }
            return Math.Min(Math.Max(number, Min), Max);
        }

        private object[] CheckArray(object[] entries, string path)
        {
            CheckSize(entries.Length, "entries", path);
            var kept = new object[entries.Length];
            for (var i = 0; i < entries.Length; i++)
            {
                kept[i] = Item.Check(entries[i], null, path + "[" + i + "]");
            }
            return kept;
        }

        private void CheckSize(int size, string unit, string path)
        {
            if (size < Min || size > Max)
            {
                var limits = double.IsInfinity(Min) ? "at most " + Text(Max) : Text(Min) + " to " + Text(Max);
                throw new FieldException(path, "must have " + limits + " " + unit + "; it has " + size);
            }
        }

        private T Cast<T>(object value, string path)
            where T : class
        {
            var cast = value as T;
            if (cast == null)
            {
                throw new FieldException(path, "must be a " + Kind);
            }
            return cast;
        }

        private T CastValue<T>(object value, string path)
            where T : struct
        {
            if (!(value is T))
            {
                throw new FieldException(path, "must be a " + Kind);
            }
            return (T)value;
        }

        private static string Text(double value)
        {
            return value.ToString("R", CultureInfo.InvariantCulture);
        }
    }

    /// <summary>A field that breaks a rule, before the message it belongs to is known.</summary>
    internal sealed class FieldException : Exception
    {
        public FieldException(string path, string problem)
            : base(problem)
        {
            Path = path;
        }

        public string Path { get; private set; }
    }
}
