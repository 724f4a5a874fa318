"""What the server must know of an engine, wherever that runs."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.skeleton import Skeleton
from server.motion.motion import MotionEngine
from server.sentences import actions


def can_edit(engine: MotionEngine) -> bool:
    """Whether the engine has what :class:`EditingEngine` asks."""
    return callable(getattr(engine, "edit", None)) and callable(getattr(engine, "motion_from_pose", None))


@dataclass(frozen=True)
class ModelInfo:
    """Rates in frames per second, lengths in frames of the engine."""

    name: str
    fps: float
    skeleton: Skeleton
    max_frames: int
    context_frames: int
    edits: bool
    one_action: bool = False

    def actions(self, text: str) -> tuple[str, ...]:
        """A sentence as the model is to be asked for it: taken apart where it learnt only sentences of one action."""
        return actions(text) if self.one_action else (text,)

    @classmethod
    def of(cls, engine: MotionEngine) -> ModelInfo:
        """That of an engine."""
        frames = engine.max_frames, engine.context_frames
        return cls(engine.name, engine.fps, engine.skeleton, *frames, can_edit(engine), engine.one_action)
