using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using NUnit.Framework;

namespace MotionBridge.Tests
{
    /// <summary>The protocol's golden files: below MOTIONBRIDGE_VECTORS, or in the repository around the working folder.</summary>
    internal static class Golden
    {
        public static string Folder
        {
            get
            {
                var named = Environment.GetEnvironmentVariable("MOTIONBRIDGE_VECTORS");
                if (!string.IsNullOrEmpty(named))
                {
                    return named;
                }
                for (var folder = Directory.GetCurrentDirectory(); folder != null; folder = Path.GetDirectoryName(folder))
                {
                    var candidate = Path.Combine(Path.Combine(folder, "protocol"), "vectors");
                    if (Directory.Exists(candidate))
                    {
                        return candidate;
                    }
                }
                return null;
            }
        }

        /// <summary>Names of the cases of a folder; without the golden files one that says so.</summary>
        public static IEnumerable<TestCaseData> Cases(params string[] folders)
        {
            if (Folder == null)
            {
                return new[] { new TestCaseData("missing").Ignore("set MOTIONBRIDGE_VECTORS to protocol/vectors") };
            }
            return folders.SelectMany(folder => Directory.GetFiles(Path.Combine(Folder, folder), "*.json"))
                .OrderBy(path => path, StringComparer.Ordinal)
                .Select(path => path.Substring(0, path.Length - ".json".Length))
                .Select(path => new TestCaseData(path).SetName(
                    Path.GetFileName(Path.GetDirectoryName(path)) + "/" + Path.GetFileName(path)));
        }

        public static Dictionary<string, object> Meaning(string path)
        {
            return (Dictionary<string, object>)Json.Parse(File.ReadAllText(path + ".json"));
        }

        public static byte[] Bytes(string path)
        {
            return File.ReadAllBytes(path + ".bin");
        }

        public static Dictionary<string, object> Map(object value)
        {
            return (Dictionary<string, object>)value;
        }

        public static List<object> Items(object value)
        {
            return (List<object>)value;
        }

        public static double[] Numbers(object value)
        {
            return Items(value).Select(item => (double)item).ToArray();
        }

        public static Vec3 Vector(object value)
        {
            var parts = Numbers(value);
            return new Vec3(parts[0], parts[1], parts[2]);
        }

        public static Quat Rotation(object value)
        {
            var parts = Numbers(value);
            return new Quat(parts[0], parts[1], parts[2], parts[3]);
        }

        public static double Degrees(Vec3 a, Vec3 b)
        {
            return Math.Atan2(Vec3.Cross(a, b).Length, Vec3.Dot(a, b)) * 180.0 / Math.PI;
        }
    }
}
