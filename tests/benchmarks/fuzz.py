"""Bad messages to the codec and to sessions, by the hundred thousand: what no input may do, and how many were tried.

    motionbridge bench fuzz [--codec 900000] [--session 200000] [--seed 1] [--report FILE]

An input is one message. It fails when anything but a ProtocolError comes out of the codec, when a session answers
`internal`, sends what is not of the protocol, tells one client of another or disturbs it, or when one input takes a second
of processor time. `fuzz_atheris.py` beside this file has the same targets with inputs chosen by coverage.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks.fuzz_inputs import Inputs, golden
from tests.benchmarks.fuzz_targets import Script, SessionTarget, codec_target

SLOWEST_ALLOWED_SECONDS: Final = 1.0
INPUTS_OF_ONE_SESSION: Final = 5000


class FailureError(Exception):
    """An input that did what none may; the message says how to have it again."""


@dataclass
class Tally:
    """What became of the inputs of one target."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, name: str, count: int) -> None:
        self.notes[name] = self.notes.get(name, 0) + count

    def timed(self, call: Callable[[bytes], object], data: bytes) -> object:
        """Calls with one input; FailureError names it."""
        began = time.thread_time()
        try:
            result = call(data)
        except Exception as error:
            raise FailureError(
                f"{self.target}, input {self.inputs}: {type(error).__name__}: {error}\n{data.hex()}"
            ) from error
        took = time.thread_time() - began
        self.slowest = max(self.slowest, took)
        self.seconds += took
        self.inputs += 1
        return result


def fuzz_codec(count: int, seed: int) -> Tally:
    """``count`` messages through both readers."""
    inputs, tally = Inputs(random.Random(seed), golden()), Tally("codec")
    for _ in range(count):
        tally.note("taken", bool(tally.timed(codec_target, inputs.draw())))
    return tally


def fuzz_session(count: int, seed: int) -> Tally:
    """``count`` messages of bad clients, each beside a good one."""
    tally, seeds = Tally("session"), golden("client")
    for first in range(0, count, INPUTS_OF_ONE_SESSION):
        rng = random.Random(seed + first)
        script, target = Script(Inputs(rng, seeds), rng), SessionTarget(seed + first)
        for _ in range(min(INPUTS_OF_ONE_SESSION, count - first)):
            tally.timed(target.feed, script.draw())
        for name in ("statuses", "refusals", "closes"):
            tally.note(name, getattr(target, name))
    return tally


def memory() -> float:
    """The largest resident memory so far, MiB; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(tallies: Sequence[Tally], seed: int, grown: float) -> str:
    """The report, in Markdown."""
    lines = ["| target | inputs | failures | a second | slowest ms | |", "|---|---|---|---|---|---|"]
    for tally in tallies:
        notes = ", ".join(f"{count:,} {name}" for name, count in tally.notes.items())
        rate = tally.inputs / max(tally.seconds, 1e-9)
        lines.append(f"| {tally.target} | {tally.inputs:,} | 0 | {rate:,.0f} | {tally.slowest * 1000:.0f} | {notes} |")
    total = sum(tally.inputs for tally in tallies)
    lines.append(
        f"| together | {total:,} | 0 | | | seed {seed}; memory grew by {grown:.0f} MiB after the first tenth |"
    )
    return "\n".join(lines) + "\n"


def run(codec: int, session: int, seed: int) -> str:
    """Runs both; the report. FailureError at the first input that fails."""
    tallies = [fuzz_codec(codec // 10, seed), fuzz_session(session // 10, seed)]
    before = memory()
    for first, rest in zip(
        tallies,
        (fuzz_codec(codec - codec // 10, seed + 1), fuzz_session(session - session // 10, seed + 1)),
        strict=True,
    ):
        first.inputs += rest.inputs
        first.seconds += rest.seconds
        first.slowest = max(first.slowest, rest.slowest)
        for name, count in rest.notes.items():
            first.note(name, count)
        if first.slowest > SLOWEST_ALLOWED_SECONDS:
            raise FailureError(f"{first.target}: an input took {first.slowest:.1f} s")
    return table(tallies, seed, memory() - before)


def main(argv: Sequence[str]) -> int:
    """Print the table, and write it to the report; status 1 and the input at the first failure."""
    parser = argparse.ArgumentParser(prog="motionbridge bench fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--codec", type=int, default=900_000, help="messages to the codec (default: 900000)")
    parser.add_argument("--session", type=int, default=200_000, help="messages to sessions (default: 200000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="file to append the table to")
    args = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    try:
        report = run(args.codec, args.session, args.seed)
    except FailureError as failure:
        print(failure, file=sys.stderr)
        return 1
    print(report, end="")
    if args.report is not None:
        with args.report.open("a", encoding="utf-8") as file:
            file.write(report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
