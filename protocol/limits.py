"""Every number of the wire protocol, in one place. SPEC.md explains them; `welcome` announces those a client needs."""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1
SUBPROTOCOL: Final = "motionbridge.v1"
DEFAULT_PORT: Final = 8765
DEFAULT_URL: Final = f"ws://127.0.0.1:{DEFAULT_PORT}"
DEFAULT_CHARACTER: Final = "main"

JOINT_COUNT: Final = 22
MODEL_FRAME_RATE: Final = 20.0
"""Frames per second that the motion model itself makes; streams are resampled from it."""
DEFAULT_FRAME_RATE: Final = 30.0
MIN_FRAME_RATE: Final = 10.0
MAX_FRAME_RATE: Final = 120.0

MAX_TEXT_CHARACTERS: Final = 500
MAX_NAME_CHARACTERS: Final = 64
MAX_TOKEN_CHARACTERS: Final = 1024
MAX_ERROR_CHARACTERS: Final = 2000
MAX_SEED: Final = 2**32 - 1
MIN_SECONDS: Final = 0.5
MAX_SECONDS: Final = 9.8
MAX_GUIDANCE: Final = 20.0
MAX_STEPS: Final = 64
MAX_SPEED: Final = 10.0
"""Metres per second, for `steer`."""

MAX_FRAMES: Final = 1176
"""Frames in one message: 9.8 s at 120 frames per second."""
MAX_FRAME_INDEX: Final = 2**53 - 1
"""The largest integer that a double, and so every scripting language, holds exactly."""
MAX_ROOT_METRES: Final = 1e5
UNIT_TOLERANCE: Final = 1e-3
"""How far the length of a quaternion on the wire may be from 1."""

MAX_TIMELINE_PROMPTS: Final = 32
MAX_QUEUED_PROMPTS: Final = 32
MAX_EDIT_RANGES: Final = 16
MAX_WAYPOINTS: Final = 32
MAX_CHARACTERS: Final = 64
MAX_PENDING_REQUESTS: Final = 4

MAX_MESSAGE_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 8
MAX_VALUES: Final = 16_384
"""Values in one message, counting containers and everything within them."""

HELLO_TIMEOUT_SECONDS: Final = 5.0
PING_SECONDS: Final = 20.0
RESUME_SECONDS: Final = 30.0
"""How long a server keeps the session of a dropped connection, unless configured otherwise."""
DEFAULT_LEAD_SECONDS: Final = 0.25
MAX_AHEAD_SECONDS: Final = 2.0
MESSAGES_PER_SECOND: Final = 100
MAX_ERRORS: Final = 50
ERROR_WINDOW_SECONDS: Final = 10.0
