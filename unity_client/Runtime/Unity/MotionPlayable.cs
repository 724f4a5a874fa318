using System;
using Unity.Collections;
using UnityEngine;
using UnityEngine.Animations;
using UnityEngine.Playables;

namespace MotionBridge.Unity
{
    /// <summary>
    /// Plays a stream as part of an Animator's evaluation, over its controller: the streamed pose is mixed with the controller's, and
    /// what runs after the Animator (constraints, IK) sees the result.
    /// </summary>
    public sealed class MotionPlayable : IDisposable
    {
        private PlayableGraph graph;
        private AnimationScriptPlayable playable;
        private MotionJob job;

        public MotionPlayable(Animator animator, CharacterRig rig)
        {
            if (animator == null)
            {
                throw new CharacterRigException("Drive by Playable needs an Animator; use LateUpdate for a character without one.");
            }
            job = new MotionJob
            {
                bones = new NativeArray<TransformStreamHandle>(rig.Bones.Length, Allocator.Persistent),
                rotations = new NativeArray<Quaternion>(rig.Bones.Length, Allocator.Persistent),
                hips = rig.Rig.Chain("pelvis")[0],
            };
            // The first bone is the character itself, which its animation does not move.
            for (var bone = 1; bone < rig.Bones.Length; bone++)
            {
                job.bones[bone] = animator.BindStreamTransform(rig.Bones[bone]);
            }
            graph = PlayableGraph.Create("MotionBridge " + animator.name);
            playable = AnimationScriptPlayable.Create(graph, job, 1);
            if (animator.runtimeAnimatorController != null)
            {
                var controller = AnimatorControllerPlayable.Create(graph, animator.runtimeAnimatorController);
                playable.ConnectInput(0, controller, 0, 1.0f);
            }
            AnimationPlayableOutput.Create(graph, "MotionBridge", animator).SetSourcePlayable(playable);
            graph.Play();
        }

        /// <summary>The pose for the Animator's next evaluation.</summary>
        /// <param name="weight">0: the controller alone; 1: the stream alone.</param>
        public void Set(PoseWriter writer, float weight)
        {
            for (var bone = 1; bone < writer.Count; bone++)
            {
                job.rotations[bone] = writer.Rotation(bone);
            }
            job.hipsPosition = writer.HipsLocalPosition;
            job.weight = weight;
            playable.SetJobData(job);
        }

        public void Dispose()
        {
            if (graph.IsValid())
            {
                graph.Destroy();
            }
            if (job.bones.IsCreated)
            {
                job.bones.Dispose();
                job.rotations.Dispose();
            }
        }
    }

    /// <summary>Writes a pose into an animation stream, on the animation threads.</summary>
    internal struct MotionJob : IAnimationJob
    {
        public NativeArray<TransformStreamHandle> bones;
        public NativeArray<Quaternion> rotations;
        public int hips;
        public Vector3 hipsPosition;
        public float weight;

        public void ProcessRootMotion(AnimationStream stream)
        {
        }

        public void ProcessAnimation(AnimationStream stream)
        {
            if (weight <= 0.0f)
            {
                return;
            }
            for (var bone = 1; bone < bones.Length; bone++)
            {
                var handle = bones[bone];
                handle.SetLocalRotation(stream, Quaternion.Slerp(handle.GetLocalRotation(stream), rotations[bone], weight));
            }
            var moved = bones[hips];
            moved.SetLocalPosition(stream, Vector3.Lerp(moved.GetLocalPosition(stream), hipsPosition, weight));
        }
    }
}
