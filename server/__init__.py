"""The MotionBridge server: a MoMask text-to-motion model behind a WebSocket."""
