"""The golden files of protocol/vectors as plain words for the C++ tests, which have no JSON reader.

Words are apart by white space; text is hexadecimal; `-` is nothing. tests/unreal/support.h reads them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protocol import codec, vectors
from protocol.errors import ProtocolError

VECTORS = Path(vectors.__file__).parent
DECODERS = {"client": codec.decode_client, "server": codec.decode_server}
MUTATIONS = 4000
SEED = 11


def write_cases(folder: Path) -> None:
    """Writes one file for each kind of case into ``folder``."""
    files = {
        "good": good_cases(),
        "bad": bad_cases(),
        "corpus": (path.read_bytes().hex() for path in message_files()),
        "verdicts": verdicts(),
        "coordinates": coordinates(),
        "retarget": retarget_cases(),
    }
    for name, lines in files.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def message_files() -> list[Path]:
    """Every golden message that a reader must accept."""
    return sorted(path for folder in ("valid", "alternative") for path in (VECTORS / folder).glob("*.bin"))


def good_cases() -> Iterator[str]:
    """NAME FROM CANONICAL HEX, then `field PATH VALUE` lines, perhaps `poses COUNT` and numbers, then `end`."""
    for path in message_files():
        case = meaning(path)
        yield f"{path.parent.name}/{path.stem} {case['from']} {int(case['canonical'])} {path.read_bytes().hex()}"
        for name, value in flatten(case["message"]):
            yield f"field {name} {value}"
        if "poses" in case:
            poses = case["poses"]
            yield f"poses {len(poses['root'])}"
            for root, rotations, contacts in zip(poses["root"], poses["rotations"], poses["contacts"], strict=True):
                yield f"{words(root)} {words(rotations)} {contacts}"
        yield "end"


def bad_cases() -> Iterator[str]:
    """NAME FROM CODE FIELD ID MAX_BYTES HEX."""
    for path in sorted((VECTORS / "malformed").glob("*.bin")):
        case = meaning(path)
        name = case["id"].encode().hex() if case["id"] is not None else "-"
        data = path.read_bytes().hex() or "-"
        yield f"{path.stem} {case['from']} {case['code']} {case['field'] or '-'} {name} {case['max_bytes']} {data}"


def verdicts() -> Iterator[str]:
    """FROM CODE FIELD HEX of golden messages with a few bytes changed, as the Python codec judges them."""
    rng = random.Random(SEED)
    files = message_files()
    for _ in range(MUTATIONS):
        path = rng.choice(files)
        data = bytearray(path.read_bytes())
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data))
            data[at] = rng.choice((rng.randrange(256), data[at] ^ (1 << rng.randrange(8)), 0xC0, 0xCB, 0x00))
        sender = meaning(path)["from"]
        try:
            DECODERS[sender](bytes(data))
            code, field = "ok", "-"
        except ProtocolError as error:
            code, field = error.code.value, error.field or "-"
        if " " not in field and field.isascii():
            yield f"{sender} {code} {field} {data.hex()}"


def coordinates() -> Iterator[str]:
    """TARGET, position and rotation on the wire, position and rotation in the target's axes."""
    for case in json.loads((VECTORS / "coordinates.json").read_text(encoding="utf-8")):
        for target in ("unity", "unreal_actor", "unreal_mesh"):
            there = case[target]
            yield f"{target} {words([case['position'], case['rotation'], there['position'], there['rotation']])}"


def retarget_cases() -> Iterator[str]:
    """NAME AXES, then lists with their length first, in the order of protocol/vectors/README.md."""
    for path in sorted((VECTORS / "retarget").glob("*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        rig, source, expected = case["rig"], case["source"], case["expected"]
        names = [bone["name"] for bone in rig["bones"]]
        yield f"{path.stem} {rig['axes']} {len(names)}"
        for bone in rig["bones"]:
            yield f"{bone['name']} {bone['parent']} {words([bone['position'], bone['rotation']])}"
        yield str(len(rig["map"]))
        for entry in rig["map"]:
            yield words([entry["slot"], len(entry["bones"]), *map(names.index, entry["bones"])])
        yield str(len(source["root"]))
        for root, rotations in zip(source["root"], source["rotations"], strict=True):
            yield words([root, rotations])
        yield words([expected["scale"], expected["rotations"], expected["pelvis"]])
        yield str(len(expected["directions"]))
        for entry in expected["directions"]:
            yield words([names.index(entry["from"]), names.index(entry["to"]), entry["direction"]])
        yield str(expected["degrees_without_alignment"])


def meaning(path: Path) -> dict[str, Any]:
    """The JSON beside a golden message."""
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def words(values: Any) -> str:
    """Nested lists as words."""
    return " ".join(map(words, values)) if isinstance(values, list) else str(values)


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, typed value) of everything in a message: s text, x binary, b boolean, i integer, r number."""
    if isinstance(value, dict) and set(value) == {"$hex"}:
        yield path, f"x:{value['$hex']}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, f"s:{value.encode().hex()}"
    elif isinstance(value, bool):
        yield path, f"b:{int(value)}"
    else:
        yield path, f"i:{value}" if isinstance(value, int) else f"r:{value:.17g}"
