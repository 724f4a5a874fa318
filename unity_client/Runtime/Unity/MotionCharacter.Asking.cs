using System;
using UnityEngine;

namespace MotionBridge.Unity
{
    /// <content>What scripts ask of a character: sentences, paths, pauses.</content>
    public sealed partial class MotionCharacter
    {
        /// <summary>Makes the character do something, at once or as soon as there is a connection.</summary>
        /// <exception cref="ProtocolException">A value is outside its limits; the message says which.</exception>
        public PromptHandle SendPrompt(string text, PromptOptions how = null)
        {
            return Follow(RequireClient().SendPrompt(text, CharacterName, how));
        }

        /// <summary>As <see cref="SendPrompt"/>, after what plays and waits.</summary>
        public PromptHandle QueuePrompt(string text)
        {
            return SendPrompt(text, new PromptOptions { Queue = true });
        }

        /// <summary>Several sentences, played in order.</summary>
        public PromptHandle[] SendTimeline(string[] texts, PromptOptions how = null)
        {
            var handles = RequireClient().SendTimeline(texts, CharacterName, how);
            foreach (var handle in handles)
            {
                Follow(handle);
            }
            return handles;
        }

        /// <summary>Bends a walk toward a direction of the world at a speed in m/s.</summary>
        /// <returns>False without a connection, and until the character is shown.</returns>
        public bool SteerToward(Vector3 direction, float speed)
        {
            // The wire's heading is relative to the stream's own axes: turn by as much as the object still has to turn.
            if (!motion.IsOn(Stream))
            {
                return false;
            }
            var local = transform.InverseTransformDirection(direction);
            var left = Mathf.Atan2(-local.x, local.z);
            var heading = Place.Turn(0.0, motion.Heading + left);
            return Client.Steer(heading, speed / Travelled, CharacterName);
        }

        /// <summary>
        /// Bends a walk through points of the world, in order, at the pace of its motion; after the last one it walks straight on. It
        /// needs a prompt that travels, a weight of 1 and <see cref="TravelMode.RootMotion"/>.
        /// </summary>
        /// <param name="waypoints">1 to <see cref="Limits.MaxWaypoints"/> positions, each reached within about half a metre.</param>
        /// <returns>False without a connection, and until the character is shown.</returns>
        /// <exception cref="ProtocolException">There are too few or too many points, or one is too far away.</exception>
        public bool WalkTo(params Vector3[] waypoints)
        {
            return WalkThrough(waypoints, null);
        }

        /// <summary>As <see cref="WalkTo(Vector3[])"/>, at a speed in m/s.</summary>
        public bool WalkTo(float speed, params Vector3[] waypoints)
        {
            return WalkThrough(waypoints, speed / Travelled);
        }

        /// <summary>Lets go of the path: the character walks where its motion leads.</summary>
        public bool StopSteering()
        {
            return Client != null && Client.Steer(null, null, CharacterName);
        }

        /// <summary>Cancels all prompts; the character goes idle.</summary>
        public bool Stop()
        {
            return Client != null && Client.Control("stop", CharacterName);
        }

        /// <summary>Holds the character's time, or lets it go on.</summary>
        public bool Pause(bool paused)
        {
            return Client != null && Client.Control(paused ? "pause" : "resume", CharacterName);
        }

        private bool WalkThrough(Vector3[] waypoints, double? speed)
        {
            return motion.IsOn(Stream)
                && Client.Steer(null, speed, CharacterName, Array.ConvertAll<Vector3, Vec3>(waypoints, ToStream));
        }

        /// <summary>A point of the world in the stream's own axes, metres.</summary>
        private Vec3 ToStream(Vector3 point)
        {
            var beside = transform.InverseTransformDirection(point - transform.position).ToVec3();
            return motion.ToStream(1.0 / Travelled * Axes.Unity.Position(beside));
        }

        private MotionClient RequireClient()
        {
            if (connection == null)
            {
                connection = MotionBridgeConnection.Find();
            }
            if (connection == null)
            {
                throw new InvalidOperationException(
                    "There is no MotionBridgeConnection in the scene. Add one: GameObject > MotionBridge > Connection.");
            }
            return connection.Require();
        }

        private PromptHandle Follow(PromptHandle handle)
        {
            LastPrompt = handle;
            handle.Changed += changed => onPromptStatus.Invoke(changed.Id, changed.State.ToString());
            return handle;
        }
    }
}
