namespace MotionBridge
{
    /// <summary>Where a <see cref="MotionClient"/> stands.</summary>
    public enum ConnectionState
    {
        /// <summary>Not connected and not trying to be.</summary>
        Disconnected,

        /// <summary>The WebSocket is being opened.</summary>
        Connecting,

        /// <summary><c>hello</c> was sent.</summary>
        Greeting,

        /// <summary><c>welcome</c> has come.</summary>
        Connected,

        /// <summary>The connection was lost; the next attempt comes by itself.</summary>
        WaitingToRetry,

        /// <summary>The server refused us in a way that trying again does not change.</summary>
        Failed,
    }
}
