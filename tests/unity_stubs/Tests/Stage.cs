using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using MotionBridge.Unity;
using UnityEngine;

namespace MotionBridge.Tests
{
    /// <summary>A scene with one character made of a golden rig, a connection, and a server spoken by the test.</summary>
    internal sealed class Stage
    {
        public readonly FakeServer Server = new FakeServer();
        public readonly GameObject Object;
        public readonly Animator Animator;
        public readonly MotionCharacter Character;
        public readonly MotionBridgeConnection Connection;
        private readonly Transform[] bones;

        /// <param name="armature">Whether a node turned by −90° and scaled by 0.01 lies above the hips, as Blender exports it.</param>
        public Stage(RetargetCase test, bool armature = false)
        {
            UnityEngine.Object.ForgetAll();
            Debug.Errors.Clear();
            Physics.Ground = place => 0.0f;
            Object = new GameObject("hero");
            Animator = Object.AddComponent<Animator>();
            bones = new Transform[test.Names.Length];
            var skeleton = new List<SkeletonBone>();
            var above = Object.transform;
            if (armature)
            {
                above = new GameObject("Armature").transform;
                above.parent = Object.transform;
                above.localRotation = Quaternion.AngleAxis(-90.0f, new Vector3(1, 0, 0));
                above.localScale = 0.01f * Vector3.one;
                skeleton.Add(Rest(above));
            }
            for (var bone = 0; bone < bones.Length; bone++)
            {
                var parent = test.Rig.Parents[bone];
                bones[bone] = new GameObject(test.Names[bone]).transform;
                bones[bone].parent = parent < 0 ? above : bones[parent];
                var position = test.Rig.LocalPositions[bone].ToVector3();
                var rotation = test.Rig.LocalRotations[bone].ToQuaternion();
                if (armature && parent < 0)
                {
                    position = Quaternion.Inverse(above.localRotation) * position;
                    rotation = Quaternion.Inverse(above.localRotation) * rotation;
                }
                bones[bone].localPosition = (armature ? 100.0f : 1.0f) * position;
                bones[bone].localRotation = rotation;
                skeleton.Add(Rest(bones[bone]));
            }
            foreach (var slot in HumanBones.Slots)
            {
                var chain = test.Rig.Chain(slot.Key);
                for (var i = 0; i < chain.Length; i++)
                {
                    Animator.Bones[slot.Value[i]] = bones[chain[i]];
                }
            }
            Animator.avatar = new Avatar(skeleton.ToArray());
            Scramble();
            MotionBridgeConnection.OpenTransport = Server.Open;
            Connection = new GameObject("net").AddComponent<MotionBridgeConnection>();
            Character = Object.AddComponent<MotionCharacter>();
            Set(Character, "characterName", "hero");
        }

        public Transform this[int bone]
        {
            get { return bones[bone]; }
        }

        /// <summary>A pose that the Animator might have left: nothing like the rest pose.</summary>
        public void Scramble()
        {
            for (var bone = 0; bone < bones.Length; bone++)
            {
                bones[bone].localRotation *= Quaternion.AngleAxis(20.0f + 7.0f * bone, new Vector3(0.6f, 0.0f, 0.8f));
            }
        }

        /// <summary>Starts everything and streams poses, one per frame of the stream, until all but the last few are shown.</summary>
        public void Play(params Pose[] poses)
        {
            Call(Connection, "OnEnable");
            Call(Character, "OnEnable");
            Server.Welcome(Connection.Client);
            Character.SendPrompt("a person moves");
            Frame(0.0f);
            Server.AcceptAll();
            Frame(0.0f);
            Server.Push("frames", Frames(poses));
            Frame(0.0f);
        }

        /// <summary>One frame of the game, in Unity's order.</summary>
        public void Frame(float seconds)
        {
            Time.deltaTime = Time.unscaledDeltaTime = seconds;
            Call(Connection, "Update");
            Call(Character, "Update");
            UnityEngine.Playables.PlayableGraph.Evaluation();
            Call(Character, "LateUpdate");
        }

        public static void Set(object component, string field, object value)
        {
            component.GetType().GetField(field, BindingFlags.Instance | BindingFlags.NonPublic).SetValue(component, value);
        }

        public static void Call(object component, string message)
        {
            var method = component.GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic);
            if (method != null)
            {
                method.Invoke(component, null);
            }
        }

        private static SkeletonBone Rest(Transform bone)
        {
            return new SkeletonBone
            {
                name = bone.name,
                position = bone.localPosition,
                rotation = bone.localRotation,
                scale = bone.localScale,
            };
        }

        private static Fields Frames(Pose[] poses)
        {
            var fields = Samples.FramesFields(0, poses.Length, 0.0, "hero");
            fields["root"] = Floats(poses.SelectMany(pose => new[] { pose.Root.X, pose.Root.Y, pose.Root.Z }));
            fields["rotations"] = Floats(poses.SelectMany(pose => pose.Rotations).SelectMany(q => new[] { q.X, q.Y, q.Z, q.W }));
            return fields;
        }

        private static byte[] Floats(IEnumerable<double> values)
        {
            return values.SelectMany(value => System.BitConverter.GetBytes((float)value)).ToArray();
        }
    }
}
