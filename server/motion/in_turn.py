"""Sentences that follow each other in one motion: how they share its frames, and what is asked of an engine next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from protocol import limits
from protocol.skeleton import Skeleton
from server.motion.human_limits import top_speeds, within_limits
from server.motion.motion import Motion, MotionEngine, MotionRequest
from server.motion.transition import append
from server.sentences import actions


def first_share(frames: int, expected: Sequence[float], step: int, least: int) -> int:
    """Frames of the first of several sentences that share ``frames`` in proportion to their ``expected`` lengths.

    In whole steps, and so that each gets ``least``; where that is too much, the last ones get nothing.
    """
    sharing = expected[: max(1, frames // least)]
    if len(sharing) == 1:
        return frames
    share = round(frames * sharing[0] / sum(sharing))
    return min(max(share, least), frames - least * (len(sharing) - 1)) // step * step


def following(
    request: MotionRequest, made: Motion, fps: float, skeleton: Skeleton
) -> tuple[Motion, MotionRequest | None]:
    """The motion so far, when ``made`` is the answer to ``request``, and the request for what is left of it, if anything is.

    Only for a ``request`` whose context is no more than what was made for it before.
    """
    before = request.context
    fastest = top_speeds(skeleton)
    motion = within_limits(made, fps, fastest) if before is None else append(before, made, fps, fastest=fastest)
    if not made.left:
        return motion, None
    text, *rest = request.rest or (request.text,)
    seed = (request.seed + 1) % (limits.MAX_SEED + 1)
    return motion, replace(request, text=text, rest=tuple(rest), frames=made.left, seed=seed, context=motion)


def _taken_apart(request: MotionRequest) -> MotionRequest:
    text, *rest = actions(request.text)
    return replace(request, text=text, rest=tuple(rest))


def generate_in_turn(engine: MotionEngine, requests: Sequence[MotionRequest]) -> list[Motion]:
    """One motion for each request without a context; sentences are taken apart if the engine learnt only single actions."""
    motions: dict[int, Motion] = {}
    waiting = {at: _taken_apart(request) if engine.one_action else request for at, request in enumerate(requests)}
    while waiting:
        made = zip(waiting.items(), engine.generate(list(waiting.values())), strict=True)
        waiting = {}
        for (at, request), result in made:
            motions[at], more = following(request, result, engine.fps, engine.skeleton)
            if more is not None:
                waiting[at] = more
    return [motions[at] for at in range(len(requests))]
