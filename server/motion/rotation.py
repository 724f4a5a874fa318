"""Rotations, as the wire has them: the maths lies in `protocol`, because reference retargeting needs it there."""

from protocol.rotation import *  # noqa: F403
