using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>The values of one message or of a map within one, by key; absent fields are missing.</summary>
    public sealed class Fields : Dictionary<string, object>
    {
        /// <summary>The value of a field as <typeparamref name="T"/>, or the fallback when it is absent.</summary>
        public T Get<T>(string key, T fallback)
        {
            object value;
            return TryGetValue(key, out value) ? (T)value : fallback;
        }

        /// <summary>The value of a field that the schema demands.</summary>
        public T Get<T>(string key)
        {
            return (T)this[key];
        }

        /// <summary>A number that may be absent.</summary>
        public T? GetOptional<T>(string key)
            where T : struct
        {
            object value;
            return TryGetValue(key, out value) ? (T?)(T)value : null;
        }

        /// <summary>Sets a field, unless the value is null, which means absent; returns the same object.</summary>
        public Fields With(string key, object value)
        {
            if (value != null)
            {
                this[key] = value is int ? (long)(int)value : value;
            }
            return this;
        }
    }

    /// <summary>The fields of a message or of a map within one, in the order in which they are written.</summary>
    public sealed class Schema
    {
        private readonly Field[] fields;

        public Schema(params Field[] fields)
        {
            this.fields = fields;
        }

        internal Fields Check(Dictionary<string, object> raw, string path)
        {
            var kept = new Fields();
            foreach (var field in fields)
            {
                object value;
                raw.TryGetValue(field.Name, out value);
                var at = path.Length == 0 ? field.Name : path + "." + field.Name;
                if (value != null)
                {
                    kept[field.Name] = field.Check(value, kept, at);
                }
                else if (field.Required)
                {
                    throw new FieldException(at, "is required");
                }
                else if (field.Default != null)
                {
                    kept[field.Name] = field.Default;
                }
            }
            return kept;
        }

        /// <summary>Writes the fields present, after <c>type</c> when it is given.</summary>
        internal void Write(MsgpackWriter writer, Fields values, string type)
        {
            var count = type == null ? 0 : 1;
            foreach (var field in fields)
            {
                count += values.ContainsKey(field.Name) ? 1 : 0;
            }
            writer.WriteMapHeader(count);
            if (type != null)
            {
                writer.WriteString("type");
                writer.WriteString(type);
            }
            foreach (var field in fields)
            {
                object value;
                if (values.TryGetValue(field.Name, out value))
                {
                    writer.WriteString(field.Name);
                    field.Write(writer, value);
                }
            }
        }
    }
}
