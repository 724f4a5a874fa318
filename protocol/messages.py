"""One model per message, and the two unions: what a client may send, what a server may send.

Models are strict (an integer is not a string), ignore unknown keys, treat nil as absent, and are frozen. They check
everything that a single message can show; what needs a session (unknown characters, full queues) is the server's.
Meaning, units and defaults of every field: SPEC.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

import numpy as np
from pydantic import AfterValidator, Field, StringConstraints

from protocol import limits
from protocol.fields import (
    Action,
    ContactBlock,
    FrameCount,
    FrameIndex,
    FrameRate,
    Guidance,
    Heading,
    Label,
    Mode,
    Model,
    Name,
    Natural,
    OnEnd,
    RootBlock,
    RotationBlock,
    Seconds,
    Seed,
    Speed,
    Status,
    Steps,
    Text,
    Token,
    Waypoints,
    edit_length,
    ordered_ranges,
)
from protocol.poses import Encoding, Poses, unpack_poses
from protocol.skeleton import Skeleton


class Hello(Model):
    """First message of a client."""

    type: Literal["hello"] = "hello"
    version: Annotated[int, Field(ge=1)]
    client: Label = ""
    client_version: Label = ""
    token: Token | None = None
    frame_rate: FrameRate = limits.DEFAULT_FRAME_RATE
    encoding: Encoding = "float32"
    resume: Token | None = None
    received: Natural | None = None


class Prompt(Model):
    """A sentence for one character."""

    type: Literal["prompt"] = "prompt"
    character: Name = limits.DEFAULT_CHARACTER
    id: Name
    text: Text
    seconds: Seconds | None = None
    seed: Seed | None = None
    guidance: Guidance | None = None
    mode: Mode = "replace"
    on_end: OnEnd = "idle"


class TimelinePrompt(Model):
    """One entry of `timeline.prompts`."""

    id: Name
    text: Text
    seconds: Seconds | None = None
    seed: Seed | None = None
    guidance: Guidance | None = None


def _distinct_ids(prompts: tuple[TimelinePrompt, ...]) -> tuple[TimelinePrompt, ...]:
    ids = [prompt.id for prompt in prompts]
    if len(set(ids)) != len(ids):
        raise ValueError(f"prompt ids must differ, got {', '.join(ids)}")
    return prompts


class Timeline(Model):
    """Several sentences for one character, played in order."""

    type: Literal["timeline"] = "timeline"
    character: Name = limits.DEFAULT_CHARACTER
    id: Name | None = None
    prompts: Annotated[
        tuple[TimelinePrompt, ...],
        Field(min_length=1, max_length=limits.MAX_TIMELINE_PROMPTS),
        AfterValidator(_distinct_ids),
    ]
    mode: Mode = "replace"
    on_end: OnEnd = "idle"


class Steer(Model):
    """Where a walking character goes: way-points (x, z in metres), then a heading (radians about +Y, 0 faces +Z, positive
    toward +X); and its speed (m/s)."""

    type: Literal["steer"] = "steer"
    character: Name = limits.DEFAULT_CHARACTER
    id: Name | None = None
    heading: Heading | None = None
    speed: Speed | None = None
    waypoints: Waypoints | None = None


class Control(Model):
    """Pause, resume, stop or remove a character; switch its root motion."""

    type: Literal["control"] = "control"
    character: Name = limits.DEFAULT_CHARACTER
    id: Name | None = None
    action: Action


class Playhead(Model):
    """What the client shows now: the flow control of one character's stream."""

    type: Literal["playhead"] = "playhead"
    character: Name = limits.DEFAULT_CHARACTER
    frame: FrameIndex
    buffered: Natural = 0


class Generate(Model):
    """A whole clip at once, answered by `clip`."""

    type: Literal["generate"] = "generate"
    id: Name
    text: Text
    seconds: Seconds | None = None
    frame_rate: FrameRate | None = None
    seed: Seed | None = None
    guidance: Guidance | None = None
    steps: Steps | None = None


class Edit(Model):
    """Temporal inpainting of a clip, answered by `clip`. ``ranges`` are half-open frame ranges, in order."""

    type: Literal["edit"] = "edit"
    id: Name
    text: Text
    seed: Seed | None = None
    guidance: Guidance | None = None
    steps: Steps | None = None
    frame_rate: FrameRate
    count: Annotated[FrameCount, AfterValidator(edit_length)]
    ranges: Annotated[
        tuple[tuple[int, int], ...],
        Field(min_length=1, max_length=limits.MAX_EDIT_RANGES),
        AfterValidator(ordered_ranges),
    ]
    encoding: Encoding
    root: RootBlock
    rotations: RotationBlock
    contacts: ContactBlock

    def poses(self) -> Poses:
        """The clip to edit, decoded."""
        return unpack_poses(self.count, self.encoding, self.root, self.rotations, self.contacts)


class Joint(Model):
    """One joint of `welcome.skeleton`: ``parent`` is -1 for the root, ``offset`` metres from it in rest pose."""

    name: Name
    parent: Annotated[int, Field(ge=-1)]
    offset: tuple[float, float, float]


