"""A server left running under everything that clients do: what went wrong that nothing had provoked, and what it cost.

    motionbridge bench soak [--characters 20] [--connections 5] [--seconds 600] [--rest 1.15] [--bad NAME ...] [--model FOLDER]

Characters are shared out over connections whose clients prompt, queue, steer, pause, remove and drop at random; beside them,
one bad client after the other does its worst (`bad_clients.py`). The schedule follows from the seed, its timing from the
machine. A gap is the time between two messages of frames of a character that is not paused nor just resumed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from protocol.client import ClientConfig, connect
from tests.benchmarks.bad_clients import BAD_CLIENTS
from tests.benchmarks.soak_client import REST_SECONDS, Account, GoodClient
from tests.benchmarks.stream import EMBEDDED, RATE, Server, running

SAMPLE_SECONDS = 1.0
SETTLE_PART = 0.25
"""Of the run, before memory is expected to be flat."""
ATTACK_SECONDS = (2.0, 8.0)


@dataclass
class Outcome:
    """What a run gave. ``memory`` has (seconds, MiB) of the server, ``cpu`` its cores used."""

    characters: int
    connections: int
    seconds: float = 0.0
    account: Account = field(default_factory=Account)
    attacks: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def unprovoked(self) -> int:
        """Errors that nothing had provoked."""
        return sum(self.account.errors.values())

    @property
    def slope(self) -> float:
        """MiB an hour by which the server's memory grows, by least squares after it has settled; 0 when not known."""
        settled = np.array([sample for sample in self.memory if sample[0] >= SETTLE_PART * self.seconds])
        if len(settled) < 3 or not settled[:, 1].any():
            return 0.0
        return float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0] * 3600.0)


async def soak(
    characters: int,
    connections: int,
    seconds: float,
    seed: int,
    model: Path | None,
    device: str = "auto",
    bad: Sequence[str] = tuple(BAD_CLIENTS),
    rest_seconds: float = REST_SECONDS,
) -> Outcome:
    """One run. ``model`` None streams stored motion. ``rest_seconds``: see :class:`GoodClient`."""
    outcome = Outcome(characters, connections)
    async with running(model, device, None) as server:
        sampling = asyncio.create_task(_sample(server, outcome))
        attacking = asyncio.create_task(_attack(server.url, random.Random(seed), seconds, bad, outcome))
        began = time.perf_counter()
        shares = [len(range(first, characters, connections)) for first in range(connections)]
        async with asyncio.TaskGroup() as group:
            for number, count in enumerate(shares):
                names = [f"c{number}-{at}" for at in range(count)]
                rng = random.Random(seed + 1 + number)
                group.create_task(_one(server.url, names, rng, seconds, outcome, rest_seconds))
        outcome.seconds = time.perf_counter() - began
        sampling.cancel()
        await attacking
        outcome.account.errors.update(await _after(server.url))
    return outcome


async def _one(
    url: str, names: list[str], rng: random.Random, seconds: float, outcome: Outcome, rest_seconds: float
) -> None:
    account = outcome.account
    # Patient, so that a machine that is too slow makes figures worse and is no error.
    patience = {"open_timeout": 60.0, "send_timeout": 120.0}
    async with connect(ClientConfig(url=url, frame_rate=RATE, event_capacity=100_000, **patience)) as client:
        await GoodClient(client, names, rng, account, rest_seconds).play(seconds)
        account.did["resumed"] += client.resumed
        for what, count in (("undecodable", client.bad_messages), ("begun anew", client.restarted)):
            if count:
                account.errors[what] += count


async def _attack(url: str, rng: random.Random, seconds: float, bad: Sequence[str], outcome: Outcome) -> None:
    """One bad client after the other; two of them at times."""

    async def line(rng: random.Random) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0.0:
            name = rng.choice(list(bad))
            outcome.attacks[name] += 1
            try:
                await BAD_CLIENTS[name](url, rng, min(left, rng.uniform(*ATTACK_SECONDS)))
            except AssertionError as error:
                outcome.account.errors[f"{name}: {error}"] += 1
            await asyncio.sleep(rng.uniform(0.0, 2.0))

    if bad:
        await asyncio.gather(*(line(random.Random(rng.random())) for _ in range(2)))


