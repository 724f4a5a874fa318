"""Numbers that describe what a body does, from joint positions alone.

Positions are (T, 22, 3) metres in the joint order of ``protocol/skeleton.json``: right-handed, +Y up, left = +X when facing
+Z. Times are seconds, angles degrees; a heading change is positive to the left. Heights count from the clip's own floor, the
lowest a foot joint gets. The body's facing is across hips and shoulders, smoothed so that their swing in a step cancels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from protocol.skeleton import Skeleton, default_skeleton
from server.motion.rotation import Array

MIN_FRAMES = 4
SIDES = ("left", "right")
_SMOOTH_SECONDS = 0.5  # about one step: the sway of single steps goes, turns and changes of speed stay
_RAISED = -0.12  # m, a wrist above this over its shoulder counts as raised: a low wave is at chest height
_SWING = 0.03  # m, the least a waving hand moves between two turns: a tired wave is small
_FLIGHT = 0.035  # m over its own resting height that the lower foot's toe must have for a flight phase
_STEP = 0.06  # m, the least by which one ankle passes the other in a step
_OUT = 0.25  # m from the pelvis, over the ground, that a kicking foot must be
_BEHIND = -0.05  # m: a foot further behind the pelvis than this is no kick but the swing leg of a run
_CHEST = (-0.3, 0.25)  # m over the shoulder: where a punch goes
_RECOIL_SECONDS = 0.6  # a fist that stays out longer points, guides or blocks


class MeasureError(ValueError):
    """Positions that cannot be measured; the message names the shape and what is expected."""


@dataclass(frozen=True)
class Hand:
    """One wrist. ``over_shoulder``, ``over_head``: its greatest height over its own shoulder and over the head joint, m;
    ``rise`` from its lowest to its greatest height over the shoulder, m; ``raised`` the share of frames it is at or above
    the upper chest; ``swings`` its turns to and fro while raised; ``swing`` the mean way between two such turns, m;
    ``speed`` its peak speed relative to the chest, m/s. At chest height: ``thrust`` its peak speed away from the shoulder,
    ``recoil`` the most that it comes back with within 0.6 s of a thrust no slower, m/s, and ``reach`` how far it is before
    its shoulder at most, m."""

    over_shoulder: float
    over_head: float
    rise: float
    raised: float
    swings: int
    swing: float
    speed: float
    thrust: float
    recoil: float
    reach: float


@dataclass(frozen=True)
class Foot:
    """One foot. ``height``: the ankle's peak over its lowest, m; ``front_height`` the same while it is in front of the body
    and ``front_speed`` the foot's peak speed relative to the pelvis while so raised to half of it, m/s."""

    height: float
    front_height: float
    front_speed: float


