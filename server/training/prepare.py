"""From motion files and captions to a prepared dataset: ``motionbridge prepare bvh|humanml3d|kit SRC DST``.

The BVH form, for one's own mocap as well, is a folder with

- ``clips.csv``: columns ``clip_id, file, start_s, end_s, split`` (train, val or test); further columns are kept out of the way.
  Frames ``round(start_s * fps)`` up to but not including ``round(end_s * fps)`` are used; fps is the file's own;
- ``captions.jsonl``: one object ``{"clip_id": ..., "captions": [...]}`` a line;
- the BVH files at ``file`` below the folder or its ``mocap`` folder, or inside ``mocap/<first part of file>.tar.xz``.

The prepared folder holds ``dataset.json``, ``features.npy`` (all clips one after the other, float32 (frames, C)),
``clips.jsonl`` (clip_id, split, group, start, frames, captions, of published data also their tokens ``word/TAG``) and ``dropped.csv``
with every clip or file that was left out, and why.
"""

from __future__ import annotations

import csv
import json
import lzma
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from protocol.skeleton import default_skeleton
from server.motion import bvh, joint_map, kinematics, mirror, resample, solver
from server.motion.features import HUMANML3D, KIT, FeatureLayout, extract
from server.motion.rotation import Array

MIN_FRAMES, MAX_FRAMES = 36, 196  # 1.8 s, just under a window of 2 s; 9.8 s, the published models' longest
# Squared metres per frame at 20 fps: 0.45 m/s. The published 0.002 (0.9 m/s) calls a stepping foot planted.
BVH_CONTACT_THRESHOLD = 0.0005
FEAT_BIAS = 5.0
_SPLITS = ("train", "val", "test")


class PrepareError(ValueError):
    """Input that cannot be prepared at all; the message names the file and the remedy."""


@dataclass
class _Clip:
    clip_id: str
    split: str
    group: str
    captions: list[str]
    features: Array
    tokens: list[list[str]] = field(default_factory=list)


@dataclass
class PreparedReport:
    """What was kept (frames at the model's rate, mirrored clips included) and what was dropped, with reasons."""

    clips: int = 0
    frames: int = 0
    dropped: list[tuple[str, str]] = field(default_factory=list)

    def drop(self, what: str, why: str) -> None:
        self.dropped.append((what, why))


def prepare_bvh(source: Path, target: Path, *, map_path: Path | None = None, mirrored: bool = True) -> PreparedReport:
    """Prepare the CSV/JSONL form described above; every caption's left and right swap in the mirrored copies."""
    rows = _read_clips(source / "clips.csv")
    captions = _read_captions(source / "captions.jsonl")
    report = PreparedReport()
    layout = replace(HUMANML3D, contact_threshold=BVH_CONTACT_THRESHOLD)
    by_file: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["clip_id"] in captions:
            by_file.setdefault(row["file"], []).append(row)
        else:
            report.drop(row["clip_id"], "no captions for this clip_id in captions.jsonl")
    for clip_id in sorted(set(captions) - {row["clip_id"] for row in rows}):
        report.drop(clip_id, "captions without a clip of this clip_id in clips.csv")
    given_map = joint_map.load_joint_map(map_path) if map_path else None
    clips: list[_Clip] = []
    seen: set[str] = set()
    for name, text in tqdm(
        bvh_texts(source, set(by_file)), total=len(by_file), unit="file", desc="prepare", disable=None
    ):
        seen.add(name)
        if name not in by_file:
            report.drop(name, "not listed in clips.csv")
            continue
        try:
            motion = bvh.parse_bvh(text, name)
            mapping = given_map or joint_map.detect(motion)
            for row in by_file[name]:
                clips += _bvh_clip(motion, mapping, row, captions[row["clip_id"]], layout, mirrored, report)
        except (bvh.BvhError, joint_map.JointMapError) as error:
            why = str(error) if isinstance(error, bvh.BvhError) else f"{name}: {error}"
            for row in by_file[name]:
                report.drop(row["clip_id"], why)
    for name in sorted(set(by_file) - seen):
        report.drop(name, f"file not found below {source.name}, its mocap folder or its archives")
    return _write(target, clips, layout, report, source_kind="bvh")


