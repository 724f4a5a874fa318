namespace MotionBridge
{
    /// <summary>Where to connect and how; times in seconds.</summary>
    public sealed class ClientOptions
    {
        public string Url = Limits.DefaultUrl;

        /// <summary>Secret that the server was started with; null or empty for none.</summary>
        public string Token;

        public double FrameRate = Limits.DefaultFrameRate;

        /// <summary>Halves the messages, at an error of at most 0.0035°.</summary>
        public bool Int16;

        public string ClientName = "motionbridge-unity";
        public string ClientVersion = "0.1.0";

        /// <summary>Whether to connect again when a connection is lost.</summary>
        public bool Reconnect = true;

        /// <summary>
        /// Whether characters are told again what they were doing when the server could not resume the session: prompts under way,
        /// steering, root motion, pause.
        /// </summary>
        public bool Restore = true;

        /// <summary>Wait before connecting again; doubles with each attempt that fails. Each is cut by up to a half, at random.</summary>
        public double LeastRetry = 0.5;

        /// <summary>What that wait grows to.</summary>
        public double MostRetry = 10.0;

        /// <summary>Longest wait for the connection, and then for <c>welcome</c>.</summary>
        public double OpenTimeout = 10.0;

        /// <summary>Longest silence while a character should be streaming.</summary>
        public double SilenceTimeout = 10.0;

        /// <summary>Between two playhead reports of a character.</summary>
        public double PlayheadInterval = 0.2;

        /// <summary>Frames kept of each character.</summary>
        public int BufferFrames = 512;
    }
}
