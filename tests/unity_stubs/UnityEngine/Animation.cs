using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public enum HumanBodyBones
    {
        Hips = 0,
        LeftUpperLeg = 1,
        RightUpperLeg = 2,
        LeftLowerLeg = 3,
        RightLowerLeg = 4,
        LeftFoot = 5,
        RightFoot = 6,
        Spine = 7,
        Chest = 8,
        Neck = 9,
        Head = 10,
        LeftShoulder = 11,
        RightShoulder = 12,
        LeftUpperArm = 13,
        RightUpperArm = 14,
        LeftLowerArm = 15,
        RightLowerArm = 16,
        LeftHand = 17,
        RightHand = 18,
        LeftToes = 19,
        RightToes = 20,
        UpperChest = 54,
    }

    public struct SkeletonBone
    {
        public string name;
        public Vector3 position;
        public Quaternion rotation;
        public Vector3 scale;
    }

    public struct HumanDescription
    {
        public SkeletonBone[] skeleton;
    }

    public class Avatar : Object
    {
        /// <summary>For tests: an avatar of this T-pose.</summary>
        public Avatar(SkeletonBone[] skeleton)
        {
            humanDescription = new HumanDescription { skeleton = skeleton };
        }

        public bool isValid
        {
            get { return true; }
        }

        public HumanDescription humanDescription { get; private set; }
    }

    public class RuntimeAnimatorController : Object
    {
    }

    public class Animator : Behaviour
    {
        /// <summary>For tests: the bones of the avatar.</summary>
        public readonly Dictionary<HumanBodyBones, Transform> Bones = new Dictionary<HumanBodyBones, Transform>();

        public Avatar avatar { get; set; }

        public bool isHuman
        {
            get { return avatar != null; }
        }

        public RuntimeAnimatorController runtimeAnimatorController { get; set; }

        public Transform GetBoneTransform(HumanBodyBones humanBoneId)
        {
            Transform bone;
            return Bones.TryGetValue(humanBoneId, out bone) ? bone : null;
        }
    }
}

namespace UnityEngine.Playables
{
    public interface IPlayable
    {
    }

    public interface IPlayableOutput
    {
    }

    public struct PlayableGraph
    {
        /// <summary>For tests: evaluates the animation of every graph.</summary>
        public static Action Evaluation = () => { };

        private bool made;

        public static PlayableGraph Create(string name)
        {
            return new PlayableGraph { made = true };
        }

        public void Play()
        {
        }

        public bool IsValid()
        {
            return made;
        }

        public void Destroy()
        {
            made = false;
            Evaluation = () => { };
        }
    }

    public static class PlayableExtensions
    {
        public static void ConnectInput<U, V>(this U playable, int inputIndex, V sourcePlayable, int sourceOutputIndex, float weight)
            where U : struct, IPlayable
            where V : struct, IPlayable
        {
        }
    }

    public static class PlayableOutputExtensions
    {
        public static void SetSourcePlayable<U, V>(this U output, V value)
            where U : struct, IPlayableOutput
            where V : struct, IPlayable
        {
        }
    }
}

namespace UnityEngine.Animations
{
    using UnityEngine.Playables;

    public struct AnimationStream
    {
    }

    public interface IAnimationJob
    {
        void ProcessAnimation(AnimationStream stream);

        void ProcessRootMotion(AnimationStream stream);
    }

    public struct TransformStreamHandle
    {
        internal Transform Bone;

        public Quaternion GetLocalRotation(AnimationStream stream)
        {
            return Bone.localRotation;
        }

        public void SetLocalRotation(AnimationStream stream, Quaternion rotation)
        {
            Bone.localRotation = rotation;
        }

        public Vector3 GetLocalPosition(AnimationStream stream)
        {
            return Bone.localPosition;
        }

        public void SetLocalPosition(AnimationStream stream, Vector3 position)
        {
            Bone.localPosition = position;
        }
    }

    public struct AnimationScriptPlayable : IPlayable
    {
        public static AnimationScriptPlayable Create<T>(PlayableGraph graph, T jobData, int inputCount = 0)
            where T : struct, IAnimationJob
        {
            return new AnimationScriptPlayable();
        }

        public void SetJobData<T>(T jobData)
            where T : struct, IAnimationJob
        {
            PlayableGraph.Evaluation = () => jobData.ProcessAnimation(new AnimationStream());
        }
    }

    public struct AnimatorControllerPlayable : IPlayable
    {
        public static AnimatorControllerPlayable Create(PlayableGraph graph, RuntimeAnimatorController controller)
        {
            return new AnimatorControllerPlayable();
        }
    }

    public struct AnimationPlayableOutput : IPlayableOutput
    {
        public static AnimationPlayableOutput Create(PlayableGraph graph, string name, Animator target)
        {
            return new AnimationPlayableOutput();
        }
    }

    public static class AnimatorJobExtensions
    {
        public static TransformStreamHandle BindStreamTransform(this Animator animator, Transform transform)
        {
            return new TransformStreamHandle { Bone = transform };
        }
    }
}

namespace Unity.Collections
{
    public enum Allocator
    {
        Invalid = 0,
        None = 1,
        Temp = 2,
        TempJob = 3,
        Persistent = 4,
    }

    public enum NativeArrayOptions
    {
        UninitializedMemory = 0,
        ClearMemory = 1,
    }

    public struct NativeArray<T> : IDisposable
        where T : struct
    {
        private T[] items;

        public NativeArray(int length, Allocator allocator, NativeArrayOptions options = NativeArrayOptions.ClearMemory)
        {
            items = new T[length];
        }

        public int Length
        {
            get { return items.Length; }
        }

        public bool IsCreated
        {
            get { return items != null; }
        }

        public T this[int index]
        {
            get { return items[index]; }
            set { items[index] = value; }
        }

        public void Dispose()
        {
            items = null;
        }
    }
}
