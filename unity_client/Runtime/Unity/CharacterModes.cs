using System;
using UnityEngine.Events;

namespace MotionBridge.Unity
{
    /// <summary>Where a character goes.</summary>
    public enum TravelMode
    {
        /// <summary>It stays where its object is, and turns and steps on the spot.</summary>
        InPlace,

        /// <summary>The object itself walks and turns.</summary>
        RootMotion,
    }

    /// <summary>How a pose reaches the bones.</summary>
    public enum DriveMode
    {
        /// <summary>Written after the Animator, in LateUpdate.</summary>
        LateUpdate,

        /// <summary>By an AnimationScriptPlayable on top of the Animator's controller, so that constraints and IK come after it.</summary>
        Playable,
    }

    /// <summary>Prompt id and status, for an event of the inspector.</summary>
    [Serializable]
    public sealed class PromptEvent : UnityEvent<string, string>
    {
    }
}
