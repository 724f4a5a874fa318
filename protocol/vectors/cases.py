"""The cases behind `vectors/`: valid messages, and other encodings of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgpack
import numpy as np

from protocol import limits
from protocol.codec import encode
from protocol.messages import (
    Clip,
    Control,
    Edit,
    Error,
    Frames,
    Generate,
    Hello,
    Limits,
    Message,
    Playhead,
    Prompt,
    PromptStatus,
    SkeletonTable,
    Stats,
    Steer,
    Timeline,
    TimelinePrompt,
    Welcome,
)
from protocol.poses import Encoding, Poses, pack_poses
from protocol.skeleton import default_skeleton
from protocol.vectors.encodings import Style, write

Side = Literal["client", "server"]

UNIT_QUATERNIONS: Final = np.array(
    [
        [0, 0, 0, 1],
        [0.5, 0.5, 0.5, 0.5],
        [0.6, 0, 0, 0.8],
        [0, -0.6, 0, 0.8],
        [2 / 9, 4 / 9, 5 / 9, 6 / 9],
        [-1 / 6, 1 / 6, 3 / 6, 5 / 6],
        [4 / 7, -4 / 7, 1 / 7, 4 / 7],
    ]
)
"""Rational, so that every platform rounds them alike."""


@dataclass(frozen=True)
class ValidCase:
    """Bytes with the message they mean; ``canonical`` when they are what a writer of this project produces."""

    name: str
    side: Side
    data: bytes
    message: Message
    canonical: bool = True


def example_poses(count: int, seed: int = 0) -> Poses:
    """Poses that are not motion but differ in every number, so that a swapped axis or joint shows."""
    frame, joint = np.arange(count)[:, None], np.arange(limits.JOINT_COUNT)[None, :]
    root = np.array([0.25, 0.9375, -1.5]) + np.arange(count)[:, None] * np.array([0.015625, 0.0, 0.03125])
    rotations = UNIT_QUATERNIONS[(seed + frame * 3 + joint) % len(UNIT_QUATERNIONS)]
    contacts = (np.arange(count) + seed + 1) % 16
    return Poses(root.astype(np.float32), rotations.astype(np.float32), contacts.astype(np.uint8))


def blocks(count: int, encoding: Encoding = "float32", seed: int = 0) -> dict[str, Any]:
    """`count`, `encoding` and the three pose blocks of example poses, as fields of a message."""
    root, rotations, contacts = pack_poses(example_poses(count, seed), encoding)
    return {"count": count, "encoding": encoding, "root": root, "rotations": rotations, "contacts": contacts}


def client_messages() -> dict[str, Message]:
    """Every client message, least and fullest."""
    entries = (
        TimelinePrompt(id="t1", text="a person walks forward", seconds=4.0),
        TimelinePrompt(id="t2", text="then waves with the left hand", seed=7, guidance=4.5),
    )
    return {
        "hello": Hello(version=1),
        "hello_full": Hello(
            version=1,
            client="unity",
            client_version="0.1.0",
            token="s3cret",
            frame_rate=59.94,
            encoding="int16",
            resume="3f2a",
        ),
        "hello_resume": Hello(version=1, resume="3f2a", received=1234),
        "hello_other_version": Hello(version=2, client="from the future"),
        "prompt": Prompt(id="p1", text="a person walks forward"),
        "prompt_full": Prompt(
            character="hero",
            id="p2",
            text="a person waves with the right hand",
            seconds=3.5,
            seed=limits.MAX_SEED,
            guidance=4.0,
            mode="queue",
            on_end="repeat",
        ),
        "prompt_unicode": Prompt(character="héros", id="p3", text="une personne salue 👋 手を振る"),
        "prompt_longest_text": Prompt(id="p4", text="walk " * 99 + "walks"),
        "timeline": Timeline(prompts=entries[:1]),
        "timeline_full": Timeline(character="hero", id="r1", prompts=entries, mode="queue", on_end="hold"),
        "steer": Steer(),
        "steer_full": Steer(character="hero", id="r2", heading=-1.5, speed=1.25),
        "steer_waypoints": Steer(heading=0.5, waypoints=((2.0, 3.5), (-1.25, 6.0))),
        "control": Control(action="pause"),
        "control_full": Control(character="hero", id="r3", action="root_motion_off"),
        "playhead": Playhead(frame=0),
        "playhead_full": Playhead(character="hero", frame=limits.MAX_FRAME_INDEX, buffered=12),
        "generate": Generate(id="g1", text="a person bows"),
        "generate_full": Generate(
            id="g2", text="a person bows", seconds=2.0, frame_rate=60.0, seed=1, guidance=4.0, steps=10
        ),
        "edit": Edit(id="e1", text="a person kicks", frame_rate=20.0, ranges=((4, 12),), **blocks(16)),
        "edit_full": Edit(
            id="e2",
            text="a person kicks",
            seed=3,
            guidance=2.5,
            steps=18,
            frame_rate=20.0,
            ranges=((0, 4), (4, 8), (12, 16)),
            **blocks(16, "int16", seed=2),
        ),
    }


def server_messages() -> dict[str, Message]:
    """Every server message, least and fullest."""
    skeleton = SkeletonTable.of(default_skeleton())
    welcome = Welcome(
        version=1,
        server="motionbridge",
        server_version="0.1.0",
        model="embedded",
        session="5d41402a",
        supports=("prompt", "timeline", "control", "playhead", "generate", "edit"),
        frame_rate=30.0,
        encoding="float32",
        model_frame_rate=limits.MODEL_FRAME_RATE,
        lead=limits.DEFAULT_LEAD_SECONDS,
        limits=Limits(),
        skeleton=skeleton,
    )
    resumed = {"resume": "3f2a", "resumed": True, "characters": ("hero", "crowd 1"), "encoding": "int16"}
    return {
        "welcome": welcome,
        "welcome_resumed": welcome.model_copy(update=resumed),
        "prompt_status": PromptStatus(character="hero", id="p1", status="accepted"),
        "prompt_status_started": PromptStatus(
            character="hero", id="p1", status="started", frame=45, seconds=3.6, seed=99
        ),
        "prompt_status_finished": PromptStatus(character="hero", id="p1", status="finished", frame=153),
        "prompt_status_cancelled": PromptStatus(character="hero", id="p1", status="cancelled", reason="replaced by p2"),
        "prompt_status_failed": PromptStatus(character="hero", id="p1", status="failed", reason="out of memory"),
        "frames": Frames(character="main", first=0, frame_rate=30.0, **blocks(1)),
        "frames_full": Frames(character="hero", first=70_000, frame_rate=59.94, prompt="p1", **blocks(3, seed=1)),
        "frames_int16": Frames(character="hero", first=300, frame_rate=30.0, prompt="p1", **blocks(3, "int16", 4)),
        "clip": Clip(id="g1", text="a person bows", seed=5, frame_rate=20.0, **blocks(12)),
        "clip_int16": Clip(id="g1", text="a person bows", seed=5, frame_rate=20.0, **blocks(12, "int16", 3)),
        "error": Error(code="rate_limited", message="more than 100 messages in a second"),
        "error_full": Error(
            code="invalid_field", message="prompt.text: too long", id="p1", character="hero", field="text"
        ),
        "error_unknown_code": Error(code="a_code_of_a_later_version", message="readers show the message"),
        "stats": Stats(frames_sent=900, frames_dropped=3),
        "stats_full": Stats(frames_sent=900, frames_dropped=3, generation_seconds=0.125),
    }


def valid_cases() -> list[ValidCase]:
    """Every message in the encoding that this project's writers use."""
    sides: tuple[tuple[Side, dict[str, Message]], ...] = (("client", client_messages()), ("server", server_messages()))
    return [
        ValidCase(name, side, encode(message), message)
        for side, messages in sides
        for name, message in messages.items()
    ]


