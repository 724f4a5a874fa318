namespace MotionBridge
{
    /// <summary>The numbers of the wire protocol that a client needs (SPEC.md, "Limits").</summary>
    public static class Limits
    {
        public const int ProtocolVersion = 1;
        public const string Subprotocol = "motionbridge.v1";
        public const string DefaultUrl = "ws://127.0.0.1:8765";
        public const string DefaultCharacter = "main";

        public const int JointCount = 22;
        public const double DefaultFrameRate = 30.0;
        public const double MinFrameRate = 10.0;
        public const double MaxFrameRate = 120.0;

        public const int MaxTextCharacters = 500;
        public const int MaxNameCharacters = 64;
        public const int MaxTokenCharacters = 1024;
        public const int MaxErrorCharacters = 2000;
        public const long MaxSeed = 4294967295;
        public const double MinSeconds = 0.5;
        public const double MaxSeconds = 9.8;
        public const double MaxGuidance = 20.0;
        public const int MaxSteps = 64;
        public const double MaxSpeed = 10.0;

        public const int MaxFrames = 1176;
        public const long MaxFrameIndex = 9007199254740991;
        public const double MaxRootMetres = 100000.0;
        public const double UnitTolerance = 0.001;

        /// <summary>Rounding to float 32 may carry a number this far past a limit; it is then taken as the limit.</summary>
        public const double Float32Slack = 1e-6;

        /// <summary>Seconds that a resampled clip may be longer than <see cref="MaxSeconds"/>.</summary>
        public const double SecondsSlack = 1.0 / MinFrameRate;

        public const int MaxTimelinePrompts = 32;
        public const int MaxQueuedPrompts = 32;
        public const int MaxEditRanges = 16;
        public const int MaxWaypoints = 32;
        public const int MaxCharacters = 64;
        public const int MaxPendingRequests = 4;

        public const int MaxMessageBytes = 1048576;
        public const int MaxDepth = 8;
        public const int MaxValues = 16384;

        public const double ResumeSeconds = 30.0;
        public const double DefaultLeadSeconds = 0.25;
        public const int MessagesPerSecond = 100;
    }
}