@dataclass(frozen=True)
class Measures:
    """What a body does in one clip.

    ``seconds``; ``travel`` from first to last frame, ``path`` along the way, ``forward`` and ``leftward`` in the body's own
    frame, m; ``speed`` and ``peak_speed`` of the pelvis over the ground, m/s; ``turn`` the heading change from start to end and
    ``turn_left``, ``turn_right`` the largest on the way, degrees; ``lean`` the trunk's mean pitch forward, ``bend`` its peak
    over its upright 10th percentile, ``bend_end`` what is left of it at the end, degrees; ``hip_range`` of the pelvis'
    height and ``bounce`` its standard deviation after removing slow changes, m; ``cadence`` steps a second; ``step`` metres
    a step; ``arm_swing`` the wrists' mean deviation along the facing, m; ``flight`` the share of frames with both feet off
    the ground; ``activity`` the joints' mean speed relative to the pelvis, m/s, ``leg_activity`` that of knees, ankles and
    toes, ``arm_activity`` that of elbows and wrists; ``head_height`` and ``hip_height`` means, m.
    """

    seconds: float
    travel: float
    path: float
    forward: float
    leftward: float
    speed: float
    peak_speed: float
    turn: float
    turn_left: float
    turn_right: float
    lean: float
    bend: float
    bend_end: float
    hip_height: float
    head_height: float
    hip_range: float
    bounce: float
    cadence: float
    step: float
    arm_swing: float
    flight: float
    activity: float
    leg_activity: float
    arm_activity: float
    left_hand: Hand
    right_hand: Hand
    left_foot: Foot
    right_foot: Foot

    @property
    def net_speed(self) -> float:
        """First to last place over the time between, m/s."""
        return self.travel / self.seconds

    @property
    def forward_speed(self) -> float:
        """Forward travel in the body's own frame over the time, m/s; negative backwards."""
        return self.forward / self.seconds

    @property
    def straightness(self) -> float:
        """Forward travel of the way travelled, -1 to 1."""
        return self.forward / self.path if self.path > 0 else 0.0

    @property
    def directness(self) -> float:
        """Way from the first to the last place of the way travelled; dancers come back to where they were."""
        return self.travel / self.path if self.path > 0 else 0.0

    @property
    def thrust(self) -> float:
        """The faster hand's, m/s."""
        return max(self.left_hand.thrust, self.right_hand.thrust)

    @property
    def recoil(self) -> float:
        """The faster hand's, m/s."""
        return max(self.left_hand.recoil, self.right_hand.recoil)

    @property
    def reach(self) -> float:
        """The further hand's, m."""
        return max(self.left_hand.reach, self.right_hand.reach)

    @property
    def kick_height(self) -> float:
        """The higher foot's, m."""
        return max(self.left_foot.front_height, self.right_foot.front_height)

    @property
    def kick_speed(self) -> float:
        """Of the foot that is raised higher in front, m/s."""
        return max(self.left_foot, self.right_foot, key=lambda foot: foot.front_height).front_speed


def measure(positions: Array, fps: float, skeleton: Skeleton | None = None) -> Measures:
    """Measure a clip of positions (T, 22, 3) at ``fps``; T at least 4. MeasureError on another shape or values not finite."""
    skeleton = skeleton or default_skeleton()
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[1:] != (len(skeleton), 3) or len(positions) < MIN_FRAMES:
        raise MeasureError(f"positions {positions.shape}: expected (T >= {MIN_FRAMES}, {len(skeleton)}, 3)")
    if not np.isfinite(positions).all():
        frame, joint, axis = (int(at[0]) for at in np.nonzero(~np.isfinite(positions)))
        value, where = positions[frame, joint, axis], f"{skeleton.names[joint]}, {'xyz'[axis]}"
        raise MeasureError(f"positions have {value} in frame {frame} ({where}); all must be finite")
    if not 0 < fps < np.inf:
        raise MeasureError(f"the frame rate is {fps}; it must be positive and finite")
    return _Body(positions, fps, skeleton).measures()


