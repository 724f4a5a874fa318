using System;

namespace MotionBridge
{
    /// <summary>
    /// One character's received frames by absolute index, the last <see cref="Capacity"/> up to the highest received. A frame that
    /// comes again replaces the one held; frames older than the window are ignored; a far jump ahead empties it. Nothing is
    /// allocated after construction. For one thread.
    /// </summary>
    public sealed class FrameBuffer
    {
        private const long Empty = -1;
        private readonly long[] indices;
        private readonly float[] roots;
        private readonly float[] rotations;
        private readonly byte[] contacts;
        private readonly string[] prompts;

        public FrameBuffer(int capacity)
        {
            if (capacity < 2)
            {
                throw new ArgumentOutOfRangeException("capacity", "must be at least 2, is " + capacity);
            }
            Capacity = capacity;
            indices = new long[capacity];
            roots = new float[3 * capacity];
            rotations = new float[PoseCodec.FloatsPerFrame * capacity];
            contacts = new byte[capacity];
            prompts = new string[capacity];
            Clear();
        }

        public int Capacity { get; private set; }

        /// <summary>Highest index received; −1 before the first.</summary>
        public long Newest { get; private set; }

        /// <summary>Frames that replaced one held.</summary>
        public long Replaced { get; private set; }

        public void Clear()
        {
            Newest = Empty;
            Replaced = 0;
            for (var slot = 0; slot < indices.Length; slot++)
            {
                indices[slot] = Empty;
                prompts[slot] = null;
            }
        }

        /// <summary>Takes a run of frames in; returns how many were kept.</summary>
        public int Insert(ref FramesView frames, string prompt)
        {
            var last = frames.First + frames.Count - 1;
            Newest = Math.Max(Newest, last);
            var skipped = (int)Math.Min(frames.Count, Math.Max(0, Newest - Capacity + 1 - frames.First));
            for (var i = skipped; i < frames.Count; i++)
            {
                var index = frames.First + i;
                var slot = Slot(index);
                Replaced += indices[slot] == index ? 1 : 0;
                indices[slot] = index;
                PoseCodec.ReadRoot(frames.Root, i, roots, 3 * slot);
                PoseCodec.ReadRotations(frames.Rotations, i, frames.Int16, rotations, PoseCodec.FloatsPerFrame * slot);
                contacts[slot] = PoseCodec.ReadContacts(frames.Contacts, i);
                prompts[slot] = prompt;
            }
            return frames.Count - skipped;
        }

        public bool Has(long index)
        {
            return index >= 0 && index <= Newest && index > Newest - Capacity && indices[Slot(index)] == index;
        }

        /// <summary>The prompt that a held frame belongs to; null for idle motion or a frame that is not held.</summary>
        public string Prompt(long index)
        {
            return Has(index) ? prompts[Slot(index)] : null;
        }

        /// <summary>How many frames without a gap follow an index.</summary>
        public int Buffered(long index)
        {
            var count = 0;
            while (count < Capacity && Has(index + count + 1))
            {
                count++;
            }
            return count;
        }

        /// <summary>The nearest held index at or before another; −1 when there is none.</summary>
        public long AtOrBefore(long index)
        {
            for (var at = Math.Min(index, Newest); at >= 0 && at > Newest - Capacity; at--)
            {
                if (Has(at))
                {
                    return at;
                }
            }
            return Empty;
        }

        /// <summary>The nearest held index after another; −1 when there is none.</summary>
        public long After(long index)
        {
            for (var at = Math.Max(index + 1, Newest - Capacity + 1); at <= Newest; at++)
            {
                if (Has(at))
                {
                    return at;
                }
            }
            return Empty;
        }

        /// <summary>Reads one held frame as it was received.</summary>
        /// <exception cref="ArgumentException">The frame is not held.</exception>
        public void Read(long index, Pose pose)
        {
            if (!Has(index))
            {
                throw new ArgumentException("frame " + index + " is not held; the newest is " + Newest);
            }
            var slot = Slot(index);
            for (var joint = 0; joint < Limits.JointCount; joint++)
            {
                pose.Rotations[joint] = Rotation(slot, joint);
            }
            pose.Root = Root(slot);
            pose.Contacts = contacts[slot];
        }

        /// <summary>
        /// The pose at a position between frames. Over a gap of at most <paramref name="longestGap"/> frames it interpolates; at a
        /// wider one, and past the newest frame, it holds the last pose. False, and the pose untouched, when nothing is held.
        /// </summary>
        public bool Sample(double position, int longestGap, Pose pose)
        {
            var floor = (long)Math.Floor(position);
            var low = AtOrBefore(floor);
            var high = After(low < 0 ? floor : Math.Max(low, floor));
            if (low < 0 && high < 0)
            {
                return false;
            }
            if (low < 0 || high < 0 || high - low > longestGap)
            {
                Read(low < 0 ? high : low, pose);
                return true;
            }
            var t = (position - low) / (high - low);
            var a = Slot(low);
            var b = Slot(high);
            for (var joint = 0; joint < Limits.JointCount; joint++)
            {
                pose.Rotations[joint] = Quat.Slerp(Rotation(a, joint), Rotation(b, joint), t);
            }
            pose.Root = (1.0 - t) * Root(a) + t * Root(b);
            pose.Contacts = contacts[t < 0.5 ? a : b];
            return true;
        }

        private int Slot(long index)
        {
            return (int)(index % Capacity);
        }

        private Quat Rotation(int slot, int joint)
        {
            var at = PoseCodec.FloatsPerFrame * slot + 4 * joint;
            return new Quat(rotations[at], rotations[at + 1], rotations[at + 2], rotations[at + 3]);
        }

        private Vec3 Root(int slot)
        {
            return new Vec3(roots[3 * slot], roots[3 * slot + 1], roots[3 * slot + 2]);
        }
    }
}
