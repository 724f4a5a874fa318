"""Whether generated bodies are sane: finite, whole, within what recorded joints do, on the floor, and told left from right.

Motion is taken as a user gets it, solved and with locked feet. Limits are learnt from recorded motion of the training split
and shown beside the same figures of the test split, which they have not seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protocol.skeleton import Skeleton
from server.engine import Engine
from server.evaluation.data import Example
from server.evaluation.generation import Progress
from server.evaluation.measures import Measures, measure
from server.evaluation.quality import Quality, quality
from server.motion import kinematics, solver
from server.motion import rotation as rot
from server.motion.features import FeatureLayout, recover_positions
from server.motion.foot_lock import lock_clip
from server.motion.in_turn import generate_in_turn
from server.motion.motion import Motion, MotionRequest
from server.motion.rotation import Array

BATCH = 32
MARGIN = 10.0  # degrees that a joint may go beyond what nearly all recorded frames show
_TAIL = 0.05  # percent of recorded frames beyond each limit of a joint
_JERK_TAIL = 0.5  # percent of recorded clips beyond each limit of the jerk
_FLOOR = 0.02  # m
_SLIDE = 1.5  # times the recordings'
_BONE = 1e-4  # m
_TURNED = 1e-3  # m by which motion that goes on at another heading may differ
_HEADINGS = 8
_TURN = 20.0  # degrees: less is no turn
_SIDES = {"left": re.compile(r"\bleft\b", re.I), "right": re.compile(r"\bright\b", re.I)}
_TURNS = re.compile(r"\b(turn|veer|curv|corner|round|bend)", re.I)
_HANDS = re.compile(r"\b(hand|arm)s?\b", re.I)


@dataclass(frozen=True)
class Clip:
    """A motion as pose: ``rotations`` (T, 22, 4) local xyzw and ``positions`` (T, 22, 3) m, +Y up; its sentence."""

    text: str
    rotations: Array
    positions: Array


@dataclass(frozen=True)
class JointLimits:
    """The range (22, 3) of each joint's rotation vector, degrees, and of a clip's mean jerk, m/s³."""

    low: Array
    high: Array
    jerk: tuple[float, float]

    @classmethod
    def learn(cls, clips: Sequence[Clip], fps: float) -> JointLimits:
        """What all but the rarest recorded frames and clips do. ValueError without clips."""
        if not clips:
            raise ValueError("limits of joints need at least one recorded clip")
        vectors = np.degrees(np.concatenate([rot.to_vector(clip.rotations) for clip in clips]))
        low, high = np.percentile(vectors, [_TAIL, 100.0 - _TAIL], axis=0)
        jerks = np.percentile([quality(clip.positions, fps).jerk for clip in clips], [_JERK_TAIL, 100.0 - _JERK_TAIL])
        return cls(low, high, (float(jerks[0]), float(jerks[1])))

    def beyond(self, rotations: Array) -> Array:
        """How far (T, 22) each joint but the root is outside its range, degrees; 0 inside.

        A rotation is also one by the rest of a full turn the other way, whichever is nearer to the range: a shoulder that
        goes on past 180 degrees is a little outside, not on the other side.
        """
        vectors = np.degrees(rot.to_vector(rotations))
        outside = np.minimum(self._outside(vectors), self._outside(vectors - 360.0 * rot.normalize(vectors)))
        outside[:, 0] = 0.0  # the root's rotation is the heading
        return outside

    def _outside(self, vectors: Array) -> Array:
        return np.maximum(np.maximum(self.low - vectors, vectors - self.high), 0.0).max(axis=-1)


@dataclass(frozen=True)
class Check:
    """One line of the table: what, generated, recorded, what is asked for, and whether it holds (None = only told)."""

    name: str
    made: str
    real: str
    asked: str
    passed: bool | None


def recorded(examples: Sequence[Example], layout: FeatureLayout, skeleton: Skeleton) -> list[Clip]:
    """Recorded motion through the same solver; 22-joint layouts only."""
    positions = [recover_positions(one.features, layout) for one in examples]
    solved = solver.retarget_clips(positions, skeleton)
    return [
        Clip(one.caption.text, each.local, kinematics.positions(each.local, each.root, skeleton))
        for one, each in zip(examples, solved, strict=True)
    ]


def generated(engine: Engine, texts: Sequence[str], seed: int, progress: Progress | None = None) -> list[Clip]:
    """A clip for each text as ``motionbridge generate`` writes it, of the model's own length."""
    clips = []
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        motions = generate_in_turn(
            engine, [MotionRequest(text, seed=seed + start + at) for at, text in enumerate(part)]
        )
        for text, motion in zip(part, motions, strict=True):
            locked = lock_clip(motion, engine.skeleton, engine.fps)
            clips.append(
                Clip(text, locked.rotations, kinematics.positions(locked.rotations, locked.root, engine.skeleton))
            )
        if progress is not None:
            progress(len(part))
    return clips


