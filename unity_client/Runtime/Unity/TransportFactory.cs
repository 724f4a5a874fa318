namespace MotionBridge.Unity
{
    /// <summary>The transport of the platform.</summary>
    internal static class TransportFactory
    {
        public static ITransport Open(string url)
        {
#if UNITY_WEBGL && !UNITY_EDITOR
            return new WebGLTransport(url);
#else
            return new WebSocketTransport(url);
#endif
        }
    }
}
