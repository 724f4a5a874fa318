"""What the rotation solver makes of real motion capture, as Markdown tables: ``python -m tests.benchmarks.solver_table DATA``.

DATA is a folder in the form that ``motionbridge prepare bvh`` takes. A seeded sample of its clips is read at about 20 frames
per second, grouped by the joint map that fits, and for each clip the skeleton is fitted, the positions are solved, and

- forward kinematics of the result is compared with the positions that went in: as recorded, and with each bone held at
  its mean length (joints that are mixes of two source joints lie on no rigid bone);
- the limbs' bones are compared in direction;
- global rotations are compared with the BVH's own, through the source joint of the largest weight.

A rig's joint axes are arbitrary, so the last needs a pose in which both are known. Zero rotations of a rig that was bound in
a T-pose are such a pose: it is solved like any other, and both sides are counted as the change from it ("rest"). Every rig, and
also those with no T-pose in the file, is compared as well up to the constant rotation per joint that fits all its clips
best ("fitted"): what remains is motion the solver does not follow. Head, hands and toes are ends of the tree: positions
do not tell their rotation, the solver lets them follow their parent, and their angle is the actor's own.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from protocol.skeleton import Skeleton, default_skeleton
from server.motion import bvh, joint_map, kinematics, solver
from server.motion import rotation as rot
from server.motion.joint_map import JointMap
from server.motion.rotation import Array
from server.training.prepare import bvh_texts

LIMBS = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "foot", "elbow", "wrist"))
UNSEEN = ("head", "left_wrist", "right_wrist", "left_foot", "right_foot")
JUMP = 30.0  # degrees from frame to frame between the solved and the recorded rotation: a flip, at 20 frames per second
BENT = np.radians(15.0)  # bend of an elbow from which on its plane is taken for the truth of the arm's twist
T_POSE = 20.0  # degrees that the arms and legs of a rig's zero pose may be off the T-pose to be taken for one


@dataclass(frozen=True)
class ClipResult:
    """One clip: positions (T, J, 3) and errors (T, J) in metres, limb angles (T, limbs) in degrees, both rotations (T, J, 4)."""

    positions: Array
    error_recorded: Array
    error_rigid: Array
    limb_angles: Array
    solved: Array
    recorded: Array


@dataclass(frozen=True)
class Rig:
    """A joint map's clips and, where the rig's zero pose is a T-pose, both sides' rotations (J, 4) in it."""

    name: str
    clips: tuple[ClipResult, ...]
    rest: tuple[Array, Array] | None


def constant_bones(positions: Array, skeleton: Skeleton) -> Array:
    """Every bone's direction kept and its length made the mean over the frames, from the root outwards (T, J, 3)."""
    lengths = kinematics.bone_lengths(positions, skeleton.parents).mean(axis=0)
    result = positions.copy()
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            step = rot.normalize(positions[:, joint] - positions[:, parent]) * lengths[joint]
            result[:, joint] = result[:, parent] + step
    return result


def bone_angles(one: Array, other: Array, skeleton: Skeleton, joints: Sequence[str]) -> Array:
    """Degrees (…, len(joints)) between the directions in which two poses (…, J, 3) hold the bones that end in ``joints``."""
    children = [skeleton.index(name) for name in joints]
    parents = [skeleton.parents[child] for child in children]
    a, b = (rot.normalize(pose[..., children, :] - pose[..., parents, :]) for pose in (one, other))
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def main_sources(mapping: JointMap, names: Sequence[str]) -> list[int]:
    """For each of our joints the index of the source joint of the largest weight; of the first one where they are equal."""
    return [names.index(max(mix, key=lambda source: mix[source])) for mix in mapping.weights]


def measure(clip: bvh.BvhClip, mapping: JointMap, start: int, stop: int, skeleton: Skeleton) -> ClipResult:
    """Solve frames start..stop, about 20 a second, and set the result beside what was recorded."""
    step = max(1, round(1.0 / (20.0 * clip.frame_time)))
    clip = replace(clip, values=clip.values[start:stop:step])
    positions = mapping.apply(clip)
    errors = []
    for given in (positions, constant_bones(positions, skeleton)):
        fitted = solver.fit_skeleton(given, skeleton)
        solved = solver.solve(given, fitted)
        again = kinematics.positions(solved.local, solved.root, fitted)
        errors.append((np.linalg.norm(again - given, axis=-1), bone_angles(again, given, skeleton, LIMBS), solved))
    (recorded_error, limb_angles, solved), (rigid_error, *_) = errors
    recorded = clip.forward()[1][:, main_sources(mapping, clip.names)]
    return ClipResult(positions, recorded_error, rigid_error, limb_angles, solved.globals, recorded)


