using System;
using System.Collections.Generic;
using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>Bones assigned by hand, for a character that is not Humanoid.</summary>
    [Serializable]
    public sealed class BoneMap
    {
        /// <summary>The bones of one slot, from the hips outward.</summary>
        [Serializable]
        public sealed class Entry
        {
            [Tooltip("One of pelvis, spine, neck, head, and left_ or right_ collar, shoulder, elbow, wrist, hip, knee, ankle, foot.")]
            public string slot = "";

            [Tooltip("Usually one bone; the spine and neck may have several, from the hips upward.")]
            public Transform[] bones = new Transform[0];
        }

        public List<Entry> entries = new List<Entry>();

        /// <summary>Whether any bone is assigned.</summary>
        public bool IsEmpty
        {
            get { return !entries.Exists(entry => Array.Exists(entry.bones, bone => bone != null)); }
        }
    }
}
