using UnityEngine;

namespace MotionBridge.Unity
{
    /// <content>From the stream to the bones and the place of the object.</content>
    public sealed partial class MotionCharacter
    {
        private float EffectiveScale
        {
            get { return automaticScale && writer != null ? writer.Scale : travelScale; }
        }

        /// <summary>Metres that the object moves for each metre of the stream.</summary>
        private float Travelled
        {
            get { return Mathf.Max(1e-3f, EffectiveScale); }
        }

        private void Step()
        {
            if (!freeze && motion.Step(Stream, Time.deltaTime, smoothing))
            {
                if (travel == TravelMode.RootMotion)
                {
                    var move = EffectiveScale * Axes.Unity.Position(motion.Move).ToVector3();
                    transform.position += transform.TransformDirection(weight * move);
                }
                // The stream's left is Unity's -x: turning left is a negative angle there.
                transform.rotation *= Quaternion.AngleAxis(-weight * (float)motion.Turn * Mathf.Rad2Deg, Vector3.up);
            }
            if (motion.HasPose)
            {
                writer.Retarget(motion.Pose);
            }
        }

        private bool IsReady()
        {
            var client = Client;
            if (client == null || client.Welcome == null)
            {
                return writer != null;
            }
            if (writer == null && string.IsNullOrEmpty(Problem))
            {
                Build(client.Welcome.Skeleton);
            }
            return writer != null;
        }

        private void Build(Skeleton streamed)
        {
            try
            {
                if (animator == null)
                {
                    animator = GetComponentInChildren<Animator>();
                }
                var rig = boneMap.IsEmpty ? CharacterRig.FromAnimator(animator) : CharacterRig.FromMap(transform, boneMap);
                skeleton = streamed;
                writer = new PoseWriter(rig, streamed);
                if (drive == DriveMode.Playable)
                {
                    playable = new MotionPlayable(animator, rig);
                }
            }
            catch (CharacterRigException error)
            {
                Report(error.Message);
            }
        }

        private void DropPlayable()
        {
            if (playable != null)
            {
                playable.Dispose();
                playable = null;
            }
        }
    }
}
