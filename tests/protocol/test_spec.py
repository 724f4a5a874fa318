"""The spec must say what the code does: every field, default, code, limit and table."""

import json
import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

import protocol
from protocol import limits
from protocol.coordinates import TARGETS
from protocol.errors import FATAL, CloseCode, ErrorCode
from protocol.messages import CLIENT_MODELS, SERVER_MODELS, Joint, Limits, SkeletonTable, TimelinePrompt
from protocol.skeleton import default_skeleton
from protocol.vectors.files import VECTORS_PATH

SPEC = (Path(protocol.__file__).parent / "SPEC.md").read_text(encoding="utf-8")
MAPS = {
    **CLIENT_MODELS,
    **SERVER_MODELS,
    "timeline.prompts[]": TimelinePrompt,
    "welcome.limits": Limits,
    "welcome.skeleton": SkeletonTable,
    "welcome.skeleton.joints[]": Joint,
}


def section(title):
    """The text below a heading, up to the next heading."""
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", SPEC, re.MULTILINE | re.DOTALL)
    assert match, f"SPEC.md has no section {title}"
    return match.group(1)


def tables(text):
    """Rows of cells of each table, without its header."""
    found = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    return [[[c.strip() for c in row.strip("|").split("|")] for row in table.splitlines()[2:]] for table in found]


def written_default(info):
    if info.default is PydanticUndefined:
        return "required"
    return "absent" if info.default is None else f"`{json.dumps(info.default)}`"


@pytest.mark.parametrize("name", MAPS)
def test_every_field_is_there_in_order_with_its_default(name):
    rows = [(cells[0].strip("`"), cells[2]) for cells in tables(section(f"`{name}`"))[0]]
    fields = {key: info for key, info in MAPS[name].model_fields.items() if key != "type"}
    assert rows == [(key, written_default(info)) for key, info in fields.items()]


def test_every_error_code_is_there_with_its_close_code():
    rows = {cells[0].strip("`"): cells[1] for cells in tables(section("Errors"))[0]}
    assert rows == {code.value: str(FATAL[code].value) if code in FATAL else "no" for code in ErrorCode}
    assert str(CloseCode.INTERNAL.value) in [cells[0] for cells in tables(section("Close codes"))[0]]


def test_every_limit_is_there_with_its_value():
    rows = {cells[0].strip("`"): float(cells[1]) for cells in tables(section("Limits"))[0]}
    numbers = {
        key.lower(): value for key, value in vars(limits).items() if key.isupper() and not isinstance(value, str)
    }
    assert rows == numbers


def test_actions_and_statuses_are_there():
    for name, key in (("control", "action"), ("prompt_status", "status")):
        rows = {cells[0].strip("`") for cells in tables(section(f"`{name}`"))[1]}
        assert rows == set(MAPS[name].model_json_schema()["properties"][key]["enum"])


def test_skeleton_table():
    cells = [row[start : start + 3] for row in tables(section("Skeleton"))[0] for start in (0, 3)]
    rows = {int(index): (name.strip("`"), -1 if parent == "–" else int(parent)) for index, name, parent in cells}
    skeleton = default_skeleton()
    assert [rows[i] for i in range(22)] == list(zip(skeleton.names, skeleton.parents, strict=True))


def test_coordinate_tables():
    def written(order, sign, rest=""):
        return "(" + ", ".join(("−" if s < 0 else "") + "xyz"[o] for o, s in zip(order, sign, strict=True)) + rest + ")"

    rows = [(cells[1], cells[2]) for cells in tables(section("Frame of reference"))[0]]
    assert rows == [
        (
            ("100·" if axes.scale == 100 else "") + written(axes.position_order, axes.position_sign),
            written(axes.rotation_order, axes.rotation_sign, ", w"),
        )
        for axes in TARGETS.values()
    ]


def test_the_worked_example_is_a_golden_message():
    block = re.search(r"```\n([0-9a-f\n]+)```", SPEC).group(1).replace("\n", "")
    assert bytes.fromhex(block) == (VECTORS_PATH / "valid" / "prompt.bin").read_bytes()
    assert json.dumps(json.loads((VECTORS_PATH / "valid" / "prompt.json").read_text())["message"]) in SPEC
