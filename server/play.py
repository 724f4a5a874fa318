"""``motionbridge play``: sentences to a running server, its stream watched from the terminal and recorded."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import deque
from pathlib import Path

import numpy as np

from protocol import limits
from protocol.buffer import FrameBuffer
from protocol.client import Client, ClientConfig, connect
from protocol.client_errors import ClientError
from protocol.messages import Error, PromptStatus
from protocol.poses import Poses, contact_flags
from server.commands import check_target, check_text, check_within
from server.export import formats
from server.serve_options import TOKEN_VARIABLE

CHARACTER = limits.DEFAULT_CHARACTER
MAX_SECONDS = 3600.0
_START_TIMEOUT_S = 60.0
_REPORTS_A_SECOND = 5
_LATE_S = 0.5  # a viewer that is later than this starts its clock anew instead of rushing


async def play(args: argparse.Namespace) -> int:
    """Play every text for ``args.seconds``; prints rate, lead and latency; exit status 1 if the server refused a text.

    UsageError names a bad option before anything is sent; ClientError says why the server cannot be reached or went away.
    What was shown until then is recorded all the same.
    """
    texts = [check_text(text) for text in args.texts]
    check_within("--rate", args.rate, limits.MIN_FRAME_RATE, limits.MAX_FRAME_RATE)
    check_within("--seconds", args.seconds, limits.MIN_SECONDS, MAX_SECONDS)
    check_within("--seed", args.seed, 0, limits.MAX_SEED - len(texts))
    if args.record is not None:
        check_target(args.record, formats.ENDINGS)
    token = os.environ.get(TOKEN_VARIABLE) if args.token is None else args.token
    settings = ClientConfig(url=args.url, token=token, ca=args.ca, frame_rate=args.rate, restart_seconds=0.0)
    viewer: _Viewer | None = None
    try:
        async with connect(settings) as client:
            welcome = client.welcome
            rate = round(welcome.frame_rate)
            print(
                f"connected to {args.url}: {welcome.server}, model {welcome.model}, {rate} frames per second",
                flush=True,
            )
            viewer = _Viewer(client, rate)
            try:
                for number, text in enumerate(texts):
                    await viewer.show(text, args.seconds, args.seed + number)
            finally:
                await viewer.close()
    finally:
        # A film takes its time: the server need not wait for it.
        if viewer is not None and args.record is not None:
            viewer.write(args.record)
    return 1 if viewer.refused else 0


class _Viewer:
    """Consumes one character's frames at the stream's rate, as a game would."""

    def __init__(self, client: Client, rate: int) -> None:
        self._client, self._rate = client, rate
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock()
        self._next = 0
        self._poses: list[Poses] = []
        self._times: deque[float] = deque(maxlen=rate)
        self._prompt: str | None = None
        self._texts: dict[str, str] = {}
        self._captions: list[tuple[int, str]] = []
        self._refused: set[str] = set()
        self._events = asyncio.create_task(self._watch())
        self._live = sys.stdout.isatty()

    @property
    def refused(self) -> bool:
        """Whether the server refused a sentence or complained."""
        return bool(self._refused)

    async def show(self, text: str, seconds: float, seed: int) -> None:
        """Send a prompt and play until it has run for ``seconds``, or is refused."""
        sent = self._clock()
        prompt = await self._client.prompt(
            text, character=CHARACTER, seconds=min(seconds, limits.MAX_SECONDS), seed=seed, on_end="repeat"
        )
        self._texts[prompt] = text
        started: float | None = None
        ticks = 0
        while prompt not in self._refused:
            await self._tick()
            if started is None and self._prompt == prompt:
                started = self._clock()
            latency = None if started is None else started - sent
            if self._live and ticks % max(1, self._rate // _REPORTS_A_SECOND) == 0:
                print(f"\r{self._report(text, latency):<100}", end="", flush=True)
            ticks += 1
            if started is None and self._clock() - sent > _START_TIMEOUT_S:
                raise ClientError(f"no frame of {text!r} within {_START_TIMEOUT_S:g} s; see whether the server is busy")
            if started is not None and self._clock() - started >= seconds:
                print(f"{chr(13) if self._live else ''}{self._report(text, latency):<100}".rstrip(), flush=True)
                return

    async def close(self) -> None:
        """Stop listening to events."""
        self._events.cancel()
        await asyncio.gather(self._events, return_exceptions=True)

    def write(self, path: Path) -> None:
        """The frames shown so far as a file of any of ``formats.ENDINGS``."""
        if not self._poses:
            print(f"no frame was received; {path} is not written", file=sys.stderr)
            return
        from server.export.take import Take

        root = np.concatenate([poses.root for poses in self._poses]).astype(float)
        rotations = np.concatenate([poses.rotations for poses in self._poses]).astype(float)
        contacts = contact_flags(np.concatenate([poses.contacts for poses in self._poses]))
        captions = tuple(self._captions) or ((0, ""),)
        formats.write(path, Take(root, rotations, contacts, float(self._rate), captions))
        print(f"wrote {path}: {len(root)} frames, {len(root) / self._rate:.1f} s")

    async def _watch(self) -> None:
        async for event in self._client:
            if isinstance(event, PromptStatus) and event.status == "failed":
                self._refuse(event.id, event.reason or "the prompt failed")
            elif isinstance(event, Error):
                self._refuse(event.id or "", event.message)

    def _refuse(self, prompt: str, reason: str) -> None:
        self._refused.add(prompt)
        print(f"{chr(10) if self._live else ''}server: {reason}", file=sys.stderr)

    async def _tick(self) -> None:
        """Wait until the next frame is due and show it, if it has come."""
        if self._events.done():
            self._events.result()
            raise ClientError("the server closed the connection")
        self._due = max(self._due + 1.0 / self._rate, self._clock() - _LATE_S)
        await asyncio.sleep(max(0.0, self._due - self._clock()))
        buffer = self._buffer()
        if buffer is None or buffer.newest < self._next:
            return
        # The server drops frames for a client that is slow; what is lost is skipped, never waited for.
        self._next = next(index for index in range(self._next, buffer.newest + 1) if index in buffer)
        prompt = buffer.prompt(self._next)
        if prompt != self._prompt and prompt in self._texts:
            self._captions.append((len(self._poses), self._texts[prompt]))
        self._prompt = prompt
        self._poses.append(buffer.poses(self._next, 1))
        self._times.append(self._clock())
        if self._next % max(1, self._rate // _REPORTS_A_SECOND) == 0:
            await self._client.playhead(self._next, character=CHARACTER)
        self._next += 1

    def _buffer(self) -> FrameBuffer | None:
        return self._client.buffer(CHARACTER) if CHARACTER in self._client.characters else None

    def _report(self, text: str, latency: float | None) -> str:
        buffer = self._buffer()
        lead = buffer.buffered(self._next - 1) / self._rate if buffer is not None else 0.0
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        shown = (len(self._times) - 1) / span if span > 0 else 0.0
        waited = "waiting" if latency is None else f"{latency * 1000:.0f} ms"
        return f"frame {self._next:5d}  {shown:5.1f} fps  lead {lead:.2f} s  latency {waited}  {text[:40]}"
