"""A msgpack writer that can choose among the several encodings of a value, for the golden vectors."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

STR: Final = {8: b"\xd9", 16: b"\xda", 32: b"\xdb"}
BIN: Final = {8: b"\xc4", 16: b"\xc5", 32: b"\xc6"}
ARRAY: Final = {16: b"\xdc", 32: b"\xdd"}
MAP: Final = {16: b"\xde", 32: b"\xdf"}
UNSIGNED: Final = {8: b"\xcc", 16: b"\xcd", 32: b"\xce", 64: b"\xcf"}
SIGNED: Final = {8: b"\xd0", 16: b"\xd1", 32: b"\xd2", 64: b"\xd3"}
LENGTH_FORMAT: Final = {8: ">B", 16: ">H", 32: ">I"}
UNSIGNED_FORMAT: Final = {8: ">B", 16: ">H", 32: ">I", 64: ">Q"}
SIGNED_FORMAT: Final = {8: ">b", 16: ">h", 32: ">i", 64: ">q"}


@dataclass(frozen=True)
class Style:
    """The width in bits that each kind of value is written with.

    ``float_bits`` 32 is for floats that it holds exactly, 0 writes whole floats as integers; others take 64 bits.
    ``signed`` writes non-negative integers in the signed formats.
    """

    str_bits: int = 32
    bin_bits: int = 32
    array_bits: int = 32
    map_bits: int = 32
    int_bits: int = 64
    float_bits: int = 64
    signed: bool = False


def write(value: Any, style: Style) -> bytes:
    """A value as msgpack in the given style. struct.error when it does not fit the widths."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _integer(value, style)
    if isinstance(value, float):
        return _float(value, style)
    if isinstance(value, str):
        data = value.encode()
        return STR[style.str_bits] + struct.pack(LENGTH_FORMAT[style.str_bits], len(data)) + data
    if isinstance(value, bytes):
        return BIN[style.bin_bits] + struct.pack(LENGTH_FORMAT[style.bin_bits], len(value)) + value
    if isinstance(value, dict):
        head = MAP[style.map_bits] + struct.pack(LENGTH_FORMAT[style.map_bits], len(value))
        return head + b"".join(write(part, style) for item in value.items() for part in item)
    head = ARRAY[style.array_bits] + struct.pack(LENGTH_FORMAT[style.array_bits], len(value))
    return head + b"".join(write(item, style) for item in value)


def _integer(value: int, style: Style) -> bytes:
    if value < 0 or style.signed:
        return SIGNED[style.int_bits] + struct.pack(SIGNED_FORMAT[style.int_bits], value)
    return UNSIGNED[style.int_bits] + struct.pack(UNSIGNED_FORMAT[style.int_bits], value)


def _float(value: float, style: Style) -> bytes:
    if style.float_bits == 0 and value.is_integer():
        return _integer(int(value), style)
    short = struct.pack(">f", value)
    if style.float_bits == 32 and struct.unpack(">f", short)[0] == value:
        return b"\xca" + short
    return b"\xcb" + struct.pack(">d", value)
