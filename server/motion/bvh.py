"""Reading BVH files of any skeleton, and writing ours.

Forward kinematics always goes by the channels: their order may differ per joint, and position channels replace OFFSET.
Angles in the file are degrees, intrinsic, in the order of their columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from protocol.skeleton import Skeleton
from server.files import write_atomically
from server.motion import rotation as rot
from server.motion.rotation import Array

MAX_FILE_BYTES = 512 * 1024 * 1024
_TOKEN = re.compile(r"[{}]|[^\s{}]+")
_MOTION = re.compile(r"^[ \t]*MOTION\s", re.MULTILINE)
_HEADER = re.compile(r"\s*MOTION\s+Frames:\s*(\S+)\s+Frame Time:\s*(\S+)[ \t\r]*(?:\n|$)")


class BvhError(ValueError):
    """A BVH file that is broken or holds no motion; the message names the file, the fault and, where it has one, the line."""


@dataclass(frozen=True)
class BvhJoint:
    """One joint; an End Site is a joint named ``<parent>.end`` without channels. ``offset`` in file units."""

    name: str
    parent: int
    offset: tuple[float, float, float]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class BvhClip:
    """A parsed file: joints in file order, ``values`` (T, channels) as written, ``frame_time`` in seconds."""

    joints: tuple[BvhJoint, ...]
    values: Array
    frame_time: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    def forward(self, start: int = 0, stop: int | None = None) -> tuple[Array, Array]:
        """Global positions (T, J, 3) in file units and global rotations (T, J, 4) of frames start..stop."""
        values = self.values[start:stop]
        positions: list[Array] = []
        rotations: list[Array] = []
        column = 0
        for joint in self.joints:
            own = values[:, column : column + len(joint.channels)]
            column += len(joint.channels)
            translation = np.tile(np.asarray(joint.offset), (len(values), 1))
            for k, channel in enumerate(joint.channels):
                if channel.endswith("position"):
                    translation[:, "XYZ".index(channel[0])] = own[:, k]
            turns = [k for k, channel in enumerate(joint.channels) if channel.endswith("rotation")]
            if turns:
                local = rot.from_euler(np.radians(own[:, turns]), "".join(joint.channels[k][0] for k in turns))
            else:
                local = rot.identity(len(values))
            if joint.parent < 0:
                positions.append(translation)
                rotations.append(local)
            else:
                positions.append(positions[joint.parent] + rot.mul_vec(rotations[joint.parent], translation))
                rotations.append(rot.mul(rotations[joint.parent], local))
        return np.stack(positions, axis=1), np.stack(rotations, axis=1)


def read_bvh(path: Path) -> BvhClip:
    """Parse a file; BvhError if it is not BVH, is cut short, has no frames or holds values that are not finite."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BvhError(f"{path}: {path.stat().st_size} bytes, the limit is {MAX_FILE_BYTES}")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BvhError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_bvh(text, str(path))


def parse_bvh(text: str, path: str) -> BvhClip:
    """Parse the text of a file; ``path`` names it in errors."""
    motion = _MOTION.search(text)
    if not motion or not text.lstrip("\ufeff \t\r\n").startswith("HIERARCHY"):
        raise BvhError(f"{path}: not a BVH file (no HIERARCHY or no MOTION section)")
    joints = _parse_hierarchy(text[: motion.start()], path)
    header = _HEADER.match(text, motion.start())
    if not header:
        line = _line(text, motion.end())
        raise BvhError(f"{path}, line {line}: the MOTION section does not start with 'Frames:' and 'Frame Time:'")
    frames_line, time_line = (_line(text, header.start(group)) for group in (1, 2))
    try:
        frames, frame_time = int(header[1]), float(header[2])
    except ValueError:
        raise BvhError(
            f"{path}, line {frames_line}: 'Frames: {header[1]}' and 'Frame Time: {header[2]}' must be numbers"
        ) from None
    if frames < 1:
        raise BvhError(f"{path}, line {frames_line}: {frames} frames; at least 1 is needed")
    if not 1e-4 <= frame_time <= 1.0:
        raise BvhError(f"{path}, line {time_line}: frame time {frame_time} s is outside 0.0001..1")
    width = sum(len(joint.channels) for joint in joints)
    try:
        values = np.array(text[header.end() :].split(), dtype=np.float64)
    except ValueError:
        values = np.empty(0)
    if values.size != frames * width or not np.isfinite(values).all():
        raise _motion_fault(text, header.end(), frames, width, path)
    return BvhClip(tuple(joints), values.reshape(frames, width), frame_time)


def _line(text: str, position: int) -> int:
    """Number, from 1, of the line that holds a position."""
    return text.count("\n", 0, position) + 1


def _motion_fault(text: str, start: int, frames: int, width: int, path: str) -> BvhError:
    """What is wrong with the motion values that begin at ``start``, and the first line on which it shows."""
    size, uneven = 0, ""
    for number, line in enumerate(text[start:].split("\n"), start=_line(text, start)):
        words = line.split()
        for word in words:
            try:
                finite = np.isfinite(float(word))
            except ValueError:
                return BvhError(f"{path}, line {number}: the motion value {word[:40]!r} is not a number")
            if not finite:
                return BvhError(f"{path}, line {number}: the motion value {word} is not finite")
        if len(words) not in (0, width) and not uneven:
            uneven = f"; line {number} has {len(words)}"
        size += len(words)
    return BvhError(
        f"{path}: {size} motion values, but {frames} frames of {width} channels need {frames * width}{uneven}"
    )


