"""The types that message fields are made of: what each may hold, and the base of every map on the wire."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from protocol import limits
from protocol.poses import unpack_contacts, unpack_root, unpack_rotations

FLOAT32_SLACK: Final = 1e-6
SECONDS_SLACK: Final = 1.0 / limits.MIN_FRAME_RATE
"""A clip resampled from 9.8 s may be a frame longer than 9.8 s."""


@dataclass(frozen=True)
class Between:
    """A number from low to high. Rounding to float32 may carry it just past a bound; it is then taken as the bound."""

    low: float
    high: float

    def check(self, value: float) -> float:
        """The value within the bounds; ValueError when it is not."""
        if not self.low - FLOAT32_SLACK <= value <= self.high + FLOAT32_SLACK:
            raise ValueError(f"must be {self.low:g} to {self.high:g}")
        return min(max(value, self.low), self.high)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "minimum": self.low, "maximum": self.high}


def _block(unpack: Callable[[bytes, int, str], object]) -> AfterValidator:
    """Checks a pose block against the `count` and `encoding` declared before it."""

    def check(block: bytes, info: ValidationInfo) -> bytes:
        if "count" in info.data and "encoding" in info.data:
            unpack(block, info.data["count"], info.data["encoding"])
        return block

    return AfterValidator(check)


def edit_length(count: int, info: ValidationInfo) -> int:
    """Checks that `count` frames at the `frame_rate` declared before it last as long as a prompt may."""
    rate = info.data.get("frame_rate")
    if rate and not limits.MIN_SECONDS <= count / rate <= limits.MAX_SECONDS + SECONDS_SLACK:
        raise ValueError(
            f"{count} frames at {rate:g} per second last {count / rate:.2f} s; "
            f"the limit is {limits.MIN_SECONDS} to {limits.MAX_SECONDS} s"
        )
    return count


def ordered_ranges(ranges: tuple[tuple[int, int], ...], info: ValidationInfo) -> tuple[tuple[int, int], ...]:
    """Checks that half-open ranges are in order, disjoint, not empty, and within the `count` declared before them."""
    count = info.data.get("count", limits.MAX_FRAMES)
    earliest = 0
    for start, end in ranges:
        if not earliest <= start < end <= count:
            raise ValueError(
                f"range [{start}, {end}) must not be empty, must start at {earliest} or later and end by {count}"
            )
        earliest = end
    return ranges


Name = Annotated[str, StringConstraints(min_length=1, max_length=limits.MAX_NAME_CHARACTERS)]
Label = Annotated[str, StringConstraints(max_length=limits.MAX_NAME_CHARACTERS)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=limits.MAX_TEXT_CHARACTERS)]
Token = Annotated[str, StringConstraints(max_length=limits.MAX_TOKEN_CHARACTERS)]
Seconds = Annotated[float, Between(limits.MIN_SECONDS, limits.MAX_SECONDS)]
Seed = Annotated[int, Field(ge=0, le=limits.MAX_SEED)]
Guidance = Annotated[float, Between(0.0, limits.MAX_GUIDANCE)]
Heading = Annotated[float, Between(-math.pi, math.pi)]
Speed = Annotated[float, Between(0.0, limits.MAX_SPEED)]
Metres = Annotated[float, Between(-limits.MAX_ROOT_METRES, limits.MAX_ROOT_METRES)]
Waypoints = Annotated[tuple[tuple[Metres, Metres], ...], Field(min_length=1, max_length=limits.MAX_WAYPOINTS)]
Steps = Annotated[int, Field(ge=1, le=limits.MAX_STEPS)]
FrameRate = Annotated[float, Between(limits.MIN_FRAME_RATE, limits.MAX_FRAME_RATE)]
FrameIndex = Annotated[int, Field(ge=0, le=limits.MAX_FRAME_INDEX)]
FrameCount = Annotated[int, Field(ge=1, le=limits.MAX_FRAMES)]
Natural = Annotated[int, Field(ge=0, le=limits.MAX_FRAME_INDEX)]
RootBlock = Annotated[bytes, _block(lambda block, count, _: unpack_root(block, count))]
RotationBlock = Annotated[bytes, _block(unpack_rotations)]
ContactBlock = Annotated[bytes, _block(lambda block, count, _: unpack_contacts(block, count))]

Mode = Literal["replace", "queue"]
OnEnd = Literal["idle", "repeat", "hold"]
Action = Literal["pause", "resume", "stop", "remove", "root_motion_on", "root_motion_off"]
Status = Literal["accepted", "started", "finished", "cancelled", "failed"]


class Model(BaseModel):
    """What all maps on the wire share."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _nil_is_absent(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data
