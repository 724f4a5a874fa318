using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>Retargets poses onto a rig and writes them into its transforms.</summary>
    public sealed class PoseWriter
    {
        private readonly CharacterRig rig;
        private readonly Retargeter retargeter;
        private readonly int hips;

        public PoseWriter(CharacterRig rig, Skeleton skeleton)
        {
            this.rig = rig;
            retargeter = new Retargeter(rig.Rig, skeleton);
            hips = rig.Rig.Chain("pelvis")[0];
        }

        /// <summary>Factor of the root's travel, from the length of the legs.</summary>
        public float Scale
        {
            get { return (float)retargeter.Scale; }
        }

        /// <summary>Bones of the rig; the first is the character itself and is never written.</summary>
        public int Count
        {
            get { return rig.Bones.Length; }
        }

        public CharacterRig Rig
        {
            get { return rig; }
        }

        /// <summary>Index of the hips bone.</summary>
        public int Hips
        {
            get { return hips; }
        }

        /// <summary>Computes a pose, to be read by <see cref="Rotation"/> and <see cref="HipsPosition"/>.</summary>
        public void Retarget(Pose pose)
        {
            retargeter.Apply(pose);
        }

        /// <summary>Local rotation of a bone.</summary>
        public Quaternion Rotation(int bone)
        {
            return retargeter.LocalRotations[bone].ToQuaternion();
        }

        /// <summary>Position of the hips in the space of the character's own transform.</summary>
        public Vector3 HipsPosition
        {
            get { return retargeter.Pelvis.ToVector3(); }
        }

        /// <summary>Position of the hips in the space of the hips' parent, as it is now.</summary>
        public Vector3 HipsLocalPosition
        {
            get { return rig.Hips.parent.InverseTransformPoint(rig.Root.TransformPoint(HipsPosition)); }
        }

        /// <summary>Writes the computed pose, mixed with the one the transforms have.</summary>
        /// <param name="weight">0 leaves the transforms as they are, 1 is the stream alone.</param>
        public void Write(float weight)
        {
            if (weight <= 0.0f)
            {
                return;
            }
            for (var bone = 1; bone < rig.Bones.Length; bone++)
            {
                var transform = rig.Bones[bone];
                var rotation = Rotation(bone);
                transform.localRotation = weight >= 1.0f
                    ? rotation
                    : Quaternion.Slerp(transform.localRotation, rotation, weight);
            }
            var position = HipsLocalPosition;
            rig.Hips.localPosition = weight >= 1.0f
                ? position
                : Vector3.Lerp(rig.Hips.localPosition, position, weight);
        }
    }
}
