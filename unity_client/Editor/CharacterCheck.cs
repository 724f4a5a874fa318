using MotionBridge.Unity;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>Finds before Play what would go wrong.</summary>
    public static class CharacterCheck
    {
        /// <summary>What to do before this character can move; empty when nothing.</summary>
        public static string Advice(MotionCharacter character)
        {
            if (character.Connection == null && MotionBridgeConnection.Find() == null)
            {
                return "There is no MotionBridgeConnection in the scene. Add one: GameObject > MotionBridge > Connection.";
            }
            if (!character.Bones.IsEmpty)
            {
                return "";
            }
            try
            {
                CharacterRig.FromAnimator(character.GetComponentInChildren<Animator>());
                return "";
            }
            catch (CharacterRigException error)
            {
                return error.Message;
            }
        }
    }
}