def _with_extensions(case: ValidCase) -> ValidCase:
    """The message with an unknown key that holds extension values of every width, of types that mean something and not."""
    values = (
        b"\xd4\xfe\x00",  # fixext 1 of type -2
        b"\xd5\x80\x00\x00",  # fixext 2 of type -128
        b"\xd4\xff\x00",  # time stamps of a length that they never have,
        b"\xc7\x00\xff",
        b"\xc8\x00\x05\xff" + bytes(5),
        b"\xd7\xff" + b"\xff" * 8,  # and with more than a second of nanoseconds
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\xc9\x00\x00\x00\x01\x7f\xc1",  # ext 32 of type 127
        b"\xd8\xc8" + b"\xc1" * 16,  # fixext 16 of type -56
    )
    fields = msgpack.unpackb(case.data)
    entries = b"".join(map(msgpack.packb, (part for item in fields.items() for part in item)))
    unknown = msgpack.packb("future") + bytes([0x90 + len(values)]) + b"".join(values)
    head = msgpack.Packer().pack_map_header(len(fields) + 1)
    return replace(case, name=f"{case.name}_unknown_extensions", data=head + unknown + entries, canonical=False)


def alternative_cases() -> list[ValidCase]:
    """Other bytes with the same meaning as valid messages; readers accept all of them."""
    styles = {
        "widest": Style(),
        "signed": Style(16, 16, 16, 16, 64, signed=True),
        "float32": Style(str_bits=16, int_bits=32, float_bits=32),
        "whole_floats_as_integers": Style(str_bits=8, int_bits=64, float_bits=0),
    }
    subjects = ("prompt_full", "timeline", "playhead", "welcome", "frames", "stats_full")
    canonical = {case.name: case for case in valid_cases()}
    cases = [
        ValidCase(f"{name}_{style}", case.side, write(msgpack.unpackb(case.data), widths), case.message, False)
        for name, case in canonical.items()
        if name in subjects
        for style, widths in styles.items()
    ]
    for name in ("prompt", "welcome", "frames"):
        case = canonical[name]
        fields = msgpack.unpackb(case.data)
        unknown = {"future": {"deep": [1, {"er": msgpack.ExtType(7, b"\x01")}], "time": msgpack.Timestamp(1, 2)}}
        changes = {
            "reversed_keys": dict(reversed(fields.items())),
            "unknown_keys": {**unknown, **fields, "more": b"\x00"},
            "nil_is_absent": {**fields, "resume": None, "prompt": None, "seconds": None, "mode": None, "on_end": None},
        }
        cases += [
            ValidCase(f"{name}_{change}", case.side, msgpack.packb(changed), case.message, False)
            for change, changed in changes.items()
        ]
    prompt = canonical["prompt"]
    cases += [_with_extensions(canonical[name]) for name in ("prompt", "welcome", "frames")]
    doubled = b"\x84" + b"".join(
        map(msgpack.packb, ("text", "a person sits", "type", "prompt", "id", "p1", "text", "a person walks forward"))
    )
    longest = Prompt(id="p1", text="a person walks forward", seconds=limits.MAX_SECONDS)
    longest_data = encode(longest).replace(b"\xcb" + struct.pack(">d", 9.8), b"\xca" + struct.pack(">f", 9.8))
    spaced = msgpack.packb({"type": "prompt", "id": "p1", "text": " \t\u3000a person walks forward\n"})
    defaults = msgpack.packb({"type": "prompt", "id": "p1", "text": "a person walks forward"})
    innermost: Any = 1
    for _ in range(limits.MAX_DEPTH - 1):
        innermost = [innermost]
    deep = msgpack.packb({"type": "prompt", "id": "p1", "text": "a person walks forward", "future": innermost})
    return [
        *cases,
        replace(prompt, name="prompt_nested_as_deep_as_allowed", data=deep, canonical=False),
        replace(prompt, name="prompt_repeated_key", data=doubled, canonical=False),
        replace(prompt, name="prompt_spaces_around_text", data=spaced, canonical=False),
        ValidCase("prompt_limit_rounded_to_float32", "client", longest_data, longest, False),
        replace(prompt, name="prompt_defaults_left_out", data=defaults, canonical=False),
    ]
