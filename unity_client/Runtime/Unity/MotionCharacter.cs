using System;
using UnityEngine;
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

    /// <summary>
    /// Makes a character do what sentences say. Works with any Humanoid as it is, and with other skeletons through a bone map.
    /// </summary>
    [AddComponentMenu("MotionBridge/Character")]
    [DisallowMultipleComponent]
    public sealed class MotionCharacter : MonoBehaviour
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
        private bool started;

        /// <summary>The prompt that was sent last; null before the first.</summary>
        public PromptHandle LastPrompt { get; private set; }

        /// <summary>Why the character cannot be driven, and what to do; empty when it can.</summary>
        public string Problem { get; private set; }

        /// <summary>Name on the server.</summary>
        public string CharacterName
        {
            get { return characterName.Length > 0 ? characterName : UniqueName(); }
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

        /// <summary>Makes the character do something, at once or as soon as there is a connection.</summary>
        /// <exception cref="ProtocolException">A value is outside its limits; the message says which.</exception>
        public PromptHandle SendPrompt(string text, PromptOptions how = null)
        {
            return Follow(RequireClient().SendPrompt(text, CharacterName, how));
        }

        /// <summary>As <see cref="SendPrompt"/>, after what plays and waits.</summary>
        public PromptHandle QueuePrompt(string text)
        {
            return SendPrompt(text, new PromptOptions { Queue = true });
        }

        /// <summary>Several sentences, played in order.</summary>
        public PromptHandle[] SendTimeline(string[] texts, PromptOptions how = null)
        {
            var handles = RequireClient().SendTimeline(texts, CharacterName, how);
            foreach (var handle in handles)
            {
                Follow(handle);
            }
            return handles;
        }

        /// <summary>Bends a walk toward a direction of the world at a speed in m/s.</summary>
        /// <returns>False without a connection, and until the character is shown.</returns>
        public bool SteerToward(Vector3 direction, float speed)
        {
            // The wire's heading is relative to the stream's own axes: turn by as much as the object still has to turn.
            if (!motion.IsOn(Stream))
            {
                return false;
            }
            var local = transform.InverseTransformDirection(direction);
            var left = Mathf.Atan2(-local.x, local.z);
            var heading = Math.IEEERemainder(motion.Heading + left, 2.0 * Math.PI);
            return Client.Steer(heading, speed / Travelled, CharacterName);
        }

        /// <summary>
        /// Bends a walk through points of the world, in order, at the pace of its motion; after the last one it walks straight on. It
        /// needs a prompt that travels, a weight of 1 and <see cref="TravelMode.RootMotion"/>.
        /// </summary>
        /// <param name="waypoints">1 to <see cref="Limits.MaxWaypoints"/> positions, each reached within about half a metre.</param>
        /// <returns>False without a connection, and until the character is shown.</returns>
        /// <exception cref="ProtocolException">There are too few or too many points, or one is too far away.</exception>
        public bool WalkTo(params Vector3[] waypoints)
        {
            return WalkThrough(waypoints, null);
        }

        /// <summary>As <see cref="WalkTo(Vector3[])"/>, at a speed in m/s.</summary>
        public bool WalkTo(float speed, params Vector3[] waypoints)
        {
            return WalkThrough(waypoints, speed / Travelled);
        }

        /// <summary>Lets go of the path: the character walks where its motion leads.</summary>
        public bool StopSteering()
        {
            return Client != null && Client.Steer(null, null, CharacterName);
        }

        /// <summary>Cancels all prompts; the character goes idle.</summary>
        public bool Stop()
        {
            return Client != null && Client.Control("stop", CharacterName);
        }

        /// <summary>Holds the character's time, or lets it go on.</summary>
        public bool Pause(bool paused)
        {
            return Client != null && Client.Control(paused ? "pause" : "resume", CharacterName);
        }

        /// <summary>Reads the skeleton again, after the model has been exchanged.</summary>
        public void Rebuild()
        {
            DropPlayable();
            writer = null;
            Problem = "";
        }

        /// <summary>Copies of one prefab share their name, and must not share their character.</summary>
        private string UniqueName()
        {
            var number = " " + GetInstanceID();
            return name.Substring(0, Math.Min(name.Length, Limits.MaxNameCharacters / 2)) + number;
        }

        private float EffectiveScale
        {
            get { return automaticScale && writer != null ? writer.Scale : travelScale; }
        }

        /// <summary>Metres that the object moves for each metre of the stream.</summary>
        private float Travelled
        {
            get { return Mathf.Max(1e-3f, EffectiveScale); }
        }

        private bool WalkThrough(Vector3[] waypoints, double? speed)
        {
            return motion.IsOn(Stream)
                && Client.Steer(null, speed, CharacterName, Array.ConvertAll<Vector3, Vec3>(waypoints, ToStream));
        }

        /// <summary>A point of the world in the stream's own axes, metres.</summary>
        private Vec3 ToStream(Vector3 point)
        {
            var beside = transform.InverseTransformDirection(point - transform.position).ToVec3();
            return motion.ToStream(1.0 / Travelled * Axes.Unity.Position(beside));
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
            if (Client != null && Client.State == ConnectionState.Connected && Stream != null && Stream.Exists)
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

        private void Report(string problem)
        {
            Problem = problem;
            Debug.LogError("MotionBridge: " + problem, this);
        }

        private MotionClient RequireClient()
        {
            if (connection == null)
            {
                connection = MotionBridgeConnection.Find();
            }
            if (connection == null)
            {
                throw new InvalidOperationException(
                    "There is no MotionBridgeConnection in the scene. Add one: GameObject > MotionBridge > Connection.");
            }
            return connection.Require();
        }

        private PromptHandle Follow(PromptHandle handle)
        {
            LastPrompt = handle;
            handle.Changed += changed => onPromptStatus.Invoke(changed.Id, changed.State.ToString());
            return handle;
        }
    }
}
