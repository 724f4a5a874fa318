"""The one training loop of every model: exact resume, clean stop, weight averaging, best-checkpoint selection."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pickle
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from server.files import write_atomically
from server.training.devices import limited_threads, resolve_device, step_generator, to_device, uses_bf16
from server.training.train_config import RESUMABLE_FIELDS, TrainConfig, TrainingError, learning_rate, parameter_groups

__all__ = ["Batches", "TrainConfig", "TrainResult", "Trainer", "TrainingError", "load_weights", "mean_losses"]

B_co = TypeVar("B_co", covariant=True)

CHECKPOINT_FILE = "checkpoint.pt"
BEST_WEIGHTS = "best.safetensors"
LAST_WEIGHTS = "last.safetensors"
METRICS_FILE = "metrics.json"
LOG_FOLDER = "tensorboard"


class Batches(Protocol[B_co]):
    """A source of training batches without state of its own, so that a resumed run sees the same batches."""

    def draw(self, step: int, generator: torch.Generator) -> B_co:
        """Batch of `step`, a function of (step, generator) only; `generator` lives on the CPU."""
        ...


LossFn = Callable[[Any, Any, torch.Generator], Mapping[str, Tensor]]
Validate = Callable[[Any], Mapping[str, float]]


@dataclass(frozen=True)
class TrainResult:
    """How a run ended: `finished` is False when a signal stopped it before `steps`."""

    step: int
    finished: bool
    metrics: Mapping[str, float]
    best_value: float | None
    best_step: int | None


def load_weights(folder: Path, which: Literal["best", "last"] = "best") -> dict[str, Tensor]:
    """Weights a run left in `folder` (averaged ones if the run averaged); "best" falls back to "last"."""
    for name in (BEST_WEIGHTS, LAST_WEIGHTS) if which == "best" else (LAST_WEIGHTS,):
        if (folder / name).is_file():
            return load_file(folder / name)
    raise TrainingError(f"{folder} holds no trained weights ({BEST_WEIGHTS} or {LAST_WEIGHTS}); train the model first")


def mean_losses(loss_fn: LossFn, model: nn.Module, batches: Sequence[Any]) -> dict[str, float]:
    """Mean of each of the loss function's scalars over ``batches``, drawn with one seed: for `validate`."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(0)
    sums: dict[str, float] = {}
    for batch in batches:
        for name, value in loss_fn(model, to_device(batch, device), generator).items():
            sums[name] = sums.get(name, 0.0) + float(value) / len(batches)
    return sums


