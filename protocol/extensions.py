"""Extension values of msgpack: the protocol has none, and readers ignore them like any other value they do not know."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from protocol import limits

TIMESTAMP: Final = -1
_PLAIN_CODE: Final = b"\x00"
_MOST_VALUES: Final = 2 * limits.MAX_VALUES + 1
"""The message's own map, values and keys; a message that holds more is refused anyway."""


@dataclass(frozen=True)
class Extension:
    """A value of an extension type, not looked into."""

    code: int
    data: bytes


class _Kind(NamedTuple):
    """What follows a head byte: the bytes of its length field, bytes besides, and values for each unit of length."""

    length_bytes: int = 0
    extra: int = 0
    bytes_each: int = 0
    values_each: int = 0
    length: int = 0
    extension: bool = False


def _kinds() -> dict[int, _Kind]:
    kinds = {head: _Kind() for head in (*range(0x00, 0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3)}
    kinds |= {0x80 + n: _Kind(values_each=2, length=n) for n in range(16)}
    kinds |= {0x90 + n: _Kind(values_each=1, length=n) for n in range(16)}
    kinds |= {0xA0 + n: _Kind(extra=n) for n in range(32)}
    numbers = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
    kinds |= {head: _Kind(extra=size) for head, size in numbers.items()}
    for at, width in enumerate((1, 2, 4)):
        kinds[0xC4 + at] = kinds[0xD9 + at] = _Kind(width, bytes_each=1)
        kinds[0xC7 + at] = _Kind(width, extra=1, bytes_each=1, extension=True)
    for at, width in enumerate((2, 4)):
        kinds[0xDC + at] = _Kind(width, values_each=1)
        kinds[0xDE + at] = _Kind(width, values_each=2)
    return kinds | {0xD4 + n: _Kind(extra=1 + (1 << n), extension=True) for n in range(5)}


_KINDS: Final = _kinds()
_LENGTHS: Final = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}


def without_timestamps(data: bytes) -> bytes | None:
    """The same msgpack value with its time stamps (extension type -1) as another extension type, of equal length.

    None when it holds none, is cut off, or holds more values than a message may.
    """
    found: list[int] = []
    at, left = 0, 1
    for _ in range(_MOST_VALUES):
        kind = _KINDS.get(data[at]) if at < len(data) else None
        if kind is None:
            return None
        at += 1
        length = kind.length
        if kind.length_bytes:
            if at + kind.length_bytes > len(data):
                return None
            (length,) = _LENGTHS[kind.length_bytes].unpack_from(data, at)
            at += kind.length_bytes
        if kind.extension and data[at : at + 1] == b"\xff":
            found.append(at)
        at += kind.extra + kind.bytes_each * length
        left += kind.values_each * length - 1
        if not left:
            break
    if left or not found or at > len(data):
        return None
    changed = bytearray(data)
    for place in found:
        changed[place : place + 1] = _PLAIN_CODE
    return bytes(changed)
