"""The model in a process of its own, which to the server is an engine like any other.

In one process the event loop and the model would wait for each other's Python: with a loop that is busy for most of its time, each
of a motion's thousand operations waits for its turn, and a motion takes three times as long. A process can also be ended, and
another be started, where a model cannot be mended from within: it hangs, its GPU's context is broken, the system has killed it.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import multiprocessing
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from server.memory import freeze, settle_allocator
from server.model_calls import EngineGoneError, GenerationError
from server.model_info import ModelInfo
from server.motion.motion import Motion, MotionEngine, MotionRequest
from server.precision import Precision
from server.stopwatch import Stopwatch

LOG = logging.getLogger(__name__)
LOAD_SECONDS: Final = 3600.0
"""Within which a model is loaded, also where CLIP's weights are fetched first."""
END_SECONDS: Final = 2.0
"""Within which an idle process ends by itself."""
STOP_SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGBREAK")


@dataclass(frozen=True)
class LoadModel:
    """Loads a model's folder, as :func:`server.engine.load_proved` does, in whatever process calls it."""

    model: Path
    device: str = "auto"
    precision: Precision = "auto"

    def __call__(self) -> MotionEngine:
        from server.engine import load_proved

        return load_proved(self.model, self.device, self.precision)


class TraceError(Exception):
    """The cause of what is raised here for an exception there: its traceback in the model's process, as text."""


@dataclass(frozen=True)
class _Answer:
    """What came of a call, or the exception and its traceback; the seconds of its stages; the bytes of the GPU by kind."""

    result: Any
    trace: str
    stages: list[tuple[str, float]]
    memory: dict[str, int]


class EngineProcess:
    """A :class:`MotionEngine` that ``load`` makes in a new process. For one thread at a time, but for `memory` and `close`.

    ``load`` and ``prepare``, which the process calls first, must be picklable. What ``load`` raises is raised here. A call that
    takes more than ``longest_call`` seconds (None: any time) ends the process. When that has ended, for this reason or another,
    calls raise EngineGoneError.
    """

    def __init__(
        self,
        load: Callable[[], MotionEngine],
        longest_call: float | None = None,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._longest_call = longest_call
        self._memory: dict[str, int] = {}
        self._busy = True
        self._closing = threading.Lock()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, load, prepare), name="motionbridge-model", daemon=True
        )
        # Before the handler of multiprocessing, which would wait for a process that does not listen to signals.
        atexit.register(self.close)
        try:
            self._process.start()
            theirs.close()  # or the end of the process would not be seen
            told = self._receive(LOAD_SECONDS)
            if isinstance(told, Exception):
                raise told
        except BaseException:
            self.close()
            raise
        self._busy = False
        self.name, self.fps, self.skeleton = told.name, told.fps, told.skeleton
        self.max_frames, self.context_frames, self.one_action = told.max_frames, told.context_frames, told.one_action
        self.motion_from_pose = partial(self._call, "motion_from_pose") if told.edits else None
        self.edit = partial(self._call, "edit") if told.edits else None
        self.stopwatch = Stopwatch()
        """Tells the stages of a call when it ends."""

    @property
    def process_id(self) -> int | None:
        """Of the process; None before it has started."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return not self._process.is_alive()

    def memory(self) -> dict[str, int]:
        """Bytes of the GPU by kind, as of the last call; empty when the engine does not tell."""
        return self._memory

    def generate(self, requests: Sequence[MotionRequest]) -> list[Motion]:
        """As the engine's; ``features`` are float32."""
        motions: list[Motion] = self._call("generate", list(requests))
        return motions

    def close(self) -> None:
        """Ends the process: at once when it is in the middle of a call, which then raises EngineGoneError. From any thread."""
        with self._closing:
            atexit.unregister(self.close)
            if self._process.pid is None:
                return
            if not self._busy:
                with contextlib.suppress(OSError):  # it has ended
                    self._pipe.send(None)
                    self._process.join(END_SECONDS)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(END_SECONDS)

    def _call(self, method: str, *args: Any, **options: Any) -> Any:
        self._busy = True
        try:
            self._pipe.send((method, args, options))
            answer: _Answer = self._receive(self._longest_call)
        except OSError as error:
            raise EngineGoneError(f"the model's process has ended ({self._how()})") from error
        finally:
            self._busy = False
        self._memory = answer.memory
        if (tell := self.stopwatch.told) is not None:
            for stage in answer.stages:
                tell(*stage)
        if isinstance(answer.result, Exception):
            raise answer.result from TraceError(answer.trace)
        return answer.result

    def _receive(self, seconds: float | None) -> Any:
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise EngineGoneError(f"the model's process has ended ({self._how()})") from error
        self._process.kill()
        raise EngineGoneError(f"the model took more than {seconds:g} s and was ended")

    def _how(self) -> str:
        self._process.join(END_SECONDS)
        return f"exit code {self._process.exitcode}"


def _work(pipe: Connection, load: Callable[[], MotionEngine], prepare: Callable[[], object] | None) -> None:
    """The process: says what engine it has, then answers calls until it is told to end or nobody is there any more."""
    for name in STOP_SIGNALS:  # sent to all processes of a terminal or a service: when to end is the server's business
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    settle_allocator()
    if prepare is not None:
        prepare()
    try:
        try:
            engine = load()
        except Exception as error:
            pipe.send(_portable(error))
            return
        pipe.send(ModelInfo.of(engine))
        freeze()
        while (call := pipe.recv()) is not None:
            pipe.send(_answer(engine, *call))
    except (EOFError, OSError):
        LOG.info("the server is gone, and the model ends")


def _answer(engine: MotionEngine, method: str, args: Sequence[Any], options: dict[str, Any]) -> _Answer:
    stages: list[tuple[str, float]] = []
    stopwatch = getattr(engine, "stopwatch", None)
    if isinstance(stopwatch, Stopwatch):
        stopwatch.told = lambda name, seconds: stages.append((name, seconds))
    trace = ""
    try:
        result = getattr(engine, method)(*args, **options)
        if method == "generate":
            # Most of what goes through the pipe, and no more of them is kept or read.
            result = [replace(motion, features=motion.features.astype(np.float32)) for motion in result]
    except Exception as error:
        result, trace = _portable(error), traceback.format_exc()
    told = getattr(engine, "memory", None)
    return _Answer(result, trace, stages, told() if callable(told) else {})


def _portable(error: Exception) -> Exception:
    """The exception, if it can be sent, or else one with its text."""
    try:
        again = pickle.loads(pickle.dumps(error))
    except Exception:
        return GenerationError(f"{type(error).__name__}: {error}")
    return error if type(again) is type(error) else GenerationError(str(error))
