using System;
using System.Collections.Generic;
using System.Linq;
using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>A character that cannot be driven, with what to do about it.</summary>
    public sealed class CharacterRigException : Exception
    {
        public CharacterRigException(string message)
            : base(message)
        {
        }
    }

    /// <summary>
    /// A character's bones as the core's retargeting wants them: model space is the space of <see cref="Root"/>, which must face its
    /// own +Z. Scales in the hierarchy are folded into the positions.
    /// </summary>
    public sealed class CharacterRig
    {
        private delegate void RestPose(Transform bone, out Vector3 position, out Quaternion rotation, out Vector3 scale);

        private CharacterRig(Transform root, Transform[] bones, Rig rig)
        {
            Root = root;
            Bones = bones;
            Rig = rig;
        }

        /// <summary>The character's own transform: the first bone, which is never posed.</summary>
        public Transform Root { get; private set; }

        /// <summary>In the order of the rig's bones.</summary>
        public Transform[] Bones { get; private set; }

        public Rig Rig { get; private set; }

        /// <summary>The hips bone, the one that is moved as well as turned.</summary>
        public Transform Hips
        {
            get { return Bones[Rig.Chain("pelvis")[0]]; }
        }

        /// <summary>A Humanoid in the T-pose of its avatar, whatever pose it is in now.</summary>
        /// <exception cref="CharacterRigException">The animator has no Humanoid avatar, or its bones are hidden.</exception>
        public static CharacterRig FromAnimator(Animator animator)
        {
            if (animator == null)
            {
                throw new CharacterRigException(
                    "There is no Animator. Put MotionCharacter on a character with an Animator, or assign bones by hand.");
            }
            if (animator.avatar == null || !animator.avatar.isValid || !animator.isHuman)
            {
                throw new CharacterRigException(
                    animator.name + " has no Humanoid avatar. Select the model, set Rig > Animation Type to Humanoid and press Apply; "
                    + "or assign bones by hand under Bone Map.");
            }
            var slots = new Dictionary<string, Transform[]>();
            foreach (var slot in HumanBones.Slots)
            {
                var bones = slot.Value.Select(animator.GetBoneTransform).Where(bone => bone != null).ToArray();
                if (bones.Length > 0)
                {
                    slots[slot.Key] = bones;
                }
            }
            if (!slots.ContainsKey("pelvis"))
            {
                throw new CharacterRigException(
                    animator.name + " hides its bones. Select the model and untick Rig > Optimize Game Objects.");
            }
            return Build(animator.transform, slots, TPose(animator.avatar.humanDescription.skeleton));
        }

        /// <summary>Bones assigned by hand. The pose they are in now is taken as the rest pose: a T-pose or an A-pose.</summary>
        /// <exception cref="CharacterRigException">A slot has no such name, or a bone lies outside the character.</exception>
        public static CharacterRig FromMap(Transform root, BoneMap map)
        {
            var slots = new Dictionary<string, Transform[]>();
            foreach (var entry in map.entries)
            {
                if (!BoneSlots.Names.Contains(entry.slot))
                {
                    throw new CharacterRigException(
                        "The bone map has a slot \"" + entry.slot + "\"; there are " + string.Join(", ", BoneSlots.Names.ToArray()));
                }
                slots[entry.slot] = entry.bones.Where(bone => bone != null).ToArray();
            }
            if (!slots.ContainsKey("pelvis") || slots["pelvis"].Length == 0)
            {
                throw new CharacterRigException("The bone map has no pelvis. Add an entry with the slot pelvis and the hips bone.");
            }
            return Build(root, slots, CurrentPose);
        }

        private static CharacterRig Build(Transform root, Dictionary<string, Transform[]> slots, RestPose rest)
        {
            var bones = ParentsFirst(root, slots.Values.SelectMany(chain => chain));
            var count = bones.Length;
            var parents = bones.Select(bone => bone == root ? -1 : Array.IndexOf(bones, bone.parent)).ToArray();
            var positions = new Vector3[count];
            var rotations = new Quaternion[count];
            var scales = new Vector3[count];
            var localPositions = new Vec3[count];
            var localRotations = new Quat[count];
            for (var bone = 0; bone < count; bone++)
            {
                var parent = parents[bone];
                if (parent < 0)
                {
                    rotations[bone] = Quaternion.identity;
                    scales[bone] = Vector3.one;
                    localRotations[bone] = Quat.Identity;
                    continue;
                }
                Vector3 position;
                Quaternion rotation;
                Vector3 scale;
                rest(bones[bone], out position, out rotation, out scale);
                var scaled = Vector3.Scale(scales[parent], position);
                positions[bone] = positions[parent] + rotations[parent] * scaled;
                rotations[bone] = rotations[parent] * rotation;
                scales[bone] = Vector3.Scale(scales[parent], scale);
                localPositions[bone] = scaled.ToVec3();
                localRotations[bone] = rotation.ToQuat();
            }
            var map = slots.Where(slot => slot.Value.Length > 0).ToDictionary(
                slot => slot.Key, slot => slot.Value.Select(bone => Array.IndexOf(bones, bone)).ToArray());
            return new CharacterRig(root, bones, new Rig(parents, localPositions, localRotations, Axes.Unity, map));
        }

        private static Transform[] ParentsFirst(Transform root, IEnumerable<Transform> mapped)
        {
            var ordered = new List<Transform> { root };
            foreach (var bone in mapped)
            {
                var path = new List<Transform>();
                for (var at = bone; at != root; at = at.parent)
                {
                    if (at == null)
                    {
                        throw new CharacterRigException(bone.name + " does not lie below " + root.name + ".");
                    }
                    path.Add(at);
                }
                path.Reverse();
                ordered.AddRange(path.Where(step => !ordered.Contains(step)));
            }
            return ordered.ToArray();
        }

        private static RestPose TPose(SkeletonBone[] skeleton)
        {
            var byName = new Dictionary<string, SkeletonBone>();
            foreach (var bone in skeleton)
            {
                byName[bone.name] = bone;
            }
            return (Transform bone, out Vector3 position, out Quaternion rotation, out Vector3 scale) =>
            {
                SkeletonBone known;
                if (byName.TryGetValue(bone.name, out known))
                {
                    position = known.position;
                    rotation = known.rotation;
                    scale = known.scale;
                    return;
                }
                CurrentPose(bone, out position, out rotation, out scale);
            };
        }

        private static void CurrentPose(Transform bone, out Vector3 position, out Quaternion rotation, out Vector3 scale)
        {
            position = bone.localPosition;
            rotation = bone.localRotation;
            scale = bone.localScale;
        }
    }
}