def _bvh_clip(
    motion: bvh.BvhClip,
    mapping: joint_map.JointMap,
    row: dict[str, str],
    captions: list[str],
    layout: FeatureLayout,
    mirrored: bool,
    report: PreparedReport,
) -> list[_Clip]:
    skeleton = default_skeleton()
    fps = 1.0 / motion.frame_time
    start, stop = round(float(row["start_s"]) * fps), round(float(row["end_s"]) * fps)
    if not 0 <= start < stop <= len(motion.values):
        report.drop(row["clip_id"], f"frames {start}..{stop} are outside the file's {len(motion.values)}")
        return []
    positions = mapping.apply(motion, start, stop)
    positions = resample.sample_vectors(positions, resample.sample_times(len(positions), fps, layout.fps))
    if len(positions) - 1 < MIN_FRAMES:
        report.drop(
            row["clip_id"], f"{len(positions) - 1} frames at {layout.fps:g} fps; at least {MIN_FRAMES} are needed"
        )
        return []
    solved = solver.retarget_positions(positions[: MAX_FRAMES + 1], skeleton)
    positions = kinematics.positions(solved.local, solved.root, skeleton)
    group = group_of(row["file"])
    clips = [_Clip(row["clip_id"], row["split"], group, captions, extract(positions, layout).features)]
    if mirrored:
        flipped = extract(mirror.mirror_positions(positions, skeleton), layout).features
        swapped = [mirror.mirror_caption(text) for text in captions]
        clips.append(_Clip(f"{row['clip_id']}{mirror.MIRRORED}", row["split"], group, swapped, flipped))
    return clips


def group_of(file: str) -> str:
    """The group of the clips of a motion file: its name without the number of the take."""
    return re.sub(r"[_-]?\d+$", "", Path(file).stem)