class Trainer:
    """Trains `model` in `folder`, from the checkpoint there if one exists.

    Args:
        loss_fn: (model, batch, generator) -> scalars with the key "loss"; the others are logged. The generator
            lives on the model's device. Random draws from torch's global generator (dropout) resume exactly too.
        batches: see `Batches`; tensors in dicts, lists, tuples and dataclasses are moved to the device.
        validate: model -> metrics, among them `config.best_metric`. Called in eval mode, without gradients, at the
            precision of training, with the averaged weights if there are any, under a fixed seed.
        identity: what else must be equal for a checkpoint to be resumed, such as the model's config (JSON values).
        fresh: discard a checkpoint that is there and start again.
        clock: monotonic seconds; decides when a checkpoint is due.

    Raises:
        TrainingError: unreadable checkpoint, one of another configuration, missing metric, or a non-finite loss.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        batches: Batches[Any],
        config: TrainConfig,
        folder: Path,
        validate: Validate | None = None,
        *,
        identity: Mapping[str, Any] | None = None,
        fresh: bool = False,
        clock: Callable[[], float] = time.monotonic,
        log: TextIO | None = None,
    ) -> None:
        self.config = config
        self.device = resolve_device(config.device)
        self._bf16 = uses_bf16(config.precision, self.device)
        self.model = model.to(self.device)
        self.loss_fn, self.batches, self.validate = loss_fn, batches, validate
        self.folder = folder
        self.identity = json.loads(json.dumps(dict(identity or {})))
        self.fresh = fresh
        self._clock = clock
        self._log = log or sys.stderr
        self._step = 0
        self._best: tuple[float, int] | None = None
        self._metrics: dict[str, float] = {}
        self._stop = False
        self._optimizer = torch.optim.AdamW(
            parameter_groups(model, config.weight_decay), lr=config.lr, betas=(0.9, 0.99), fused=True
        )
        self._ema = _clone_state(self.model) if config.ema_decay else None

    def run(self) -> TrainResult:
        """Train to `config.steps`, or until SIGTERM/SIGINT; the state is on disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.fresh:
            self._discard()
        with limited_threads(self.config.threads), self._signals(), contextlib.ExitStack() as stack:
            torch.manual_seed(self.config.seed)
            if (self.folder / CHECKPOINT_FILE).exists():
                self._restore()
            writer = _summary_writer(self.folder / LOG_FOLDER, self._step, self._log)
            if writer is not None:
                stack.callback(writer.close)
            bar = stack.enter_context(
                tqdm(total=self.config.steps, initial=self._step, file=self._log, disable=not self._log.isatty())
            )
            self._loop(bar, writer)
        best_value, best_step = self._best or (None, None)
        return TrainResult(self._step, self._step >= self.config.steps, dict(self._metrics), best_value, best_step)

    def _loop(self, bar: Any, writer: Any) -> None:
        config, started = self.config, (self._clock(), self._step)
        sums: dict[str, Tensor] = {}
        counted, logged_at, saved_at, saved_step = 0, started[0], started[0], self._step
        self.model.train()
        while self._step < config.steps and not self._stop:
            for name, value in self._train_step().items():
                sums[name] = sums[name] + value if name in sums else value
            counted += 1
            self._step += 1
            bar.update(1)
            last = self._step == config.steps
            if self._step % config.log_every == 0 or last:
                means = {name: value.item() / counted for name, value in sums.items()}
                self._require_finite(means["loss"])
                now = self._clock()
                means["lr"] = learning_rate(self._step - 1, config)
                means["steps_per_s"] = counted / max(now - logged_at, 1e-9)
                left_s = (config.steps - self._step) * (now - started[0]) / (self._step - started[1])
                self._report(means, left_s, bar, writer)
                sums, counted, logged_at = {}, 0, now
            if last or (config.validate_every and self._step % config.validate_every == 0):
                self._validate(writer)
            if self._clock() - saved_at >= config.checkpoint_every_s:
                self._save(sums)
                saved_at, saved_step = self._clock(), self._step
        if self._step != saved_step:
            self._save(sums)

    def _train_step(self) -> dict[str, Tensor]:
        config = self.config
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._step, config)
        batch = self.batches.draw(self._step, step_generator(config.seed, self._step, 0, torch.device("cpu")))
        generator = step_generator(config.seed, self._step, 1, self.device)
        with self._autocast():
            losses = self.loss_fn(self.model, to_device(batch, self.device), generator)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["loss"])
        if config.grad_clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), config.grad_clip)
        self._optimizer.step()
        if self._ema is not None:
            self._average(min(config.ema_decay, (1 + self._step) / (10 + self._step)))
        return {name: value.detach().float() for name, value in losses.items()}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16)

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        assert self._ema is not None
        parameters = dict(self.model.named_parameters())
        averages = [self._ema[name] for name in parameters]
        torch._foreach_lerp_(averages, list(parameters.values()), 1 - decay)
        # Buffers such as EMA codebooks are averages of their own already.
        for name, value in self.model.named_buffers():
            if name in self._ema:
                self._ema[name].copy_(value)

    def _validate(self, writer: Any) -> None:
        if self.validate is None:
            return
        with (
            self._averaged_weights(),
            torch.random.fork_rng([self.device] if self.device.type == "cuda" else []),
            torch.no_grad(),
        ):
            torch.manual_seed(self.config.seed)
            self.model.eval()
            with self._autocast():
                self._metrics = {name: float(value) for name, value in self.validate(self.model).items()}
            self.model.train()
        if self.config.best_metric not in self._metrics:
            raise TrainingError(
                f"best_metric is {self.config.best_metric!r}, but validation gives only {sorted(self._metrics)}"
            )
        value = self._metrics[self.config.best_metric]
        better = math.isfinite(value) and (self._best is None or value < self._best[0])
        if better:
            self._best = (value, self._step)
            self._write_weights(BEST_WEIGHTS)
        write_atomically(
            self.folder / METRICS_FILE,
            lambda path: path.write_text(
                json.dumps({"step": self._step, "metrics": self._metrics, "best": self._best}, indent=1),
                encoding="utf-8",
            ),
        )
        for name, number in self._metrics.items():
            if writer is not None:
                writer.add_scalar(f"validation/{name}", number, self._step)
        shown = "  ".join(f"{name} {number:.4g}" for name, number in self._metrics.items())
        self._say(f"step {self._step}  validation: {shown}{'  (best)' if better else ''}")

    @contextlib.contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """The model with its averaged weights inside the block, if the run averages."""
        if self._ema is None:
            yield
            return
        own = _clone_state(self.model)
        self.model.load_state_dict(self._ema)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def _report(self, means: dict[str, float], left_s: float, bar: Any, writer: Any) -> None:
        if writer is not None:
            for name, value in means.items():
                writer.add_scalar(f"train/{name}", value, self._step)
        if bar.disable:
            shown = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
            self._say(f"step {self._step}/{self.config.steps}  {shown}  left {tqdm.format_interval(left_s)}")
        else:
            bar.set_postfix(loss=f"{means['loss']:.4g}")

    def _say(self, line: str) -> None:
        tqdm.write(line, file=self._log)
        self._log.flush()

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {self._step}; the last good state is in {self.folder}. "
                f"Lower lr (is {self.config.lr}) or grad_clip (is {self.config.grad_clip}) and start with fresh"
            )

    def _save(self, unlogged: Mapping[str, Tensor]) -> None:
        # Losses since the last log line are not looked at yet; a broken state must not replace a good one.
        if "loss" in unlogged:
            self._require_finite(unlogged["loss"].item())
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        state = {
            "config": dataclasses.asdict(self.config),
            "identity": self.identity,
            "step": self._step,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "ema": self._ema,
            "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
            "best": list(self._best) if self._best else None,
            "metrics": self._metrics,
        }
        write_atomically(self.folder / CHECKPOINT_FILE, lambda path: torch.save(state, path))
        self._write_weights(LAST_WEIGHTS)

    def _write_weights(self, name: str) -> None:
        state = self._ema if self._ema is not None else self.model.state_dict()
        # safetensors refuses tensors that share memory, as tied projections do.
        weights = {key: value.detach().cpu().clone().contiguous() for key, value in state.items()}
        write_atomically(self.folder / name, lambda path: save_file(weights, path))

    def _restore(self) -> None:
        path = self.folder / CHECKPOINT_FILE
        remedy = "delete the folder or start with fresh"
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            rng, saved_config, saved_identity = state["rng"], state["config"], state["identity"]
        except (RuntimeError, EOFError, KeyError, TypeError, ValueError, OSError, pickle.UnpicklingError) as error:
            # torch's own words on this advise loading the file unsafely.
            reason = str(error) if isinstance(error, OSError) else "truncated, or not written by this trainer"
            raise TrainingError(f"the checkpoint {path} cannot be read ({reason}); {remedy}") from error
        ours = {f"config.{k}": v for k, v in dataclasses.asdict(self.config).items() if k not in RESUMABLE_FIELDS}
        theirs = {f"config.{k}": v for k, v in saved_config.items() if k not in RESUMABLE_FIELDS}
        ours |= {f"identity.{k}": v for k, v in self.identity.items()}
        theirs |= {f"identity.{k}": v for k, v in saved_identity.items()}
        changed = [
            f"{name} is {ours.get(name)!r} but was {theirs.get(name)!r}"
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name) != theirs.get(name)
        ]
        if changed:
            raise TrainingError(f"the checkpoint {path} is of another run: {'; '.join(changed)}; {remedy}")
        try:
            self.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise TrainingError(f"the checkpoint {path} does not fit this model ({error}); {remedy}") from error
        self._ema = state["ema"]
        self._step, self._metrics = state["step"], state["metrics"]
        self._best = (state["best"][0], state["best"][1]) if state["best"] else None
        torch.set_rng_state(rng["cpu"].cpu())
        if rng["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(rng["cuda"].cpu(), self.device)
        self._say(f"resuming {path} at step {self._step}")

    def _discard(self) -> None:
        for name in (CHECKPOINT_FILE, BEST_WEIGHTS, LAST_WEIGHTS, METRICS_FILE):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / LOG_FOLDER, ignore_errors=True)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the run after the current step; a second one acts as it would without us."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def restore() -> None:
            for number, handler in previous.items():
                signal.signal(number, handler)

        def stop(number: int, frame: object) -> None:
            self._stop = True
            restore()

        for number in previous:
            signal.signal(number, stop)
        try:
            yield
        finally:
            restore()


def _clone_state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _summary_writer(folder: Path, step: int, log: TextIO) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.write("no TensorBoard logs: install the package 'tensorboard' (extra 'train') to get them\n")
        return None
    return SummaryWriter(str(folder), purge_step=step)
