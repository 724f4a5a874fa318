"""What `motionbridge serve` can be told, with the limits of every value."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from protocol import limits


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``: `localhost`, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ServeConfig(BaseModel):
    """Settings of one server. Times in seconds; ValidationError says which value, which limit and what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = limits.DEFAULT_PORT
    """0 lets the system choose a free one."""
    token: Annotated[str, StringConstraints(min_length=1, max_length=limits.MAX_TOKEN_CHARACTERS)] | None = None
    """Secret that clients must send in `hello`."""
    insecure: bool = False
    """Allow a host that other machines reach, without a token."""
    origins: tuple[str, ...] = ()
    """Web pages (`https://host`) that may connect without a token, beside those of this machine."""

    max_connections: Annotated[int, Field(ge=1, le=4096)] = 64
    max_characters: Annotated[int, Field(ge=1, le=limits.MAX_CHARACTERS)] = limits.MAX_CHARACTERS
    """On one connection."""
    max_queued_prompts: Annotated[int, Field(ge=1, le=limits.MAX_QUEUED_PROMPTS)] = limits.MAX_QUEUED_PROMPTS
    max_pending_requests: Annotated[int, Field(ge=1, le=limits.MAX_PENDING_REQUESTS)] = limits.MAX_PENDING_REQUESTS

    resume_seconds: Annotated[float, Field(ge=0.0, le=3600.0)] = limits.RESUME_SECONDS
    """How long a session outlives its connection, for the client to come back; 0: not at all."""
    max_parked: Annotated[int, Field(ge=1, le=4096)] = 64
    """Sessions without a connection; more, and the one ends to which least had been sent: who drops often evicts no one else."""

    lead_seconds: Annotated[float, Field(ge=0.05, le=limits.MAX_AHEAD_SECONDS)] = limits.DEFAULT_LEAD_SECONDS
    """How far a client's stream is kept ahead of what it shows."""
    tick_seconds: Annotated[float, Field(ge=0.001, le=0.25)] = 1 / 30
    """Frames that fall due within one tick travel in one message."""
    reserve_seconds: Annotated[float, Field(ge=0.0, le=2.0)] = 0.1
    """Least time between a prompt and its splice; grows with the measured time that generation takes."""
    horizon_seconds: Annotated[float, Field(ge=0.5, le=20.0)] = 3.0
    """A timeline with less planned motion than this extends itself."""
    first_seconds: Annotated[float, Field(ge=limits.MIN_SECONDS, le=limits.MAX_SECONDS)] | None = 2.0
    """Of a new prompt so much is made and sent first, as that is done sooner, and then the rest; None: all at once."""
    half_life_seconds: Annotated[float, Field(ge=0.01, le=1.0)] = 0.1
    """In which half of a difference in pose decays at a splice."""
    foot_lock: bool = True
    """Feet in contact with the ground stay where they landed."""
    idle_text: Annotated[str, Field(min_length=1, max_length=limits.MAX_TEXT_CHARACTERS)] = (
        "a person stands still and breathes calmly"
    )
    idle_seconds: Annotated[float, Field(ge=limits.MIN_SECONDS, le=limits.MAX_SECONDS)] = 6.0

    batch_window_seconds: Annotated[float, Field(ge=0.0, le=0.25)] = 0.005
    """How long the model waits for more requests to share a batch."""
    max_batch: Annotated[int, Field(ge=1, le=256)] = 16
    max_waiting: Annotated[int, Field(ge=1, le=4096)] = 256
    """Requests waiting for the model; more are refused as `busy`."""

    hello_timeout: Annotated[float, Field(gt=0.0, le=60.0)] = limits.HELLO_TIMEOUT_SECONDS
    ping_seconds: Annotated[float, Field(gt=0.0, le=600.0)] = limits.PING_SECONDS
    open_timeout: Annotated[float, Field(gt=0.0, le=60.0)] = 10.0
    close_timeout: Annotated[float, Field(gt=0.0, le=60.0)] = 2.0
    send_timeout: Annotated[float, Field(gt=0.0, le=600.0)] = 20.0
    """A client that takes no data for so long is `too_slow`."""
    generation_timeout: Annotated[float, Field(gt=0.0, le=600.0)] = 60.0
    """A generation that takes longer has failed."""
    shutdown_timeout: Annotated[float, Field(gt=0.0, le=60.0)] = 5.0

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not (is_loopback(self.host) or self.token or self.insecure):
            raise ValueError(
                f"host {self.host!r} lets other machines connect: set a token, or insecure to allow it without one"
            )
        return self
