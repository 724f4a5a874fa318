"""Whole clips: from `generate` and `edit` messages to what the model is asked, and from its answer to `clip`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from protocol.messages import Clip, Edit, Generate
from protocol.poses import Encoding, Poses, pack_poses
from protocol.skeleton import default_skeleton
from server.motion.foot_lock import lock_clip
from server.motion.motion import EditRequest, Motion, MotionRequest
from server.motion.resample import sample_rotations, sample_times, sample_vectors
from server.prompts import STEP_FRAMES
from server.track import resample

_EPS = 1e-6


def model_frames(seconds: float | None, fps: float) -> int | None:
    """A length in model frames, rounded to the model's step of 0.2 s and at least one step; None stays None."""
    if seconds is None:
        return None
    return max(1, math.floor(seconds * fps / STEP_FRAMES + 0.5 + _EPS)) * STEP_FRAMES


def generate_request(
    message: Generate, actions: tuple[str, ...], seed: int, fps: float, max_frames: int
) -> MotionRequest:
    """What the model is asked first for a `generate` of a sentence of ``actions``."""
    frames = model_frames(message.seconds, fps)
    limited = min(frames, max_frames) if frames is not None else None
    return MotionRequest(actions[0], limited, seed, message.guidance, message.steps, rest=actions[1:])


def generated_clip(message: Generate, seed: int, motion: Motion, fps: float, encoding: Encoding) -> Clip:
    """The answer to a `generate`, resampled to the rate it asked for."""
    rate = message.frame_rate or fps
    motion = lock_clip(motion, default_skeleton(), fps)
    poses = resample(motion, sample_times(len(motion), fps, rate))
    return _clip(message.id, message.text, seed, rate, encoding, poses)


@dataclass(frozen=True, eq=False)
class ClipEdit:
    """An `edit` on its way: the clip as it came, and the request in model frames."""

    message: Edit
    source: Poses
    request: EditRequest

    @classmethod
    def of(cls, message: Edit, seed: int, fps: float, max_frames: int) -> ClipEdit:
        """Resamples the clip to the model's rate; a model frame is made anew when it lies in a range."""
        source = message.poses()
        step = message.frame_rate / fps
        count = min(math.ceil((message.count - 1) / step - _EPS) + 1, max_frames)
        times = np.minimum(np.arange(count) * step, message.count - 1.0)
        ranges = tuple(_model_range(start, end, step, count) for start, end in message.ranges)
        request = EditRequest(
            sample_vectors(source.root.astype(np.float64), times),
            sample_rotations(source.rotations.astype(np.float64), times),
            _merged(ranges),
            message.text,
            seed,
        )
        return cls(message, source, request)

    def clip(self, motion: Motion, fps: float) -> Clip:
        """The answer: the model's frames within the ranges, the client's own bytes outside."""
        message = self.message
        times = np.minimum(np.arange(message.count) * fps / message.frame_rate, len(motion) - 1.0)
        made = resample(motion, times)
        edited = np.zeros(message.count, dtype=bool)
        for start, end in message.ranges:
            edited[start:end] = True
        made_blocks = pack_poses(made, message.encoding)
        blocks = [
            _merge(own, new, edited)
            for own, new in zip((message.root, message.rotations, message.contacts), made_blocks, strict=True)
        ]
        return Clip(
            id=message.id,
            text=message.text,
            seed=self.request.seed,
            frame_rate=message.frame_rate,
            count=message.count,
            encoding=message.encoding,
            root=blocks[0],
            rotations=blocks[1],
            contacts=blocks[2],
        )


def _model_range(start: int, end: int, step: float, count: int) -> tuple[int, int]:
    """Model frames that lie in client frames [start, end): at least one."""
    first = min(math.ceil(start / step - _EPS), count - 1)
    last = min(math.floor((end - 1) / step + _EPS), count - 1)
    return first, max(first, last) + 1


def _merged(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Ordered ranges with those that touch or overlap joined."""
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _merge(own: bytes, new: bytes, edited: np.ndarray) -> bytes:
    """Frame by frame ``new`` where edited, ``own`` elsewhere."""
    rows = np.frombuffer(own, dtype=np.uint8).reshape(len(edited), -1).copy()  # (T, bytes of a frame)
    rows[edited] = np.frombuffer(new, dtype=np.uint8).reshape(len(edited), -1)[edited]
    return rows.tobytes()


def _clip(request_id: str, text: str, seed: int, rate: float, encoding: Encoding, poses: Poses) -> Clip:
    root, rotations, contacts = pack_poses(poses, encoding)
    return Clip(
        id=request_id,
        text=text,
        seed=seed,
        frame_rate=rate,
        count=len(poses),
        encoding=encoding,
        root=root,
        rotations=rotations,
        contacts=contacts,
    )