def check(
    made: Sequence[Clip], real: Sequence[Clip], limits: JointLimits, fps: float, skeleton: Skeleton
) -> list[Check]:
    """The table of generated against recorded clips; ``limits`` learnt from others."""
    whole = [clip for clip in made if np.isfinite(clip.positions).all() and np.isfinite(clip.rotations).all()]
    broken = len(made) - len(whole)
    checks = [Check("clips with values that are not finite", f"{broken} of {len(made)}", "", "0", not broken)]
    if not whole:
        return checks
    lengths = np.linalg.norm(skeleton.offsets[1:], axis=-1)
    bones = max(
        float(np.abs(kinematics.bone_lengths(clip.positions, skeleton.parents)[:, 1:] - lengths).max())
        for clip in whole
    )
    checks.append(Check("bone lengths, largest change", f"{bones * 1000:.3f} mm", "", "constant", bones < _BONE))
    checks += _joint_checks(whole, real, limits, skeleton)
    qualities = {
        name: [quality(clip.positions, fps) for clip in clips] for name, clips in (("made", whole), ("real", real))
    }
    checks += _floor_checks(whole, real, qualities["made"], qualities["real"], limits)
    checks += _side_checks(whole, real, fps)
    return checks


def depth(clip: Clip) -> float:
    """How far a clip's lowest joint goes below the floor, m."""
    return max(0.0, -float(clip.positions[..., 1].min()))


def _joint_checks(made: Sequence[Clip], real: Sequence[Clip], limits: JointLimits, skeleton: Skeleton) -> list[Check]:
    beyond, usual = (np.concatenate([limits.beyond(clip.rotations) for clip in clips]) for clips in (made, real))
    shares = [float((values > MARGIN).mean()) for values in (beyond, usual)]
    worst = int((beyond > MARGIN).mean(axis=0).argmax())
    name = f"joint angles more than {MARGIN:g} degrees outside the recorded range (most: {skeleton.names[worst]})"
    return [
        Check(name, f"{shares[0]:.3%}", f"{shares[1]:.3%}", "no more than recorded", shares[0] <= max(shares[1], 1e-4)),
        Check("joint angles, furthest outside", f"{beyond.max():.0f} degrees", f"{usual.max():.0f} degrees", "", None),
    ]