def _parse_hierarchy(text: str, path: str) -> list[BvhJoint]:
    words = [(word, number) for number, line in enumerate(text.split("\n"), 1) for word in _TOKEN.findall(line)]
    tokens = [word for word, _ in words]
    joints: list[BvhJoint] = []
    stack: list[int] = []
    at = 1

    def where() -> str:
        return f"{path}, line {words[min(at, len(words) - 1)][1]}"

    try:
        while at < len(tokens):
            word = tokens[at]
            if word in ("ROOT", "JOINT") or (word == "End" and tokens[at + 1] == "Site"):
                parent = stack[-1] if stack else -1
                name = f"{joints[parent].name}.end" if word == "End" else tokens[at + 1]
                joints.append(BvhJoint(name, parent, (0.0, 0.0, 0.0), ()))
                at += 2
            elif word == "{":
                stack.append(len(joints) - 1)
                at += 1
            elif word == "}":
                stack.pop()
                at += 1
            elif word == "OFFSET":
                x, y, z = (float(value) for value in tokens[at + 1 : at + 4])
                if not np.isfinite((x, y, z)).all():
                    raise BvhError(f"{where()}: the OFFSET of joint {joints[stack[-1]].name} is not finite")
                joints[stack[-1]] = replace(joints[stack[-1]], offset=(x, y, z))
                at += 4
            elif word == "CHANNELS":
                count = int(tokens[at + 1])
                channels = tuple(tokens[at + 2 : at + 2 + count])
                _check_channels(channels, joints[stack[-1]].name, where())
                joints[stack[-1]] = replace(joints[stack[-1]], channels=channels)
                at += 2 + count
            else:
                raise BvhError(f"{where()}: unexpected {word!r} in the hierarchy")
    except (IndexError, ValueError) as error:
        if isinstance(error, BvhError):
            raise
        raise BvhError(f"{where()}: the hierarchy breaks off or holds no number at {tokens[at]!r}") from error
    if stack or not joints:
        raise BvhError(f"{path}: the hierarchy's braces do not balance" if joints else f"{path}: no joints")
    names = [joint.name for joint in joints]
    if len(set(names)) != len(names):
        raise BvhError(f"{path}: joint names repeat: {sorted({n for n in names if names.count(n) > 1})[:3]}")
    return joints


def _check_channels(channels: tuple[str, ...], name: str, where: str) -> None:
    turns = [channel[0] for channel in channels if channel.endswith("rotation")]
    known = all(re.fullmatch(r"[XYZ](position|rotation)", channel) for channel in channels)
    if not known or len(set(channels)) != len(channels) or len(turns) not in (0, 3):
        raise BvhError(
            f"{where}: joint {name} has channels {' '.join(channels)}; expected 0 or 3 rotations, 0 to 3 positions"
        )


def write_bvh(path: Path, local: Array, root: Array, skeleton: Skeleton, fps: float) -> None:
    """Write local rotations (T, J, 4) and root positions (T, 3) metres as a BVH in centimetres, channels Z X Y.

    The rest pose is the skeleton's T-pose facing +Z, so every program that reads BVH shows the same joint positions.
    A file that is there stays whole until the new one is; OSError when that cannot be written.
    """
    children = {joint: [c for c, p in enumerate(skeleton.parents) if p == joint] for joint in range(len(skeleton))}
    lines: list[str] = ["HIERARCHY"]
    order: list[int] = []

    def emit(joint: int, depth: int) -> None:
        indent = "  " * depth
        offset = skeleton.offsets[joint] * 100.0 if joint else np.zeros(3)
        kind = "JOINT" if joint else "ROOT"
        position = "" if joint else "Xposition Yposition Zposition "
        order.append(joint)
        lines.extend(
            [
                f"{indent}{kind} {skeleton.names[joint]}",
                f"{indent}{{",
                f"{indent}  OFFSET {offset[0]:.6f} {offset[1]:.6f} {offset[2]:.6f}",
                f"{indent}  CHANNELS {3 if joint else 6} {position}Zrotation Xrotation Yrotation",
            ]
        )
        for child in children[joint]:
            emit(child, depth + 1)
        if not children[joint]:
            tip = rot.normalize(skeleton.offsets[joint]) * 8.0
            end = f"{indent}    OFFSET {tip[0]:.6f} {tip[1]:.6f} {tip[2]:.6f}"
            lines.extend([f"{indent}  End Site", f"{indent}  {{", end, f"{indent}  }}"])
        lines.append(f"{indent}}}")

    emit(0, 0)
    euler = np.degrees(np.unwrap(rot.to_euler_zxy(np.asarray(local, dtype=np.float64)), axis=0))[:, order]  # (T, J, 3)
    table = np.concatenate([np.asarray(root, dtype=np.float64) * 100.0, euler.reshape(len(euler), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(table)}", f"Frame Time: {1.0 / fps:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in table]
    write_atomically(path, lambda temporary: temporary.write_text("\n".join(lines) + "\n", encoding="ascii"))