class SkeletonTable(Model):
    """The joint table as sent: parents before children; ``feet`` are the joints of the four contact bits."""

    name: Name
    joints: Annotated[tuple[Joint, ...], Field(min_length=1)]
    feet: tuple[Natural, Natural, Natural, Natural]

    @classmethod
    def of(cls, skeleton: Skeleton) -> SkeletonTable:
        """The wire form of a skeleton."""
        table = zip(skeleton.names, skeleton.parents, skeleton.offsets.tolist(), strict=True)
        joints = tuple(Joint(name=name, parent=parent, offset=tuple(offset)) for name, parent, offset in table)
        return cls(name=skeleton.name, joints=joints, feet=skeleton.feet)

    def skeleton(self) -> Skeleton:
        """The validated skeleton; SkeletonError when the table is not a tree."""
        names, parents = tuple(j.name for j in self.joints), tuple(j.parent for j in self.joints)
        return Skeleton(self.name, names, parents, np.array([j.offset for j in self.joints]), self.feet)


class Limits(Model):
    """What this server accepts; a server may allow less than the protocol does, never more."""

    text_characters: Natural = limits.MAX_TEXT_CHARACTERS
    seconds_min: float = limits.MIN_SECONDS
    seconds_max: float = limits.MAX_SECONDS
    frame_rate_min: float = limits.MIN_FRAME_RATE
    frame_rate_max: float = limits.MAX_FRAME_RATE
    message_bytes: Natural = limits.MAX_MESSAGE_BYTES
    messages_per_second: Natural = limits.MESSAGES_PER_SECOND
    characters: Natural = limits.MAX_CHARACTERS
    queued_prompts: Natural = limits.MAX_QUEUED_PROMPTS
    timeline_prompts: Natural = limits.MAX_TIMELINE_PROMPTS
    pending_requests: Natural = limits.MAX_PENDING_REQUESTS


class Welcome(Model):
    """First message of a server, the answer to `hello`."""

    type: Literal["welcome"] = "welcome"
    version: Annotated[int, Field(ge=1)]
    server: Label
    server_version: Label
    model: Label
    session: Name
    resume: Token | None = None
    resumed: bool = False
    characters: tuple[Name, ...] = ()
    supports: tuple[Name, ...]
    frame_rate: FrameRate
    encoding: Encoding
    model_frame_rate: float
    lead: Annotated[float, Field(ge=0.0)]
    limits: Limits
    skeleton: SkeletonTable


class PromptStatus(Model):
    """What became of a prompt. ``frame`` is its first frame when started, the frame after its last when finished."""

    type: Literal["prompt_status"] = "prompt_status"
    character: Name
    id: Name
    status: Status
    frame: FrameIndex | None = None
    seconds: float | None = None
    seed: Seed | None = None
    reason: Annotated[str, StringConstraints(max_length=limits.MAX_ERROR_CHARACTERS)] | None = None


class Frames(Model):
    """A run of a character's frames. The hot path packs and reads it without this model: see codec."""

    type: Literal["frames"] = "frames"
    character: Name
    first: FrameIndex
    frame_rate: FrameRate
    prompt: Name | None = None
    count: FrameCount
    encoding: Encoding
    root: RootBlock
    rotations: RotationBlock
    contacts: ContactBlock

    def poses(self) -> Poses:
        """The frames, decoded."""
        return unpack_poses(self.count, self.encoding, self.root, self.rotations, self.contacts)


class Clip(Model):
    """A whole motion: the answer to `generate` or `edit`."""

    type: Literal["clip"] = "clip"
    id: Name
    text: Text
    seed: Seed
    frame_rate: FrameRate
    count: FrameCount
    encoding: Encoding
    root: RootBlock
    rotations: RotationBlock
    contacts: ContactBlock

    def poses(self) -> Poses:
        """The clip, decoded."""
        return unpack_poses(self.count, self.encoding, self.root, self.rotations, self.contacts)


class Error(Model):
    """Something was refused or failed. ``id`` is that of the message at fault, ``field`` the path of its bad field."""

    type: Literal["error"] = "error"
    code: Name
    message: Annotated[str, StringConstraints(max_length=limits.MAX_ERROR_CHARACTERS)]
    id: Name | None = None
    character: Name | None = None
    field: Annotated[str, StringConstraints(max_length=limits.MAX_ERROR_CHARACTERS)] | None = None


class Stats(Model):
    """Figures about this connection, for display only."""

    type: Literal["stats"] = "stats"
    frames_sent: Natural
    frames_dropped: Natural
    generation_seconds: float | None = None


ClientMessage = Annotated[
    Hello | Prompt | Timeline | Steer | Control | Playhead | Generate | Edit, Field(discriminator="type")
]
ServerMessage = Annotated[Welcome | PromptStatus | Frames | Clip | Error | Stats, Field(discriminator="type")]
Message = ClientMessage | ServerMessage


def by_type(union: Any) -> dict[str, type[Model]]:
    """`type` value -> model, of `ClientMessage` or `ServerMessage`."""
    models = get_args(get_args(union)[0])
    return {model.model_fields["type"].default: model for model in models}


CLIENT_MODELS: Final = by_type(ClientMessage)
SERVER_MODELS: Final = by_type(ServerMessage)