def _floor_checks(
    made: Sequence[Clip], real: Sequence[Clip], own: Sequence[Quality], usual: Sequence[Quality], limits: JointLimits
) -> list[Check]:
    depths = [np.array([depth(clip) for clip in clips]) for clips in (made, real)]
    deep = int((depths[0] > _FLOOR).sum())
    slides = [float(np.mean([one.foot_slide for one in values])) for values in (own, usual)]
    jerks = [np.array([one.jerk for one in values]) for values in (own, usual)]
    low, high = limits.jerk
    inside = [float(((values >= low) & (values <= high)).mean()) for values in jerks]
    return [
        Check(
            "clips that go more than 2 cm into the floor",
            f"{deep} of {len(made)}, deepest {depths[0].max() * 100:.1f} cm",
            f"deepest {depths[1].max() * 100:.1f} cm",
            "0",
            deep == 0,
        ),
        Check(
            "foot slide on the ground, m/s",
            f"{slides[0]:.3f}",
            f"{slides[1]:.3f}",
            f"at most {_SLIDE:g} times recorded",
            slides[0] <= _SLIDE * slides[1],
        ),
        Check(
            f"clips with a jerk of {low:.0f} to {high:.0f} m/s³, the recorded range",
            f"{inside[0]:.1%}, mean {jerks[0].mean():.0f}",
            f"{inside[1]:.1%}, mean {jerks[1].mean():.0f}",
            "as recorded, less 2 %",
            inside[0] >= inside[1] - 0.02,
        ),
    ]


def _side_checks(made: Sequence[Clip], real: Sequence[Clip], fps: float) -> list[Check]:
    shares = [side_share(clips, fps) for clips in (made, real)]
    told = ["none told" if not of else f"{right} of {of} ({right / of:.1%})" for right, of in shares]
    passed = shares[0][0] >= 0.98 * shares[0][1] if shares[0][1] else None
    return [Check("left and right as the sentence says", told[0], told[1], "98 %", passed)]


def side_share(clips: Sequence[Clip], fps: float) -> tuple[int, int]:
    """How many clips show the side that their sentence names, of those that name just one, of a hand or of a turn."""
    right = total = 0
    for clip in clips:
        if (asked := asked_side(clip.text)) is not None and len(clip.positions) >= 4:
            total += 1
            right += shown_side(measure(clip.positions, fps), asked[0]) == asked[1]
    return right, total


def asked_side(text: str) -> tuple[str, str] | None:
    """("turn" or "hand", "left" or "right") of a sentence that names exactly one side of one of these, else None."""
    sides = [side for side, pattern in _SIDES.items() if pattern.search(text)]
    kind = "turn" if _TURNS.search(text) else "hand" if _HANDS.search(text) else None
    return (kind, sides[0]) if kind and len(sides) == 1 else None


def shown_side(measures: Measures, kind: str) -> str:
    """The side a body turns to ("" below 20 degrees), or of the hand that it raises higher."""
    if kind == "turn":
        return "" if abs(measures.turn) < _TURN else "left" if measures.turn > 0 else "right"
    return "left" if measures.left_hand.over_shoulder > measures.right_hand.over_shoulder else "right"


def heading_check(engine: Engine, text: str, seed: int) -> Check:
    """Motion that goes on from a context at eight headings is one motion, turned."""
    context = engine.generate([MotionRequest(text, frames=engine.context_frames, seed=seed)])[0]
    angles = np.arange(_HEADINGS) * 2.0 * np.pi / _HEADINGS
    motions = engine.generate(
        [MotionRequest(text, frames=40, seed=seed, context=turned(context, angle)) for angle in angles]
    )
    places = [
        kinematics.positions(back.rotations, back.root, engine.skeleton)
        for back in (turned(motion, -angle) for motion, angle in zip(motions, angles, strict=True))
    ]
    apart = max(float(np.linalg.norm(place - places[0], axis=-1).max()) for place in places)
    name = f"motion that goes on at {_HEADINGS} headings, largest difference"
    return Check(name, f"{apart * 1000:.3f} mm", "", "the same motion, turned", apart < _TURNED)


def turned(motion: Motion, angle: float) -> Motion:
    """A motion turned about the world's +Y axis by an angle, radians."""
    turn = rot.about_y(np.array(angle))
    rotations = motion.rotations.copy()
    rotations[:, 0] = rot.mul(turn, rotations[:, 0])
    return Motion(rot.mul_vec(turn, motion.root), rotations, motion.contacts, motion.features, motion.heading + angle)