def heading(positions: Array, fps: float, skeleton: Skeleton | None = None) -> Array:
    """Smoothed facing (T,) of positions (T, 22, 3): radians about +Y from +Z, left positive, unwrapped."""
    skeleton = skeleton or default_skeleton()
    pairs = [(skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")) for part in ("hip", "shoulder")]
    ground = np.array([1.0, 0.0, 1.0])
    across = np.sum([_unit((positions[:, left] - positions[:, right]) * ground) for left, right in pairs], axis=0)
    return _smooth(np.unwrap(np.arctan2(-across[:, 2], across[:, 0])), fps)


class _Body:
    """A clip in its own frame: x to the left, y up, z to the front of the body, around the pelvis on the ground."""

    def __init__(self, positions: Array, fps: float, skeleton: Skeleton) -> None:
        self.positions, self.fps, self._skeleton = positions, fps, skeleton
        self.yaw = heading(positions, fps, skeleton)
        relative = positions - positions[:, :1] * np.array([1.0, 0.0, 1.0])
        self.local = self._into_body(relative)  # (T, 22, 3)
        feet = [skeleton.index(f"{side}_{part}") for side in SIDES for part in ("ankle", "foot")]
        self.floor = float(positions[:, feet, 1].min())

    def joint(self, name: str) -> Array:
        """Positions (T, 3) of a joint in the body's frame."""
        return self.local[:, self._skeleton.index(name)]

    def measures(self) -> Measures:
        seconds = len(self.positions) / self.fps
        ground = _smooth(self.positions[:, 0, [0, 2]], self.fps)
        steps = np.diff(ground, axis=0)
        path = float(np.linalg.norm(steps, axis=1).sum())
        velocity = np.diff(_smooth(self.positions[:, 0], self.fps), axis=0) * self.fps  # (T-1, 3)
        speed = np.linalg.norm(velocity[:, [0, 2]], axis=1)
        own = self._into_body(np.concatenate([velocity, velocity[-1:]]))[:-1].sum(0) / self.fps
        turned = np.degrees(self.yaw - self.yaw[: _frames(0.25, self.fps)].mean())
        pitch = self._pitch()
        upright = float(np.percentile(pitch, 10))
        end = _frames(0.25, self.fps)
        hip = self.positions[:, 0, 1]
        cadence = self._steps() / seconds
        return Measures(
            seconds=seconds,
            travel=float(np.linalg.norm(self.positions[-1, 0, [0, 2]] - self.positions[0, 0, [0, 2]])),
            path=path,
            forward=float(own[2]),
            leftward=float(own[0]),
            speed=float(speed.mean()),
            peak_speed=float(speed.max()),
            turn=float(turned[-end:].mean()),
            turn_left=float(turned.max()),
            turn_right=float(-turned.min()),
            lean=float(pitch.mean()),
            bend=float(pitch.max() - upright),
            bend_end=float(pitch[-end:].mean() - upright),
            hip_height=float(hip.mean() - self.floor),
            head_height=float(self.joint("head")[:, 1].mean() - self.floor),
            hip_range=float(np.ptp(hip)),
            bounce=float((hip - uniform_filter1d(hip, _frames(1.0, self.fps), mode="nearest")).std()),
            cadence=cadence,
            step=path / (cadence * seconds) if cadence > 0 else 0.0,
            arm_swing=float(np.mean([self.joint(f"{side}_wrist")[:, 2].std() for side in SIDES])),
            flight=self._flight(),
            activity=self._activity(self._skeleton.names),
            leg_activity=self._activity([f"{s}_{p}" for s in SIDES for p in ("knee", "ankle", "foot")]),
            arm_activity=self._activity([f"{s}_{p}" for s in SIDES for p in ("elbow", "wrist")]),
            left_hand=self._hand("left"),
            right_hand=self._hand("right"),
            left_foot=self._foot("left"),
            right_foot=self._foot("right"),
        )

    def _into_body(self, vectors: Array) -> Array:
        """Vectors (T, …, 3) of the world, seen from the body."""
        shape = (-1,) + (1,) * (vectors.ndim - 2)
        sine, cosine = np.sin(self.yaw).reshape(shape), np.cos(self.yaw).reshape(shape)
        x, y, z = np.moveaxis(vectors, -1, 0)
        return np.stack([x * cosine - z * sine, y, x * sine + z * cosine], axis=-1)

    def _pitch(self) -> Array:
        trunk = self.joint("neck") - self.joint("pelvis")
        return np.degrees(np.arctan2(trunk[:, 2], trunk[:, 1]))

    def _steps(self) -> int:
        """How often one ankle passes the other along the body's facing."""
        apart = (self.joint("left_ankle") - self.joint("right_ankle"))[:, 2]
        clear = np.sign(apart[np.abs(apart) > _STEP / 2])
        return int((np.diff(clear) != 0).sum())

    def _flight(self) -> float:
        """Share of frames with both toes off the ground."""
        toes = np.stack([self.joint(f"{side}_foot")[:, 1] for side in SIDES])  # (2, T)
        resting = np.percentile(toes, 5, axis=1, keepdims=True)
        return float((toes - resting > _FLIGHT).all(axis=0).mean())

    def _activity(self, names: tuple[str, ...] | list[str]) -> float:
        joints = np.stack([self.joint(name) - self.joint("pelvis") for name in names])  # (J, T, 3)
        return float(np.linalg.norm(np.diff(joints, axis=1), axis=-1).mean() * self.fps)

    def _hand(self, side: str) -> Hand:
        wrist, shoulder = self.joint(f"{side}_wrist"), self.joint(f"{side}_shoulder")
        height = wrist[:, 1] - shoulder[:, 1]
        raised = height > _RAISED
        relative = wrist - shoulder
        velocity = np.diff(wrist - self.joint("spine3"), axis=0) * self.fps
        swings, size = _swings(relative[raised, :2])
        reach = np.linalg.norm(relative[:, [0, 2]], axis=1)
        level = (height > _CHEST[0]) & (height < _CHEST[1])
        thrust = np.where(level[1:] & level[:-1], np.diff(reach), 0.0) * self.fps
        return Hand(
            over_shoulder=float(height.max()),
            over_head=float((wrist[:, 1] - self.joint("head")[:, 1]).max()),
            rise=float(np.ptp(height)),
            raised=float(raised.mean()),
            swings=swings,
            swing=size,
            speed=float(np.linalg.norm(velocity, axis=1).max()),
            thrust=float(thrust.max()),
            recoil=_recoil(thrust, _frames(_RECOIL_SECONDS, self.fps)),
            reach=float(np.where(level, relative[:, 2], 0.0).max()),
        )

    def _foot(self, side: str) -> Foot:
        ankle = self.joint(f"{side}_ankle")
        height = ankle[:, 1] - ankle[:, 1].min()
        out = np.linalg.norm(ankle[:, [0, 2]], axis=1) > _OUT
        front = np.where(out & (ankle[:, 2] > _BEHIND), height, 0.0)
        speed = np.linalg.norm(np.diff(ankle - self.joint("pelvis"), axis=0), axis=1) * self.fps
        high = front[1:] >= max(front.max() / 2, 1e-6)
        return Foot(float(height.max()), float(front.max()), float(speed[high].max()) if high.any() else 0.0)


def _recoil(speed: Array, within: int) -> float:
    """The greatest speed that ``speed`` (T,) has both outwards and, up to ``within`` frames later, back inwards."""
    padded = np.concatenate([-speed, np.zeros(within)])
    back = np.lib.stride_tricks.sliding_window_view(padded, within + 1).max(axis=1)  # (T,)
    return float(max(np.minimum(speed, back).max(), 0.0))


def _swings(path: Array) -> tuple[int, float]:
    """Turns to and fro of a path (T, K) along its liveliest axis, and the mean way between two, m."""
    best = (0, 0.0)
    for signal in path.T:
        tops = np.concatenate([find_peaks(sign * signal, prominence=_SWING)[0] for sign in (1.0, -1.0)])
        if len(tops) > best[0]:
            way = np.abs(np.diff(signal[np.sort(tops)]))
            best = (len(tops), float(way.mean()) if len(way) else 0.0)
    return best


def _smooth(values: Array, fps: float) -> Array:
    """Moving average over about one step; the ends average what there is, so a steady walk keeps its speed."""
    frames = min(_frames(_SMOOTH_SECONDS, fps), len(values))
    padded = np.pad(
        values, [(frames // 2, frames - 1 - frames // 2)] + [(0, 0)] * (values.ndim - 1), "reflect", reflect_type="odd"
    )
    sums = np.cumsum(np.concatenate([np.zeros_like(padded[:1]), padded]), axis=0)
    return (sums[frames:] - sums[:-frames]) / frames


def _frames(seconds: float, fps: float) -> int:
    return max(1, round(seconds * fps))


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
