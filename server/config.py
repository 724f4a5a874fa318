"""What `motionbridge serve` can be told, with the limits of every value."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from protocol import limits

ANY_ORIGIN: Final = "*"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``: `localhost`, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(value: str) -> str:
    """`scheme://host` or `scheme://host:port` as a browser writes it, `null`, or `*`; ValueError otherwise."""
    if value in (ANY_ORIGIN, "null"):
        return value
    origin = value.lower()
    parts = urlsplit(origin)
    if not (parts.scheme and parts.hostname) or f"{parts.scheme}://{parts.netloc}" != origin or "@" in parts.netloc:
        raise ValueError("an origin looks like https://game.example, with a port only when it is not the usual one")
    return origin


Secret = Annotated[SecretStr, Field(min_length=1, max_length=limits.MAX_TOKEN_CHARACTERS)]
TokenName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Origin = Annotated[str, AfterValidator(_origin)]
SINGLE_TOKEN: Final = "default"
"""Name of the token that is given alone, by `ServeConfig.token`."""


class Quota(BaseModel):
    """What the holders of one token may use. None: as much as the protocol and the server allow."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    connections: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Open at once, of all holders together."""
    characters: Annotated[int, Field(ge=1, le=4096)] | None = None
    """That exist at once, of all holders together, those of dropped sessions included."""
    prompts_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Within any minute, of all holders together. Each entry of a `timeline`, each `generate` and each `edit` is one."""
    text_characters: Annotated[int, Field(ge=1, le=limits.MAX_TEXT_CHARACTERS)] | None = None
    """Of one text."""
    message_bytes: Annotated[int, Field(ge=1024, le=limits.MAX_MESSAGE_BYTES)] | None = None
    """Of one message from the client."""
    session_seconds: Annotated[float, Field(ge=1.0, le=31_536_000.0)] | None = None
    """From `hello` to the end of the session, resumes included."""


class Token(Quota):
    """A secret that clients may send in `hello`; what its quota leaves open is as in `ServeConfig.quota`."""

    secret: Secret


class ServeConfig(BaseModel):
    """Settings of one server. Times in seconds; ValidationError says which value, which limit and what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = limits.DEFAULT_PORT
    """0 lets the system choose a free one."""
    token: Secret | None = None
    """Secret that clients must send in `hello`."""
    tokens: dict[TokenName, Token] = {}
    """More such secrets, by name; names are logged, secrets never are."""
    insecure: bool = False
    """Allow a host that other machines reach, without a token."""
    preview_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Of the browser preview, on 127.0.0.1; 0 lets the system choose a free one, None: no preview."""
    quota: Quota = Quota()
    """Of each token, and of all clients together where none is asked for."""
    tls_cert: Path | None = None
    """PEM file with the certificate and its chain: with ``tls_key``, the server speaks `wss://` only."""
    tls_key: Path | None = None
    """PEM file with the private key, not encrypted."""
    origins: tuple[Origin, ...] = ()
    """Web pages (`https://host`) that may connect, beside those of this machine; `*`: all. Only browsers say theirs."""

    metrics_token: Secret | None = None
    """Secret that `/metrics` wants as `Authorization: Bearer`; None: open on a loopback host without tokens, else off."""
    traces: bool = False
    """Send OpenTelemetry traces; where to is in the `OTEL_` environment variables."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"
    log_prompts: bool = False
    """Log the text of prompts, which is personal data."""

    max_connections: Annotated[int, Field(ge=1, le=4096)] = 64
    max_characters: Annotated[int, Field(ge=1, le=limits.MAX_CHARACTERS)] = limits.MAX_CHARACTERS
    """On one connection."""
    max_queued_prompts: Annotated[int, Field(ge=1, le=limits.MAX_QUEUED_PROMPTS)] = limits.MAX_QUEUED_PROMPTS
    max_pending_requests: Annotated[int, Field(ge=1, le=limits.MAX_PENDING_REQUESTS)] = limits.MAX_PENDING_REQUESTS

    resume_seconds: Annotated[float, Field(ge=0.0, le=3600.0)] = limits.RESUME_SECONDS
    """How long a session outlives its connection, for the client to come back; 0: not at all."""
    max_parked: Annotated[int, Field(ge=1, le=4096)] = 64
    """Sessions without a connection; more, and the one ends to which least had been sent: who drops often evicts no one else."""
    max_parked_characters: Annotated[int, Field(ge=1, le=65_536)] = 512
    """Characters of sessions without a connection, 0.8 MiB each; more, and the session ends that has waited longest."""

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
    """Requests in one call of the model at most; fewer where it would take more than half a second for them."""
    max_waiting: Annotated[int, Field(ge=1, le=4096)] = 256
    """Clips waiting for the model; more are refused as `busy`. Characters have one request each, and are let in; with so many in all
    the server is not ready for more clients."""

    engine: Literal["local", "ray"] = "local"
    """Where motion is made: on this machine, in a process of its own, or by Ray Serve on one or more machines."""
    ray_address: Annotated[str, Field(min_length=1)] | None = None
    """Of a Ray cluster: `auto` is the one of this machine, None the one in RAY_ADDRESS or else one of the server's own."""
    ray_seconds: Annotated[float, Field(gt=0.0, le=3600.0)] = 300.0
    """How long the first engine may take until it runs."""
    replicas: Annotated[int, Field(ge=1, le=4096)] = 1
    """Engines, each with the model, that run at least."""
    max_replicas: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Engines that run at most, as the load asks for; None: always ``replicas``."""
    replica_cpus: Annotated[float, Field(gt=0.0, le=256.0)] = 1.0
    """CPUs of each."""
    replica_gpus: Annotated[float, Field(ge=0.0, le=16.0)] | None = None
    """GPUs of each, 0.5: two share one; None: one if the cluster has any, else none."""

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
        if not (is_loopback(self.host) or self.secrets or self.insecure):
            raise ValueError(
                f"host {self.host!r} lets other machines connect: set a token, or insecure to allow it without one"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            given, missing = ("tls_cert", "tls_key") if self.tls_key is None else ("tls_key", "tls_cert")
            raise ValueError(f"{given} is set without {missing}: TLS needs both")
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas is {self.max_replicas}, less than replicas, which is {self.replicas}")
        names = list(self.secrets)
        if self.token is not None and SINGLE_TOKEN in self.tokens:
            raise ValueError(f"token and tokens.{SINGLE_TOKEN} are both set: give one of them another name")
        for at, name in enumerate(names):
            same = [other for other in names[:at] if self.secrets[other] == self.secrets[name]]
            if same:
                raise ValueError(f"tokens {same[0]!r} and {name!r} have the same secret: each needs its own")
        return self

    @property
    def secrets(self) -> dict[str, SecretStr]:
        """The secrets that clients may send, by the name of their token; empty: none is asked for."""
        single = {} if self.token is None else {SINGLE_TOKEN: self.token}
        return {**single, **{name: token.secret for name, token in self.tokens.items()}}

    def quota_of(self, name: str) -> Quota:
        """The quota of a named token: its own values, and those of ``quota`` where it has none."""
        token = self.tokens.get(name)
        own = {} if token is None else token.model_dump(exclude={"secret"}, exclude_none=True)
        return self.quota.model_copy(update=own)
