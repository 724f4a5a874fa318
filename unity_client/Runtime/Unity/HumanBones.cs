using System.Collections.Generic;
using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>Which bones of a Humanoid avatar stand for which slot.</summary>
    internal static class HumanBones
    {
        public static readonly KeyValuePair<string, HumanBodyBones[]>[] Slots =
        {
            Slot("pelvis", HumanBodyBones.Hips),
            Slot("spine", HumanBodyBones.Spine, HumanBodyBones.Chest, HumanBodyBones.UpperChest),
            Slot("neck", HumanBodyBones.Neck),
            Slot("head", HumanBodyBones.Head),
            Slot("left_collar", HumanBodyBones.LeftShoulder),
            Slot("left_shoulder", HumanBodyBones.LeftUpperArm),
            Slot("left_elbow", HumanBodyBones.LeftLowerArm),
            Slot("left_wrist", HumanBodyBones.LeftHand),
            Slot("left_hip", HumanBodyBones.LeftUpperLeg),
            Slot("left_knee", HumanBodyBones.LeftLowerLeg),
            Slot("left_ankle", HumanBodyBones.LeftFoot),
            Slot("left_foot", HumanBodyBones.LeftToes),
            Slot("right_collar", HumanBodyBones.RightShoulder),
            Slot("right_shoulder", HumanBodyBones.RightUpperArm),
            Slot("right_elbow", HumanBodyBones.RightLowerArm),
            Slot("right_wrist", HumanBodyBones.RightHand),
            Slot("right_hip", HumanBodyBones.RightUpperLeg),
            Slot("right_knee", HumanBodyBones.RightLowerLeg),
            Slot("right_ankle", HumanBodyBones.RightFoot),
            Slot("right_foot", HumanBodyBones.RightToes),
        };

        private static KeyValuePair<string, HumanBodyBones[]> Slot(string name, params HumanBodyBones[] bones)
        {
            return new KeyValuePair<string, HumanBodyBones[]>(name, bones);
        }
    }
}