async def _sample(server: Server, outcome: Outcome) -> None:
    began, first = time.perf_counter(), await asyncio.to_thread(server.usage)
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        used = await asyncio.to_thread(server.usage)
        passed = time.perf_counter() - began
        outcome.memory.append((passed, used.resident))
        outcome.cpu = (used.cpu - first.cpu) / passed


async def _after(url: str) -> Counter[str]:
    """Whether the server still takes a new client and serves it."""
    try:
        async with asyncio.timeout(120.0), connect(ClientConfig(url=url, restart_seconds=0.0)) as client:
            await client.generate("a person walks", seconds=1.0)
    except Exception as error:
        return Counter({f"after it all: {type(error).__name__}: {error}": 1})
    return Counter()


def report(outcome: Outcome, title: str) -> str:
    """The outcome as Markdown."""
    account = outcome.account
    rows: list[tuple[str, str]] = [
        ("errors that nothing had provoked", str(outcome.unprovoked)),
        ("lost characters", f"{account.lost_characters} of {outcome.characters}"),
        ("frames received", f"{account.frames:,} ({account.frames / max(outcome.seconds, 1e-9):,.0f} a second)"),
        ("frames skipped because the server was late", f"{account.skipped:,}"),
        ("time between a character's messages, ms", percentiles(account.gaps)),
        ("prompt sent to `started`, ms", percentiles(account.latencies)),
        ("server's memory", memory(outcome)),
        ("server's processor use", f"{outcome.cpu:.2f} cores"),
        ("what good clients did", counts(account.did)),
        ("bad clients", counts(outcome.attacks)),
    ]
    lines = [f"## {title}", "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    lines += [f"| error | {count} × {error} |" for error, count in account.errors.most_common(20)]
    return "\n".join(lines) + "\n"


def percentiles(seconds: Sequence[float]) -> str:
    """p50, p99 and the largest, in ms."""
    if not len(seconds):
        return "–"
    p50, p99 = np.percentile(np.asarray(seconds) * 1000, [50, 99])
    return f"p50 {p50:.0f}, p99 {p99:.0f}, largest {max(seconds) * 1000:.0f}, {len(seconds):,} in all"


def memory(outcome: Outcome) -> str:
    """Start, end and slope."""
    if not outcome.memory or not outcome.memory[-1][1]:
        return "not known here"
    first, last = outcome.memory[0][1], outcome.memory[-1][1]
    return f"{first:.0f} MiB at first, {last:.0f} MiB at last; slope {outcome.slope:+.0f} MiB an hour after a quarter of the run"


def counts(counter: Counter[str]) -> str:
    """Names and numbers, the most frequent first."""
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common()) or "none"


def main(argv: Sequence[str]) -> int:
    """Print the report and append it to a file; status 1 when something went wrong that nothing had provoked."""
    parser = argparse.ArgumentParser(prog="motionbridge bench soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--characters", type=int, default=20)
    parser.add_argument("--connections", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument(
        "--bad", nargs="*", choices=[*BAD_CLIENTS], default=[*BAD_CLIENTS], help="bad clients (default: all)"
    )
    parser.add_argument(
        "--rest",
        type=float,
        default=REST_SECONDS,
        metavar="SECONDS",
        help=f"between two things that a connection's client does, on the average (default: {REST_SECONDS:g})",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="model folder (default: embedded)")
    parser.add_argument("--stored", action="store_true", help="motion made beforehand instead of a model")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--report", type=Path, help="file to append the report to")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.ERROR)
    model = None if args.stored else args.model
    run = soak(args.characters, args.connections, args.seconds, args.seed, model, args.device, args.bad, args.rest)
    outcome = asyncio.run(run)
    name = "stored motion" if model is None else f"model `{model.name}`"
    title = (
        f"{outcome.characters} characters on {outcome.connections} connections, {outcome.seconds:.0f} s, "
        f"{name}, seed {args.seed}"
    )
    text = report(outcome, title)
    print(text, end="")
    if args.report is not None:
        with args.report.open("a", encoding="utf-8") as file:
            file.write("\n" + text)
    return 1 if outcome.unprovoked or outcome.account.lost_characters else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
