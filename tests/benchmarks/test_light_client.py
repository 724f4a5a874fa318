"""The frames that the light client cuts out of what arrives."""

import pytest

from tests.benchmarks.light_client import cut, frame


def from_server(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([0x80 | opcode, size]) + payload
    if size < 65536:
        return bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big") + payload
    return bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big") + payload


@pytest.mark.parametrize("step", [1, 7, 1000, 10**6])
def test_frames_are_cut_wherever_the_data_is_torn(step):
    payloads = [b"", b"a" * 125, b"b" * 126, b"c" * 65535, b"d" * 65536]
    data = b"".join(from_server(2, payload) for payload in payloads)
    found, rest = [], b""
    for at in range(0, len(data), step):
        frames, rest = cut(rest + data[at : at + step])
        found += frames
    assert found == [(2, payload) for payload in payloads]
    assert rest == b""


def test_what_it_sends_is_read_by_the_library():
    from websockets.frames import Frame, Opcode
    from websockets.streams import StreamReader

    for payload in (b"ping", b"x" * 5000):
        reader = StreamReader()
        reader.feed_data(frame(Opcode.BINARY, payload))
        reading = Frame.parse(reader.read_exact, mask=True)
        with pytest.raises(StopIteration) as ended:
            next(reading)
        assert (ended.value.value.opcode, bytes(ended.value.value.data)) == (Opcode.BINARY, payload)
