using System;

namespace MotionBridge
{
    /// <summary>
    /// From a stream to the pose to show: samples it at the playhead, takes the travel out, smooths, and fades over the jump when a
    /// timeline starts anew. Allocates nothing per frame.
    /// </summary>
    public sealed class CharacterMotion
    {
        /// <summary>Seconds over which a new timeline is faded in.</summary>
        public const double FadeSeconds = 0.3;

        private readonly RootMotion root = new RootMotion();
        private readonly Pose shown = new Pose();
        private readonly Pose sampled = new Pose();
        private readonly Pose old = new Pose();
        private int epoch = -1;
        private double fade;

        /// <summary>The pose to show, over the origin and facing forward.</summary>
        public Pose Pose
        {
            get { return shown; }
        }

        /// <summary>Whether a pose has been shown.</summary>
        public bool HasPose { get; private set; }

        /// <summary>Metres the character has moved in the last step, in the frame it faced before: x left, z forward.</summary>
        public Vec3 Move { get; private set; }

        /// <summary>Radians it has turned in the last step, positive toward its left.</summary>
        public double Turn { get; private set; }

        /// <summary>Heading of the stream in its own axes, radians about +Y: what <c>steer</c> speaks of.</summary>
        public double Heading
        {
            get { return root.Place.Heading; }
        }

        /// <summary>Whether a pose of the timeline that the stream has now has been shown: only then can its path be spoken of.</summary>
        public bool IsOn(CharacterStream stream)
        {
            return HasPose && stream != null && stream.Exists && stream.Epoch == epoch;
        }

        /// <summary>A point beside the character in the stream's own axes: what the way-points of <c>steer</c> speak of.</summary>
        /// <param name="point">From where the pose stands, in the frame it faces: x left, z forward, metres of the stream.</param>
        public Vec3 ToStream(Vec3 point)
        {
            return root.Place.FromLocal(point);
        }

        /// <summary>Takes the pose of this moment; false, and nothing changed, when there is none.</summary>
        /// <param name="elapsed">Seconds since the last step.</param>
        /// <param name="smoothing">Half-life in seconds of differences to the stream; 0 follows it exactly.</param>
        public bool Step(CharacterStream stream, double elapsed, double smoothing)
        {
            if (stream == null || !stream.Sample(sampled))
            {
                Move = new Vec3();
                Turn = 0.0;
                return false;
            }
            if (stream.Epoch != epoch)
            {
                epoch = stream.Epoch;
                root.Restart();
                old.CopyFrom(shown);
                fade = HasPose ? FadeSeconds : 0.0;
            }
            root.Take(sampled);
            Move = root.Move;
            Turn = root.Turn;
            fade = Math.Max(0.0, fade - elapsed);
            if (fade > 0.0)
            {
                sampled.Blend(old, sampled, 1.0 - fade / FadeSeconds);
            }
            var follow = smoothing > 0.0 && HasPose ? 1.0 - Math.Pow(0.5, elapsed / smoothing) : 1.0;
            shown.Blend(shown, sampled, follow);
            HasPose = true;
            return true;
        }
    }
}
