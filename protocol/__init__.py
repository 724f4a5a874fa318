"""The MotionBridge wire protocol: messages, codec, skeleton and client. Never imports torch."""