def prepare_published(source: Path, target: Path, layout: FeatureLayout) -> PreparedReport:
    """Prepare a HumanML3D or KIT-ML folder as its authors lay it out: ``new_joint_vecs``, ``texts``, ``train.txt`` and so on.

    A caption with its own start and end time becomes a clip of its own, as in the original.
    """
    report = PreparedReport()
    clips: list[_Clip] = []
    minimum = 40 if layout is HUMANML3D else 24
    for split in _SPLITS:
        listing = source / f"{split}.txt"
        if not listing.is_file():
            raise PrepareError(
                f"{listing} is missing; SRC must be the folder that holds new_joint_vecs, texts and {split}.txt"
            )
        names = listing.read_text(encoding="utf-8").split()
        for name in tqdm(names, unit="clip", desc=f"prepare {split}", disable=None):
            try:
                features = np.load(source / "new_joint_vecs" / f"{name}.npy", allow_pickle=False)
                lines = (source / "texts" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
            except (OSError, ValueError) as error:
                report.drop(name, f"cannot be read: {error}")
                continue
            if features.ndim != 2 or features.shape[1] != layout.channels or not np.isfinite(features).all():
                report.drop(name, f"features {features.shape}; expected (frames, {layout.channels}), all finite")
                continue
            clips += _published_clips(name, split, features, lines, layout, minimum, report)
    return _write(target, clips, layout, report, source_kind=layout.name)


def _published_clips(
    name: str,
    split: str,
    features: Array,
    lines: list[str],
    layout: FeatureLayout,
    minimum: int,
    report: PreparedReport,
) -> list[_Clip]:
    whole: list[str] = []
    whole_tokens: list[list[str]] = []
    clips: list[_Clip] = []
    for number, line in enumerate(lines):
        parts = line.strip().split("#")
        if len(parts) != 4:
            report.drop(f"{name} line {number + 1}", "expected caption#tokens#start#end")
            continue
        start, end = (0.0 if part == "nan" else float(part) for part in parts[2:])
        if start == end == 0.0:
            whole.append(parts[0])
            whole_tokens.append(parts[1].split())
            continue
        cut = features[int(start * layout.fps) : int(end * layout.fps)]
        if minimum <= len(cut) < 200:
            clips.append(_Clip(f"{name}_{number}", split, name, [parts[0]], cut[:MAX_FRAMES], [parts[1].split()]))
        else:
            report.drop(f"{name} line {number + 1}", f"{len(cut)} frames; {minimum}..199 are used")
    if whole and minimum <= len(features) < 200:
        clips.append(_Clip(name, split, name, whole, features[:MAX_FRAMES], whole_tokens))
    elif whole:
        report.drop(name, f"{len(features)} frames; {minimum}..199 are used")
    return clips


def prepare(
    kind: str, source: Path, target: Path, map_path: Path | None = None, mirrored: bool = True
) -> PreparedReport:
    """Dispatch by kind: "bvh", "humanml3d" or "kit"."""
    if not source.is_dir():
        raise PrepareError(f"{source} is not a folder")
    if kind == "bvh":
        return prepare_bvh(source, target, map_path=map_path, mirrored=mirrored)
    return prepare_published(source, target, {"humanml3d": HUMANML3D, "kit": KIT}[kind])


def normalisation(features: Array, layout: FeatureLayout) -> tuple[Array, Array]:
    """Mean and std (C,) with one std per kind of channel; root and contacts weigh :data:`FEAT_BIAS` times more."""
    mean, std = features.mean(axis=0), features.std(axis=0)
    root = (layout.yaw_velocity, layout.root_velocity, layout.root_height)
    for part in (*root, layout.local_positions, layout.rotations, layout.velocities, layout.contacts):
        std[part] = max(float(std[part].mean()), 1e-5)
    for part in (*root, layout.contacts):
        std[part] /= FEAT_BIAS
    return mean.astype(np.float32), std.astype(np.float32)


def _write(
    target: Path, clips: list[_Clip], layout: FeatureLayout, report: PreparedReport, source_kind: str
) -> PreparedReport:
    target.mkdir(parents=True, exist_ok=True)
    with (target / "dropped.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("what", "why"), *report.dropped])
    train = [clip.features for clip in clips if clip.split == "train"]
    if not train:
        raise PrepareError(
            f"no training clip was left; {target / 'dropped.csv'} says why ({len(report.dropped)} entries)"
        )
    mean, std = normalisation(np.concatenate(train), layout)
    report.clips, report.frames = len(clips), sum(len(clip.features) for clip in clips)
    features = np.lib.format.open_memmap(
        target / "features.npy", mode="w+", dtype=np.float32, shape=(report.frames, layout.channels)
    )
    at = 0
    with (target / "clips.jsonl").open("w", encoding="utf-8") as handle:
        for clip in clips:
            count = len(clip.features)
            features[at : at + count] = clip.features
            row = {"clip_id": clip.clip_id, "split": clip.split, "group": clip.group, "start": at, "frames": count}
            texts = {"captions": clip.captions} | ({"tokens": clip.tokens} if clip.tokens else {})
            handle.write(json.dumps(row | texts) + "\n")
            at += count
    features.flush()
    meta = {"format": 1, "layout": layout.name, "fps": layout.fps, "contact_threshold": layout.contact_threshold}
    meta |= {"source": source_kind, "mean": mean.tolist(), "std": std.tolist()}
    (target / "dataset.json").write_text(json.dumps(meta), encoding="utf-8")
    return report


def _read_clips(path: Path) -> list[dict[str, str]]:
    needed = {"clip_id", "file", "start_s", "end_s", "split"}
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            missing = needed - set(reader.fieldnames or ())
            if missing:
                raise PrepareError(f"{path}: columns {', '.join(sorted(missing))} are missing")
            rows = list(reader)
    except OSError as error:
        raise PrepareError(f"{path} cannot be read: {error.strerror}") from error
    for number, row in enumerate(rows, start=2):
        if row["split"] not in _SPLITS:
            raise PrepareError(f"{path}, line {number}: split is {row['split']!r}; it must be train, val or test")
        try:
            float(row["start_s"]), float(row["end_s"])
        except (TypeError, ValueError):
            raise PrepareError(f"{path}, line {number}: start_s and end_s must be seconds") from None
    return rows


def _read_captions(path: Path) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise PrepareError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PrepareError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            texts = [str(text).strip() for text in row["captions"] if str(text).strip()]
            if not texts:
                raise ValueError("no captions")
            captions[str(row["clip_id"])] = texts
        except (ValueError, KeyError, TypeError) as error:
            raise PrepareError(
                f'{path}, line {number}: expected {{"clip_id": ..., "captions": [...]}}: {error}'
            ) from error
    return captions


def bvh_texts(source: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Names and texts of the wanted files that lie in folders, then of all BVH members of the archives."""
    found: set[str] = set()
    for name in sorted(wanted):
        for path in (source / name, source / "mocap" / name):
            if path.is_file():
                found.add(name)
                yield name, path.read_text(encoding="utf-8", errors="replace")
                break
    for archive in sorted((source / "mocap").glob("*.tar.xz")):
        try:
            with tarfile.open(archive, "r|xz") as tar:
                for member in tar:
                    if member.isfile() and member.name.endswith(".bvh") and member.name not in found:
                        handle = tar.extractfile(member)
                        if handle and member.size <= bvh.MAX_FILE_BYTES:
                            yield member.name, handle.read().decode("utf-8", errors="replace")
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise PrepareError(f"{archive} is damaged ({error}); copy it again") from error
