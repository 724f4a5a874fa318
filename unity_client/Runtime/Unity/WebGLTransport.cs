#if UNITY_WEBGL && !UNITY_EDITOR
using System.Runtime.InteropServices;

namespace MotionBridge.Unity
{
    /// <summary>A transport on the browser's WebSocket, through MotionBridgeWebSocket.jslib. It is polled, so nothing is called back.</summary>
    internal sealed class WebGLTransport : ITransport
    {
        private readonly int id;
        private byte[] buffer = new byte[65536];

        public WebGLTransport(string url)
        {
            id = MotionBridgeWebSocketOpen(url, Limits.Subprotocol, Limits.MaxMessageBytes);
        }

        public TransportState State
        {
            get { return (TransportState)MotionBridgeWebSocketState(id); }
        }

        public int CloseCode
        {
            get { return MotionBridgeWebSocketCloseCode(id); }
        }

        public string CloseReason
        {
            get { return MotionBridgeWebSocketCloseReason(id); }
        }

        public bool TryReceive(out ByteSlice message)
        {
            var size = MotionBridgeWebSocketNextSize(id);
            if (size < 0)
            {
                message = new ByteSlice();
                return false;
            }
            if (buffer.Length < size)
            {
                buffer = new byte[size];
            }
            MotionBridgeWebSocketTake(id, buffer);
            message = new ByteSlice(buffer, 0, size);
            return true;
        }

        public bool Send(byte[] data, int count)
        {
            return MotionBridgeWebSocketSend(id, data, count) != 0;
        }

        public void Close(int code, string reason)
        {
            MotionBridgeWebSocketClose(id, code, reason);
        }

        public void Dispose()
        {
            MotionBridgeWebSocketDispose(id);
        }

        [DllImport("__Internal")]
        private static extern int MotionBridgeWebSocketOpen(string url, string subprotocol, int maxBytes);

        [DllImport("__Internal")]
        private static extern int MotionBridgeWebSocketState(int id);

        [DllImport("__Internal")]
        private static extern int MotionBridgeWebSocketCloseCode(int id);

        [DllImport("__Internal")]
        private static extern string MotionBridgeWebSocketCloseReason(int id);

        [DllImport("__Internal")]
        private static extern int MotionBridgeWebSocketNextSize(int id);

        [DllImport("__Internal")]
        private static extern void MotionBridgeWebSocketTake(int id, byte[] target);

        [DllImport("__Internal")]
        private static extern int MotionBridgeWebSocketSend(int id, byte[] data, int count);

        [DllImport("__Internal")]
        private static extern void MotionBridgeWebSocketClose(int id, int code, string reason);

        [DllImport("__Internal")]
        private static extern void MotionBridgeWebSocketDispose(int id);
    }
}
#endif
