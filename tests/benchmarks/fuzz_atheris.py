"""The targets of `fuzz.py` with inputs that libFuzzer chooses by the code that they reach; needs `pip install atheris`.

    python -m tests.benchmarks.fuzz_atheris codec   -runs=300000 CORPUS
    python -m tests.benchmarks.fuzz_atheris session -runs=50000  CORPUS

CORPUS is a folder for the inputs that reach something new; it is made, and seeded with the golden messages. All options but
the first are libFuzzer's. An input of `session` is any number of messages, each after its length in two bytes.
"""

from __future__ import annotations

import logging
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["protocol", "server"]):
    from tests.benchmarks.fuzz_inputs import golden
    from tests.benchmarks.fuzz_targets import SessionTarget, codec_target

LENGTH = struct.Struct(">H")
LONGEST_BYTES = 8192


def messages(data: bytes) -> Iterator[bytes]:
    """The messages of one input of `session`."""
    at = 0
    while at + LENGTH.size <= len(data):
        (length,) = LENGTH.unpack_from(data, at)
        at += LENGTH.size
        yield data[at : at + length]
        at += length


def session_target(data: bytes) -> None:
    """One bad client's life."""
    target = SessionTarget(1)
    for message in messages(data):
        target.feed(message)


TARGETS: dict[str, Callable[[bytes], object]] = {"codec": codec_target, "session": session_target}


def seeds(name: str) -> list[bytes]:
    """Inputs to start from."""
    if name == "codec":
        return golden()
    client = [message for message in golden("client") if len(message) < 1024]
    joined = [LENGTH.pack(len(message)) + message for message in client]
    return [b"".join(joined[first : first + 6]) for first in range(0, len(joined), 3)]


def main() -> None:
    """Runs until libFuzzer's limits are reached, or an input fails, which is written to a file then."""
    name, *options = sys.argv[1:]
    corpus = Path(options[-1])
    corpus.mkdir(parents=True, exist_ok=True)
    for at, seed in enumerate(seeds(name)):
        (corpus / f"golden_{at}").write_bytes(seed)
    logging.disable(logging.CRITICAL)
    atheris.Setup([sys.argv[0], f"-max_len={LONGEST_BYTES}", *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