def rest_of(clip: bvh.BvhClip, mapping: JointMap, skeleton: Skeleton) -> tuple[Array, Array] | None:
    """Solved and own rotations (J, 4) of the rig's zero pose, or None where its limbs are not those of a T-pose."""
    rotates = np.array([channel.endswith("rotation") for joint in clip.joints for channel in joint.channels])
    zero = replace(clip, values=np.where(rotates, 0.0, clip.values[:1]))
    pose = mapping.apply(zero)
    straight = [name for name in LIMBS if not name.endswith("foot")]
    if bone_angles(pose, skeleton.rest_positions()[None], skeleton, straight).max() > T_POSE:
        return None
    return solver.solve(pose, skeleton).globals[0], zero.forward()[1][0, main_sources(mapping, clip.names)]


def mean_rotation(quaternions: Array) -> Array:
    """The mean (J, 4) of (N, J, 4) that is least in squared chordal distance (Markley et al. 2007)."""
    moments = np.einsum("nji,njk->jik", quaternions, quaternions)
    return np.linalg.eigh(moments)[1][..., -1]


def sample(data: Path, per_rig: int, seed: int) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """For each joint map the texts of at most ``per_rig`` files and a window of each, chosen by ``seed``."""
    rng = np.random.default_rng(seed)
    with (data / "clips.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    windows: dict[str, dict[str, str]] = {}
    for index in rng.permutation(len(rows)):
        windows.setdefault(rows[index]["file"], rows[index])
    rank = {file: position for position, file in enumerate(windows)}
    chosen: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for file, text in bvh_texts(data, set(windows)):
        if file in windows and (name := rig_name(text)):
            kept = chosen.setdefault(name, [])
            kept.append((text, windows[file]))
            kept.sort(key=lambda entry: rank[entry[1]["file"]])
            del kept[per_rig:]
    return chosen


def rig_name(text: str) -> str | None:
    """Name of the preset joint map that fits a BVH's joints, without reading its motion."""
    joints = re.findall(r"(?:ROOT|JOINT)\s+(\S+)", text.partition("MOTION")[0])
    names = (*joints, *(f"{joint}.end" for joint in joints))
    return next((mapping.name for mapping in joint_map.presets() if mapping.fits(names)), None)


def measure_rigs(data: Path, per_rig: int, seed: int) -> Iterator[Rig]:
    """Measure the sample of each rig, in the order of the joint maps' names."""
    skeleton = default_skeleton()
    for name, entries in sorted(sample(data, per_rig, seed).items()):
        results, rest = [], None
        for text, row in entries:
            clip = bvh.parse_bvh(text, row["file"])
            mapping = joint_map.detect(clip)
            start, stop = (round(float(row[key]) / clip.frame_time) for key in ("start_s", "end_s"))
            results.append(measure(clip, mapping, start, stop, skeleton))
            rest = rest or rest_of(clip, mapping, skeleton)
        yield Rig(name, tuple(results), rest)


def arm_twists(positions: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """Directions (N, 3) of bent upper arms from the chest, as left arms, and their twist (N,) in radians beyond rest.

    The twist is the angle about the upper arm from the elbow's axis that the least rotation from the T-pose gives to the
    normal of the arm's plane.
    """
    chest = solver.solve(positions, skeleton).globals[:, skeleton.index("spine3")]
    directions, twists = [], []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder, elbow, wrist = (skeleton.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        upper, lower = (
            rot.mul_vec(rot.inv(chest), rot.normalize(positions[:, b] - positions[:, a]))
            for a, b in ((shoulder, elbow), (elbow, wrist))
        )
        normal = np.cross(upper, lower)
        carried = rot.mul_vec(rot.between(np.array([sign, 0.0, 0.0]), upper), np.array([0.0, -sign, 0.0]))
        twist = np.arctan2((np.cross(carried, normal) * upper).sum(-1), (carried * normal).sum(-1))
        bent = np.linalg.norm(normal, axis=-1) > np.sin(BENT)
        directions.append((upper * np.array([sign, 1.0, 1.0]))[bent])
        twists.append((sign * twist)[bent])
    return np.concatenate(directions), np.concatenate(twists)


def fit_arm_twist(rigs: Sequence[tuple[Array, Array]]) -> Array:
    """The solver's three coefficients of the mean twist of arms, by least absolute deviations; every rig weighs the same."""
    direction, twist = (np.concatenate(part) for part in zip(*rigs, strict=True))
    rig_weight = np.concatenate([np.full(len(own), 1.0 / len(own)) for _, own in rigs])
    beyond_rest = 1.0 - np.maximum(direction[:, 0], 0.0) ** 4
    basis = np.stack([np.ones_like(twist), direction[:, 1], direction[:, 2]], axis=-1) * beyond_rest[:, None]
    weight, coefficients = rig_weight, np.zeros(3)
    for _ in range(30):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(basis * root[:, None], twist * root, rcond=None)[0]
        weight = rig_weight / np.maximum(np.abs(twist - basis @ coefficients), 0.1)
    return coefficients


def differences(rig: Rig, *, fitted: bool) -> list[Array]:
    """Rotations (T, J, 4) of each clip that turn the recorded joint into the solved one, from rest or up to a constant."""
    if fitted:
        offset = mean_rotation(np.concatenate([rot.inv_mul(clip.solved, clip.recorded) for clip in rig.clips]))
    else:
        assert rig.rest is not None
        offset = rot.inv_mul(*rig.rest)
    return [rot.inv_mul(rot.mul(clip.solved, offset), clip.recorded) for clip in rig.clips]


def angles_of(rotations: Sequence[Array]) -> Array:
    """Angles (N, J) in degrees of all clips' rotations."""
    every = np.concatenate(rotations)
    return np.degrees(rot.angle_between(every, rot.identity(*every.shape[:-1])))


def jumps(rotations: Sequence[Array]) -> Array:
    """How often (J,) per 1,000 frames a joint's difference changes by more than ``JUMP`` from one frame to the next."""
    steps = np.concatenate([np.degrees(rot.angle_between(r[1:], r[:-1])) for r in rotations])
    return 1000.0 * (steps > JUMP).mean(axis=0)


def positions_table(rigs: Sequence[Rig]) -> list[str]:
    lines = [
        "| joint map | clips | frames | FK as recorded, mean mm | FK, constant bones, mean mm | limb bones, greatest degrees |",
        "|---|---|---|---|---|---|",
    ]
    for rig in rigs:
        recorded, rigid = (
            1000.0 * np.concatenate([getattr(clip, key) for clip in rig.clips]).mean()
            for key in ("error_recorded", "error_rigid")
        )
        limbs = max(clip.limb_angles.max() for clip in rig.clips)
        frames = sum(len(clip.solved) for clip in rig.clips)
        lines.append(f"| {rig.name} | {len(rig.clips)} | {frames} | {recorded:.3f} | {rigid:.3f} | {limbs:.4f} |")
    return lines


def rotations_table(rigs: Sequence[Rig]) -> list[str]:
    """Mean degrees per joint: rest and fitted for each rig, and flips per 1,000 frames in brackets where there are any."""
    columns: list[tuple[str, list[str]]] = []
    for rig in rigs:
        kinds = [(f"{rig.name}, fitted", differences(rig, fitted=True))]
        if rig.rest is not None:
            kinds.insert(0, (f"{rig.name}, rest", differences(rig, fitted=False)))
        for title, rotations in kinds:
            pairs = zip(angles_of(rotations).mean(axis=0), jumps(rotations), strict=True)
            columns.append((title, [f"{angle:.1f}" + (f" ({jump:.1f})" if jump else "") for angle, jump in pairs]))
    lines = ["| joint | " + " | ".join(title for title, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for joint, name in enumerate(default_skeleton().names):
        label = f"{name} *" if name in UNSEEN else name
        lines.append(f"| {label} | " + " | ".join(cells[joint] for _, cells in columns) + " |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with clips.csv and the BVH files or their archives")
    parser.add_argument("--clips", type=int, default=40, help="files per joint map (default 40)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rigs = list(measure_rigs(options.data, options.clips, options.seed))
    print("\n".join([*positions_table(rigs), "", *rotations_table(rigs)]))
    skeleton = default_skeleton()
    twists = [arm_twists(np.concatenate([clip.positions for clip in rig.clips]), skeleton) for rig in rigs]
    coefficients = ", ".join(f"{value:.2f}" for value in fit_arm_twist(twists))
    print(f"\nMean twist of arms, radians (constant, per unit up, per unit forward): {coefficients}")


if __name__ == "__main__":
    main()
