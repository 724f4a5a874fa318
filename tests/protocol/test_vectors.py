"""Conformance: the golden files on disk, read as any language would read them."""

import json
from pathlib import Path

import numpy as np
import pytest

from protocol import codec, vectors
from protocol.coordinates import TARGETS
from protocol.errors import ProtocolError
from protocol.messages import CLIENT_MODELS, SERVER_MODELS
from protocol.vectors.files import vector_files, write_vectors

FOLDER = Path(vectors.__file__).parent
DECODERS = {"client": codec.decode_client, "server": codec.decode_server}


def cases(*folders):
    return [
        pytest.param(path.with_suffix(""), id=f"{folder}/{path.stem}")
        for folder in folders
        for path in sorted((FOLDER / folder).glob("*.json"))
    ]


def meaning(stem):
    return json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))


def from_json(value):
    if isinstance(value, dict):
        return bytes.fromhex(value["$hex"]) if set(value) == {"$hex"} else {k: from_json(v) for k, v in value.items()}
    return tuple(from_json(item) for item in value) if isinstance(value, list) else value


def test_files_are_what_the_generator_writes():
    on_disk = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.suffix in {".bin", ".hex", ".json"}
    }
    expected = vector_files()
    assert sorted(on_disk) == sorted(expected), "run `python -m protocol.vectors`"
    stale = [name for name in expected if on_disk[name] != expected[name]]
    assert not stale, "run `python -m protocol.vectors`"


def test_writer_removes_files_of_cases_that_are_gone(tmp_path):
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "gone.bin").write_bytes(b"")
    (tmp_path / "README.md").write_text("stays")
    write_vectors(tmp_path)
    assert not (tmp_path / "valid" / "gone.bin").exists()
    assert (tmp_path / "README.md").exists()
    assert (tmp_path / "valid" / "prompt.bin").exists()


def test_every_message_type_has_a_vector():
    types = {(m := meaning(case.values[0]))["from"] + "/" + m["message"]["type"] for case in cases("valid")}
    assert types == {f"client/{name}" for name in CLIENT_MODELS} | {f"server/{name}" for name in SERVER_MODELS}


@pytest.mark.parametrize("stem", cases("valid", "alternative", "malformed"))
def test_hex_equals_bin(stem):
    assert bytes.fromhex(stem.with_suffix(".hex").read_text()) == stem.with_suffix(".bin").read_bytes()


@pytest.mark.parametrize("stem", cases("valid", "alternative"))
def test_decodes_to_its_meaning(stem):
    expected, data = meaning(stem), stem.with_suffix(".bin").read_bytes()
    message = DECODERS[expected["from"]](data)
    assert message.model_dump(exclude_none=True) == from_json(expected["message"])
    assert (codec.encode(message) == data) == expected["canonical"]
    if "poses" in expected:
        poses = message.poses()
        tolerance = 0.0 if message.encoding == "float32" else 1e-6
        np.testing.assert_array_equal(poses.root, np.array(expected["poses"]["root"]))
        np.testing.assert_allclose(poses.rotations, expected["poses"]["rotations"], rtol=0, atol=tolerance)
        np.testing.assert_array_equal(poses.contacts, expected["poses"]["contacts"])


@pytest.mark.parametrize("stem", cases("malformed"))
def test_refuses_with_code_field_and_id(stem):
    expected, data = meaning(stem), stem.with_suffix(".bin").read_bytes()
    with pytest.raises(ProtocolError) as caught:
        DECODERS[expected["from"]](data, expected["max_bytes"])
    error = caught.value
    assert (error.code.value, error.field, error.request_id) == (expected["code"], expected["field"], expected["id"])
    assert codec.error_message(error).code == expected["code"]


@pytest.mark.parametrize("target", TARGETS)
def test_coordinate_vectors(target):
    for case in json.loads((FOLDER / "coordinates.json").read_text(encoding="utf-8")):
        axes = TARGETS[target]
        np.testing.assert_allclose(axes.position(np.array(case["position"])), case[target]["position"], atol=1e-12)
        np.testing.assert_allclose(axes.rotation(np.array(case["rotation"])), case[target]["rotation"], atol=1e-12)
