"""The golden vectors as files; README.md beside this file says how to run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from protocol.coordinates import TARGETS
from protocol.messages import Clip, Edit, Frames
from protocol.vectors.cases import UNIT_QUATERNIONS, ValidCase, alternative_cases, valid_cases
from protocol.vectors.malformed import MalformedCase, malformed_cases
from protocol.vectors.retarget_cases import retarget_cases

VECTORS_PATH = Path(__file__).parent


def vector_files() -> dict[str, bytes]:
    """Path within vectors/ -> contents, of every generated file."""
    files = {"coordinates.json": _json(coordinates())}
    for folder, cases in (("valid", valid_cases()), ("alternative", alternative_cases())):
        for case in cases:
            files |= _case_files(f"{folder}/{case.name}", case.data, valid_meaning(case))
    for bad in malformed_cases():
        files |= _case_files(f"malformed/{bad.name}", bad.data, malformed_meaning(bad))
    files |= {f"retarget/{name}.json": _json(case) for name, case in retarget_cases().items()}
    return files


def valid_meaning(case: ValidCase) -> dict[str, Any]:
    """What the JSON beside a valid message says; binary fields as {"$hex": …}, poses also as numbers."""
    meaning: dict[str, Any] = {"from": case.side, "canonical": case.canonical}
    meaning["message"] = _plain(case.message.model_dump(exclude_none=True))
    if isinstance(case.message, Frames | Clip | Edit):
        poses = case.message.poses()
        meaning["poses"] = {
            "root": poses.root.tolist(),
            "rotations": poses.rotations.tolist(),
            "contacts": poses.contacts.tolist(),
        }
    return meaning


def malformed_meaning(case: MalformedCase) -> dict[str, Any]:
    """What the JSON beside a malformed message says."""
    return {
        "from": case.side,
        "code": case.code.value,
        "field": case.field,
        "id": case.id,
        "max_bytes": case.max_bytes,
    }


def coordinates() -> list[dict[str, Any]]:
    """A position and a rotation on the wire, and in each target's axes."""
    position = np.array([0.25, 0.9375, -1.5])
    return [
        {
            "position": position.tolist(),
            "rotation": rotation.tolist(),
            **{
                name: {"position": axes.position(position).tolist(), "rotation": axes.rotation(rotation).tolist()}
                for name, axes in TARGETS.items()
            },
        }
        for rotation in UNIT_QUATERNIONS
    ]


def write_vectors(folder: Path) -> None:
    """Writes every generated file below a folder, and removes generated files of cases that are gone."""
    files = vector_files()
    stale = {path for path in folder.rglob("*") if path.suffix in {".bin", ".hex", ".json"}}
    for path in stale - {folder / name for name in files}:
        path.unlink()
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)


def _case_files(stem: str, data: bytes, meaning: dict[str, Any]) -> dict[str, bytes]:
    return {f"{stem}.bin": data, f"{stem}.hex": data.hex().encode() + b"\n", f"{stem}.json": _json(meaning)}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$hex": value.hex()}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
