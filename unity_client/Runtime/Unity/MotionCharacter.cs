using System;
using UnityEngine;

namespace MotionBridge.Unity
{
    /// <summary>
    /// Makes a character do what sentences say. Works with any Humanoid as it is, and with other skeletons through a bone map.
    /// </summary>
    [AddComponentMenu("MotionBridge/Character")]
    [DisallowMultipleComponent]
    public sealed partial class MotionCharacter : MonoBehaviour
    {
        [Tooltip("The connection to use; empty: the one in the scene.")]
        [SerializeField]
        private MotionBridgeConnection connection;

        [Tooltip("Name on the server, different for each character; empty: the object's name and a number of its own.")]
        [SerializeField]
        private string characterName = "";

        [Tooltip("Empty: the Animator on this object or below it.")]
        [SerializeField]
        private Animator animator;

        [Tooltip("Bones assigned by hand, for a character that is not Humanoid.")]
        [SerializeField]
        private BoneMap boneMap = new BoneMap();

        [Tooltip("A sentence to start with.")]
        [TextArea]
        [SerializeField]
        private string prompt = "";

        [SerializeField]
        private TravelMode travel = TravelMode.RootMotion;

        [SerializeField]
        private DriveMode drive = DriveMode.LateUpdate;

        [Tooltip("Scale the travel by the length of the legs.")]
        [SerializeField]
        private bool automaticScale = true;

        [Tooltip("Scale of the travel when it is not automatic.")]
        [SerializeField]
        private float travelScale = 1.0f;

        [Tooltip("0: the Animator alone; 1: the stream alone.")]
        [Range(0, 1)]
        [SerializeField]
        private float weight = 1.0f;

        [Tooltip("Hold the pose that is shown.")]
        [SerializeField]
        private bool freeze;

        [Tooltip("Half-life in seconds of differences to the stream; 0 follows it exactly.")]
        [Range(0, 0.5f)]
        [SerializeField]
        private float smoothing;

        [SerializeField]
        private FootPlanter feet = new FootPlanter();

        [SerializeField]
        private PromptEvent onPromptStatus = new PromptEvent();

        private readonly CharacterMotion motion = new CharacterMotion();
        private PoseWriter writer;
        private Skeleton skeleton;
        private MotionPlayable playable;
        private string uniqueName;
        private bool started;

        /// <summary>The prompt that was sent last; null before the first.</summary>
        public PromptHandle LastPrompt { get; private set; }

        /// <summary>Why the character cannot be driven, and what to do; empty when it can.</summary>
        public string Problem { get; private set; }

        /// <summary>Name on the server.</summary>
        public string CharacterName
        {
            get { return characterName.Length > 0 ? characterName : uniqueName ?? (uniqueName = UniqueName()); }
        }

        public MotionBridgeConnection Connection
        {
            get { return connection; }
            set { connection = value; }
        }

        /// <summary>The frames received for this character; null before its first prompt was accepted.</summary>
        public CharacterStream Stream
        {
            get { return Client == null ? null : Client.Find(CharacterName); }
        }

        /// <summary>The streamed pose that is shown, over the origin and facing forward.</summary>
        public Pose Pose
        {
            get { return motion.HasPose ? motion.Pose : null; }
        }

        /// <summary>The joint tree of the stream; null before the first connection.</summary>
        public Skeleton Skeleton
        {
            get { return skeleton; }
        }

        /// <summary>0: the Animator alone; 1: the stream alone.</summary>
        public float Weight
        {
            get { return weight; }
            set { weight = Mathf.Clamp01(value); }
        }

        /// <summary>Whether the pose that is shown is held.</summary>
        public bool Freeze
        {
            get { return freeze; }
            set { freeze = value; }
        }

        /// <summary>Half-life in seconds of differences to the stream; 0 follows it exactly.</summary>
        public float Smoothing
        {
            get { return smoothing; }
            set { smoothing = Mathf.Max(0.0f, value); }
        }

        public TravelMode Travel
        {
            get { return travel; }
            set { travel = value; }
        }

        /// <summary>Bones assigned by hand; empty for a Humanoid.</summary>
        public BoneMap Bones
        {
            get { return boneMap; }
        }

        public FootPlanter Feet
        {
            get { return feet; }
        }

        private MotionClient Client
        {
            get { return connection == null ? null : connection.Client; }
        }

        /// <summary>Reads the skeleton again, after the model has been exchanged.</summary>
        public void Rebuild()
        {
            DropPlayable();
            writer = null;
            Problem = "";
        }

        private void Reset()
        {
            connection = MotionBridgeConnection.Find();
            animator = GetComponentInChildren<Animator>();
        }

        private void OnEnable()
        {
            Rebuild();
            started = false;
            if (connection == null)
            {
                connection = MotionBridgeConnection.Find();
            }
            if (connection == null)
            {
                Report("There is no MotionBridgeConnection in the scene. Add one: GameObject > MotionBridge > Connection.");
            }
        }

        private void OnDisable()
        {
            DropPlayable();
            if (Client != null && Stream != null && Stream.Exists)
            {
                Client.Control("remove", CharacterName);
            }
        }

        private void Update()
        {
            if (!started && connection != null)
            {
                started = true;
                if (prompt.Trim().Length > 0)
                {
                    SendPrompt(prompt);
                }
            }
            if (drive == DriveMode.Playable && IsReady())
            {
                Step();
                playable.Set(writer, motion.HasPose ? weight : 0.0f);
            }
        }

        private void LateUpdate()
        {
            if (!IsReady())
            {
                return;
            }
            if (drive == DriveMode.LateUpdate)
            {
                Step();
                if (motion.HasPose)
                {
                    writer.Write(weight);
                }
            }
            if (motion.HasPose)
            {
                feet.Apply(writer.Rig, weight, Time.deltaTime);
            }
        }

        /// <summary>Copies of one prefab share their name, and must not share their character.</summary>
        private string UniqueName()
        {
            var number = " " + GetInstanceID();
            return name.Substring(0, Math.Min(name.Length, Limits.MaxNameCharacters / 2)) + number;
        }

        private void Report(string problem)
        {
            Problem = problem;
            Debug.LogError("MotionBridge: " + problem, this);
        }
    }
}
