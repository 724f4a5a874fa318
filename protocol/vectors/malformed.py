"""The cases behind `vectors/malformed`: bytes that a reader must refuse, with what it must say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from protocol import limits
from protocol.errors import ErrorCode
from protocol.vectors.cases import Side, blocks, valid_cases


@dataclass(frozen=True)
class MalformedCase:
    """Bytes with the error code, the path of the field, and the echoed id that a reader must give."""

    name: str
    side: Side
    data: bytes
    code: ErrorCode
    field: str | None = None
    id: str | None = None
    max_bytes: int = limits.MAX_MESSAGE_BYTES


@dataclass(frozen=True)
class Change:
    """A valid message with fields changed; ``...`` as a value takes the field away."""

    name: str
    base: str
    fields: dict[str, Any]
    path: str = ""


def changes() -> list[Change]:
    """Messages that break one rule of one field; the path of the error is the first changed field unless given."""
    entry = {"id": "t1", "text": "a person walks"}
    short = blocks(16)
    zero = np.zeros((16, limits.JOINT_COUNT, 4), dtype="<f4").tobytes()
    nan_root = np.full((16, 3), np.nan, dtype="<f4").tobytes()
    far_root = np.full((16, 3), 2 * limits.MAX_ROOT_METRES, dtype="<f4").tobytes()
    return [
        Change("hello_version_missing", "hello", {"version": ...}),
        Change("hello_version_string", "hello", {"version": "1"}),
        Change("hello_version_zero", "hello", {"version": 0}),
        Change("hello_frame_rate_low", "hello", {"frame_rate": 9.5}),
        Change("hello_frame_rate_high", "hello", {"frame_rate": 121}),
        Change("hello_frame_rate_nan", "hello", {"frame_rate": math.nan}),
        Change("hello_encoding_unknown", "hello", {"encoding": "float16"}),
        Change("hello_token_long", "hello", {"token": "x" * (limits.MAX_TOKEN_CHARACTERS + 1)}),
        Change("prompt_text_missing", "prompt", {"text": ...}),
        Change("prompt_text_nil", "prompt", {"text": None}),
        Change("prompt_text_empty", "prompt", {"text": ""}),
        Change("prompt_text_blank", "prompt", {"text": " \t\n\u3000"}),
        Change("prompt_text_one_too_long", "prompt", {"text": "x" * (limits.MAX_TEXT_CHARACTERS + 1)}),
        Change("prompt_text_2000", "prompt", {"text": "walk " * 399 + "walks"}),
        Change("prompt_text_binary", "prompt", {"text": b"a person walks"}),
        Change("prompt_text_number", "prompt", {"text": 5}),
        Change("prompt_id_missing", "prompt", {"id": ...}),
        Change("prompt_id_empty", "prompt", {"id": ""}),
        Change("prompt_id_long", "prompt", {"id": "i" * (limits.MAX_NAME_CHARACTERS + 1)}),
        Change("prompt_id_number", "prompt", {"id": 1}),
        Change("prompt_character_empty", "prompt", {"character": ""}),
        Change("prompt_seconds_short", "prompt", {"seconds": 0.25}),
        Change("prompt_seconds_long", "prompt", {"seconds": 10}),
        Change("prompt_seconds_string", "prompt", {"seconds": "auto"}),
        Change("prompt_seconds_infinite", "prompt", {"seconds": math.inf}),
        Change("prompt_seconds_boolean", "prompt", {"seconds": True}),
        Change("prompt_seconds_timestamp", "prompt", {"seconds": msgpack.Timestamp(2, 0)}),
        Change("prompt_mode_extension", "prompt", {"mode": msgpack.ExtType(5, b"queue")}),
        Change("prompt_seed_negative", "prompt", {"seed": -1}),
        Change("prompt_seed_big", "prompt", {"seed": limits.MAX_SEED + 1}),
        Change("prompt_seed_float", "prompt", {"seed": 1.0}),
        Change("prompt_guidance_negative", "prompt", {"guidance": -0.5}),
        Change("prompt_mode_unknown", "prompt", {"mode": "later"}),
        Change("prompt_on_end_unknown", "prompt", {"on_end": "explode"}),
        Change("timeline_empty", "timeline", {"prompts": []}),
        Change("timeline_long", "timeline", {"prompts": [{**entry, "id": f"t{n}"} for n in range(33)]}),
        Change("timeline_same_ids", "timeline", {"prompts": [entry, entry]}),
        Change("timeline_map", "timeline", {"prompts": entry}),
        Change("timeline_text_empty", "timeline", {"prompts": [entry, {"id": "t2", "text": ""}]}, "prompts[1].text"),
        Change("steer_heading_large", "steer", {"heading": 3.5}),
        Change("steer_speed_negative", "steer", {"speed": -1}),
        Change("steer_waypoints_empty", "steer", {"waypoints": []}),
        Change("steer_waypoints_many", "steer", {"waypoints": [[0.0, 1.0]] * (limits.MAX_WAYPOINTS + 1)}),
        Change("steer_waypoint_triple", "steer", {"waypoints": [[0.0, 1.0, 2.0]]}, "waypoints[0]"),
        Change("steer_waypoint_far", "steer", {"waypoints": [[0.0, 100_001.0]]}, "waypoints[0][1]"),
        Change("steer_waypoint_string", "steer", {"waypoints": [["north", 1.0]]}, "waypoints[0][0]"),
        Change("control_action_missing", "control", {"action": ...}),
        Change("control_action_unknown", "control", {"action": "dance"}),
        Change("playhead_frame_negative", "playhead", {"frame": -1}),
        Change("playhead_frame_huge", "playhead", {"frame": limits.MAX_FRAME_INDEX + 1}),
        Change("playhead_buffered_negative", "playhead", {"buffered": -1}),
        Change("generate_frame_rate_high", "generate", {"frame_rate": 240.0}),
        Change("generate_steps_zero", "generate", {"steps": 0}),
        Change("edit_ranges_empty", "edit", {"ranges": []}),
        Change("edit_range_empty", "edit", {"ranges": [[4, 4]]}),
        Change("edit_range_backwards", "edit", {"ranges": [[8, 4]]}),
        Change("edit_ranges_overlap", "edit", {"ranges": [[0, 6], [5, 8]]}),
        Change("edit_range_beyond", "edit", {"ranges": [[4, 17]]}),
        Change("edit_range_triple", "edit", {"ranges": [[4, 8, 12]]}, "ranges[0]"),
        Change("edit_count_zero", "edit", {"count": 0}),
        Change("edit_too_short", "edit", {"count": 8, "ranges": [[0, 4]], **blocks(8)}),
        Change("edit_root_short", "edit", {"root": short["root"][:-1]}),
        Change("edit_root_nan", "edit", {"root": nan_root}),
        Change("edit_root_far", "edit", {"root": far_root}),
        Change("edit_rotations_zero", "edit", {"rotations": zero}),
        Change("edit_rotations_other_encoding", "edit", {"encoding": "int16"}, "rotations"),
        Change("edit_contacts_missing", "edit", {"contacts": ...}),
        Change("edit_contacts_string", "edit", {"contacts": "0" * 16}),
        Change("frames_first_negative", "frames", {"first": -1}),
        Change("frames_first_huge", "frames", {"first": limits.MAX_FRAME_INDEX + 1}),
        Change("frames_first_float", "frames", {"first": 0.0}),
        Change("frames_frame_rate_high", "frames", {"frame_rate": 120.5}),
        Change("frames_prompt_long", "frames", {"prompt": "p" * (limits.MAX_NAME_CHARACTERS + 1)}),
        Change("frames_count_zero", "frames", {"count": 0}),
        Change("frames_count_other", "frames", {"count": 2}, "root"),
        Change("frames_rotations_long", "frames", {"rotations": bytes(353)}),
        Change("frames_encoding_unknown", "frames", {"encoding": "float64"}),
        Change("frames_character_missing", "frames", {"character": ...}),
        Change("welcome_skeleton_missing", "welcome", {"skeleton": ...}),
        Change("prompt_status_unknown", "prompt_status", {"status": "pondering"}),
        Change("clip_seed_missing", "clip", {"seed": ...}),
        Change("error_message_missing", "error", {"message": ...}),
    ]


def malformed_cases() -> list[MalformedCase]:
    """Bytes that a reader must refuse, with what it must say."""
    canonical = {case.name: case for case in valid_cases()}
    cases = []
    for change in changes():
        base = canonical[change.base]
        fields = {**msgpack.unpackb(base.data), **change.fields}
        kept = {key: value for key, value in fields.items() if value is not ...}
        echo = kept.get("id") if isinstance(kept.get("id"), str) and 1 <= len(kept["id"]) <= 64 else None
        path = change.path or next(iter(change.fields))
        data = msgpack.packb(kept)
        cases.append(MalformedCase(change.name, base.side, data, ErrorCode.INVALID_FIELD, path, echo))
    prompt = canonical["prompt"].data
    deep: Any = 1
    for _ in range(limits.MAX_DEPTH):
        deep = [deep]
    broken = {
        "empty": b"",
        "half_a_message": prompt[: len(prompt) // 2],
        "one_byte_short": prompt[:-1],
        "trailing_byte": prompt + b"\xc0",
        "two_messages": prompt + prompt,
        "never_used_byte": b"\x81\xa4type\xc1",
        "not_utf8": b"\x81\xa4type\xa2\xff\xfe",
        "array": msgpack.packb(["prompt", "p1"]),
        "nil": b"\xc0",
        "json": b'{"type":"prompt"}',
        "no_type": msgpack.packb({"text": "a person walks"}),
        "type_number": msgpack.packb({"type": 1}),
        "type_binary": msgpack.packb({"type": b"prompt"}),
        "type_nil": msgpack.packb({"type": None}),
        "key_number": b"\x82\xa4type\xa6prompt\x01\x02",
        "map_claims_more": b"\xdf\xff\xff\xff\xff\xa4type\xa6prompt",
        "array_claims_more": b"\x82\xa4type\xa6prompt\xa1x\xdd\xff\xff\xff\xff",
        "string_claims_more": b"\x81\xa4type\xdb\xff\xff\xff\xffprompt",
        "binary_claims_more": b"\x81\xa4type\xc6\xff\xff\xff\xffprompt",
        "nested_too_deep": msgpack.packb({"type": "prompt", "x": deep}),
        "nested_a_thousandfold": b"\x82\xa4type\xa6prompt\xa1x" + b"\x91" * 1000 + b"\xc0",
        "too_many_values": msgpack.packb({"type": "prompt", "x": [[0] * 8192, [0] * 8192]}),
    }
    cases += [MalformedCase(name, "client", data, ErrorCode.MALFORMED) for name, data in broken.items()]
    unknown = {"unknown_type": "levitate", "a_server_message": "welcome", "type_other_case": "Prompt", "type_empty": ""}
    cases += [
        MalformedCase(name, "client", msgpack.packb({"type": kind, "id": "x1"}), ErrorCode.UNKNOWN_TYPE, "type", "x1")
        for name, kind in unknown.items()
    ]
    cases.append(MalformedCase("too_big", "client", prompt, ErrorCode.TOO_BIG, max_bytes=len(prompt) - 1))
    return cases
