using System;
using UnityEngine;
using UnityEngine.Events;

namespace MotionBridge.Unity
{
    /// <summary>A text for an event of the inspector.</summary>
    [Serializable]
    public sealed class TextEvent : UnityEvent<string>
    {
    }

    /// <summary>One connection to a MotionBridge server, shared by any number of <see cref="MotionCharacter"/>s.</summary>
    [AddComponentMenu("MotionBridge/Connection")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-100)]
    public sealed class MotionBridgeConnection : MonoBehaviour
    {
        [Tooltip("Address of the server; `motionbridge serve` prints it.")]
        [SerializeField]
        private string url = Limits.DefaultUrl;

        [Tooltip("The server's token, if it was started with one.")]
        [SerializeField]
        private string token = "";

        [Tooltip("Frames per second that the server sends. They are interpolated to the game's own rate.")]
        [Range(10, 120)]
        [SerializeField]
        private int frameRate = 30;

        [Tooltip("Half the bandwidth at an error of at most 0.0035 degrees.")]
        [SerializeField]
        private bool compact;

        [Tooltip("Connect when this component is enabled.")]
        [SerializeField]
        private bool connectOnEnable = true;

        [Tooltip("Connect again by itself when the connection is lost.")]
        [SerializeField]
        private bool reconnect = true;

        [Tooltip("When the server has forgotten the session, let characters go on with what they were doing.")]
        [SerializeField]
        private bool restore = true;

        [SerializeField]
        private TextEvent onStateChanged = new TextEvent();

        [SerializeField]
        private TextEvent onProblem = new TextEvent();

        private MotionClient client;
        private string told = "";

        /// <summary>Makes the transport for a URL; replace it for sockets of your own.</summary>
        public static Func<string, ITransport> OpenTransport = TransportFactory.Open;

        /// <summary>The state has changed. On the main thread, as all events of this package.</summary>
        public event Action<ConnectionState> StateChanged;

        /// <summary>The server refused or failed something; the connection usually goes on.</summary>
        public event Action<ServerError> ErrorReceived;

        /// <summary>Address of the server. A change takes effect with the next <see cref="Connect"/>.</summary>
        public string Url
        {
            get { return url; }
            set { url = value; }
        }

        /// <summary>The server's token; empty for none. A change takes effect with the next <see cref="Connect"/>.</summary>
        public string Token
        {
            get { return token; }
            set { token = value; }
        }

        /// <summary>The client beneath, for everything the components do not offer; null before the first connection.</summary>
        public MotionClient Client
        {
            get { return client; }
        }

        public ConnectionState State
        {
            get { return client == null ? ConnectionState.Disconnected : client.State; }
        }

        /// <summary>What is wrong and what to do; empty when all is well.</summary>
        public string Problem
        {
            get { return client == null ? "" : client.Problem; }
        }

        /// <summary>Connects, closing an earlier connection first.</summary>
        public void Connect()
        {
            Disconnect();
            client = new MotionClient(
                new ClientOptions
                {
                    Url = url,
                    Token = token,
                    FrameRate = frameRate,
                    Int16 = compact,
                    Reconnect = reconnect,
                    Restore = restore,
                },
                OpenTransport,
                new System.Random());
            client.StateChanged += Tell;
            client.ErrorReceived += TellError;
            client.Connect();
        }

        /// <summary>Closes the connection. Characters keep their last pose.</summary>
        public void Disconnect()
        {
            if (client != null)
            {
                client.Close();
                client = null;
            }
        }

        /// <summary>The connection to use when none is assigned: the first one in the scene.</summary>
        public static MotionBridgeConnection Find()
        {
            return SceneObjects.First<MotionBridgeConnection>();
        }

        /// <summary>The client, made and connecting when it was not yet.</summary>
        internal MotionClient Require()
        {
            if (client == null)
            {
                Connect();
            }
            return client;
        }

        private void OnEnable()
        {
            if (connectOnEnable)
            {
                Require();
            }
        }

        private void OnDisable()
        {
            Disconnect();
        }

        private void Update()
        {
            if (client != null)
            {
                client.Update(Time.unscaledDeltaTime, Time.deltaTime);
            }
        }

        private void Tell(ConnectionState state)
        {
            if (state == ConnectionState.Connected)
            {
                told = "";
            }
            else if (client.Problem.Length > 0 && client.Problem != told)
            {
                // The same trouble at every attempt is said once.
                told = client.Problem;
                Debug.LogWarning("MotionBridge: " + told, this);
                onProblem.Invoke(told);
            }
            onStateChanged.Invoke(state.ToString());
            if (StateChanged != null)
            {
                StateChanged(state);
            }
        }

        private void TellError(ServerError error)
        {
            Debug.LogWarning("MotionBridge: the server answered " + error.Code + ": " + error.Message, this);
            onProblem.Invoke(error.Message);
            if (ErrorReceived != null)
            {
                ErrorReceived(error);
            }
        }
    }
}
