using MotionBridge.Unity;
using UnityEditor;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>Draws the incoming skeleton beside a selected character, feet on the ground in red.</summary>
    public static class SkeletonGizmo
    {
        private static readonly Quat[] Turned = new Quat[Limits.JointCount];
        private static readonly Vec3[] Joints = new Vec3[Limits.JointCount];
        private static readonly string[] Feet = { "left_ankle", "left_foot", "right_ankle", "right_foot" };

        [DrawGizmo(GizmoType.Selected | GizmoType.Active)]
        public static void Draw(MotionCharacter character, GizmoType type)
        {
            var skeleton = character.Skeleton;
            if (skeleton == null || character.Pose == null)
            {
                return;
            }
            skeleton.Positions(character.Pose, Turned, Joints);
            Gizmos.matrix = character.transform.localToWorldMatrix;
            Gizmos.color = Color.cyan;
            for (var joint = 1; joint < skeleton.Count; joint++)
            {
                Gizmos.DrawLine(Place(skeleton.Parent(joint)), Place(joint));
            }
            Gizmos.color = Color.red;
            for (var foot = 0; foot < Feet.Length; foot++)
            {
                if ((character.Pose.Contacts & (1 << foot)) != 0)
                {
                    Gizmos.DrawSphere(Place(skeleton.Index(Feet[foot])), 0.03f);
                }
            }
            Gizmos.matrix = Matrix4x4.identity;
        }

        private static Vector3 Place(int joint)
        {
            var place = Axes.Unity.Position(Joints[joint]);
            return new Vector3((float)place.X, (float)place.Y, (float)place.Z);
        }
    }
}
