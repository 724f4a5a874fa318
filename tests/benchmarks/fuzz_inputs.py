"""Bad messages to feed a codec or a session with: golden messages with bytes or values changed, and pure noise."""

from __future__ import annotations

import copy
import math
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgpack

from protocol import vectors
from protocol.extensions import without_timestamps
from protocol.vectors.encodings import Style, write

VECTORS: Final = Path(vectors.__file__).parent
LONGEST_BYTES: Final = 4096
SMALL_BYTES: Final = 500
"""Most of what is drawn starts from golden messages no longer than this: small inputs are many inputs."""
BYTES: Final = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, *range(0xC0, 0xE0), 0xFF)
"""Heads of every kind of msgpack value, and the ends of their ranges."""
VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**64 - 1, -(2**63)),
    *(0.0, -0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 1e308, 5e-324, 9.8000002, 10.0, 120.0, 120.1),
    *("", " ", "a", "main", "x" * 64, "x" * 65, "x" * 501, "\x00", "\ud7ff", "𝄞" * 64, "replace", "repeat", "prompt"),
    *(b"", b"\x00", b"\xff" * 12, bytes(352), [], [[]], [0], [[0, 1]], {}, {"": None}, {"type": "hello"}),
    *(msgpack.ExtType(0, b""), msgpack.ExtType(127, b"x" * 16), msgpack.Timestamp(2**34, 1)),
)
STYLES: Final = (
    Style(),
    Style(16, 16, 16, 16, 64, signed=True),
    Style(float_bits=0),
    Style(str_bits=16, float_bits=32),
)
WORDS: Final = (
    "type",
    "id",
    "character",
    "text",
    "prompts",
    "seconds",
    "frame",
    "mode",
    "resume",
    "received",
    "ranges",
)


def golden(*sides: str) -> list[bytes]:
    """The golden messages that a reader accepts; of one side only when it is named."""
    found = []
    for path in sorted(path for folder in ("valid", "alternative") for path in (VECTORS / folder).glob("*.bin")):
        meaning = path.with_suffix(".json").read_text(encoding="utf-8")
        if not sides or any(f'"from":"{side}"' in meaning for side in sides):
            found.append(path.read_bytes())
    return found


class Inputs:
    """Draws messages from golden ones. Only ``rng`` decides what comes."""

    def __init__(self, rng: random.Random, seeds: list[bytes]) -> None:
        self._rng = rng
        self._seeds = [seed for seed in seeds if len(seed) <= 2 * LONGEST_BYTES]
        self._small = [seed for seed in self._seeds if len(seed) <= SMALL_BYTES]
        self._readable = {seed for seed in self._seeds if without_timestamps(seed) is None}
        self._ways: list[Callable[[], bytes]] = [self._bytes_changed] * 4 + [self._values_changed] * 4
        self._ways += [self._cut, self._joined, self._noise, self._nested]

    def draw(self) -> bytes:
        """The next message."""
        return self._rng.choice(self._ways)()[:LONGEST_BYTES]

    def valid(self) -> bytes:
        """A golden message as it is."""
        return self._rng.choice(self._small if self._rng.random() < 0.9 else self._seeds)

    def fields(self) -> dict[str, Any]:
        """The values of a golden message, for the caller to change."""
        seed = self.valid()
        while seed not in self._readable:
            seed = self.valid()
        return msgpack.unpackb(seed)

    def _bytes_changed(self) -> bytes:
        rng = self._rng
        data = bytearray(self.valid())
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(5):
                case 0:
                    data[at : at + 1] = bytes([rng.choice(BYTES)])
                case 1 if at < len(data):
                    data[at] ^= 1 << rng.randrange(8)
                case 2:
                    data[at:at] = rng.randbytes(rng.randint(1, 8))
                case 3:
                    del data[at : at + rng.randint(1, 16)]
                case _:
                    data[at : at + 4] = struct.pack(">I", rng.choice((0, 1, 0xFF, 0xFFFF, 0xFFFFFFFF)))
            if not data:
                break
        return bytes(data)

    def _values_changed(self) -> bytes:
        fields = self.fields()
        for _ in range(self._rng.choice((1, 1, 2, 4))):
            self._change(fields, 0)
        style = self._rng.choice(STYLES)
        try:
            return msgpack.packb(fields, strict_types=False) if self._rng.random() < 0.7 else write(fields, style)
        except (struct.error, TypeError, AttributeError, OverflowError):  # the writer of the vectors knows fewer types
            return msgpack.packb(fields)

    def _change(self, value: Any, depth: int) -> None:
        """Changes something inside a map or array, in place."""
        rng = self._rng
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if isinstance(value, dict) and (not keys or rng.random() < 0.1):
            value[rng.choice(WORDS)] = self._value()
            return
        if not keys:
            value.append(self._value())
            return
        key = rng.choice(keys)
        if isinstance(value[key], dict | list) and depth < 3 and rng.random() < 0.6:
            self._change(value[key], depth + 1)
        elif rng.random() < 0.15:
            del value[key]
        else:
            value[key] = self._near(value[key]) if rng.random() < 0.3 else self._value()

    def _value(self) -> Any:
        # Some can be changed, and the next draw must not see that.
        return copy.deepcopy(self._rng.choice(VALUES))

    def _near(self, value: Any) -> Any:
        rng = self._rng
        if isinstance(value, bool) or value is None:
            return not value
        if isinstance(value, int):
            return min(max(value + rng.choice((-1, 1, 1000)), -(2**63)), 2**64 - 1)
        if isinstance(value, float):
            return value * rng.choice((-1.0, 1.0000001, 10.0, 1e30))
        if isinstance(value, str | bytes):
            return (value + value[:1]) if rng.random() < 0.5 else value[:-1]
        return self._value()

    def _cut(self) -> bytes:
        data = self.valid()
        return data[: self._rng.randrange(len(data))]

    def _joined(self) -> bytes:
        first, second = self.valid(), self.valid()
        return first[: self._rng.randrange(len(first))] + second[self._rng.randrange(len(second)) :]

    def _noise(self) -> bytes:
        return self._rng.randbytes(self._rng.choice((0, 1, 2, 8, 64, 256)))

    def _nested(self) -> bytes:
        rng = self._rng
        inner = rng.choice((b"\xc0", b"\x91\xc0", b"\x81\xa1k\xc0", b"\xd4\xff\x00"))
        head = rng.choice((b"\x91", b"\x81\xa1k", b"\xdc\x00\x01", b"\x92\xc0"))
        return b"\x82\xa4type\xa6prompt\xa1x" + head * rng.choice((1, 7, 8, 9, 500)) + inner
