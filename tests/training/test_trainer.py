"""The training loop: resume is exact, a stop is clean, and what cannot be resumed is refused in plain words."""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from server.files import write_atomically
from server.training.train_config import TrainConfig, learning_rate, parameter_groups
from server.training.trainer import (
    BEST_WEIGHTS,
    CHECKPOINT_FILE,
    Trainer,
    TrainingError,
    TrainResult,
    load_weights,
)

CONFIG = TrainConfig(
    steps=12, batch_size=8, lr=1e-2, warm_up=3, ema_decay=0.9, validate_every=4, log_every=5, device="cpu", threads=1
)


class Toy(nn.Module):
    """Dropout and a buffer, so that a resume that forgets random state or buffers is caught."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.Dropout(0.3), nn.Linear(16, 1))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += x.abs().mean().detach() if self.training else 0
        return self.layers(x)


class ToyBatches:
    """Noisy samples of a linear map; `trap` is called with every step before its batch is drawn."""

    def __init__(self, trap: object = None) -> None:
        self.trap = trap

    def draw(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        if callable(self.trap):
            self.trap(step)
        x = torch.randn(8, 4, generator=generator)
        return {"x": x, "y": x.sum(dim=1, keepdim=True)}


def loss_fn(model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    noise = 0.1 * torch.randn(batch["x"].shape, generator=generator)
    error = model(batch["x"] + noise) - batch["y"]
    return {"loss": error.square().mean(), "error": error.abs().mean()}


def validate(model: nn.Module) -> dict[str, float]:
    x = torch.randn(32, 4)
    return {"loss": float((model(x) - x.sum(dim=1, keepdim=True)).square().mean())}


def make(folder: Path, config: TrainConfig = CONFIG, **options: object) -> Trainer:
    torch.manual_seed(1)
    options = {"batches": ToyBatches(), "validate": validate, "log": io.StringIO()} | options
    return Trainer(Toy(), loss_fn, config=config, folder=folder, **options)


def final_state(folder: Path) -> dict:
    return torch.load(folder / CHECKPOINT_FILE, weights_only=True)


def assert_same_run(ours: Path, reference: Path) -> None:
    a, b = final_state(ours), final_state(reference)
    assert a["step"] == b["step"] == CONFIG.steps
    for part in ("model", "ema"):
        for name, value in b[part].items():
            assert torch.equal(a[part][name], value), f"{part}.{name}"
    assert a["metrics"] == b["metrics"]
    assert a["best"] == b["best"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, make(folder).run()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_resumed_run_is_bit_identical(
    number: signal.Signals, tmp_path: Path, uninterrupted: tuple[Path, TrainResult]
) -> None:
    trap = lambda step: os.kill(os.getpid(), number) if step == 6 else None  # noqa: E731
    before = signal.getsignal(number)
    stopped = make(tmp_path, batches=ToyBatches(trap)).run()
    assert (stopped.step, stopped.finished) == (7, False)
    assert signal.getsignal(number) is before
    log = io.StringIO()
    assert make(tmp_path, log=log).run().finished
    assert "at step 7" in log.getvalue()
    assert_same_run(tmp_path, uninterrupted[0])


def test_a_kill_loses_only_what_came_after_the_last_checkpoint(
    tmp_path: Path, uninterrupted: tuple[Path, TrainResult]
) -> None:
    seconds = iter(range(10_000))

    def die(step: int) -> None:
        if step == 9:
            raise KeyboardInterrupt

    timed = dataclasses.replace(CONFIG, checkpoint_every_s=2.5)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, timed, batches=ToyBatches(die), clock=lambda: float(next(seconds))).run()
    assert 0 < final_state(tmp_path)["step"] < 9
    make(tmp_path).run()
    assert_same_run(tmp_path, uninterrupted[0])


def test_training_learns_and_keeps_the_best_weights(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, steps=150, lr=3e-2, validate_every=10)
    losses = iter([5.0, 1.0, *[3.0] * 13])
    kept: list[dict[str, Tensor]] = []

    def scripted(model: nn.Module) -> dict[str, float]:
        assert not model.training
        kept.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"loss": next(losses), "true": validate(model)["loss"]}

    result = make(tmp_path, config, validate=scripted).run()
    assert (result.best_value, result.best_step) == (1.0, 20)
    assert result.metrics["true"] < 2.0  # the untrained model's is about 4, the variance of the target
    best = load_weights(tmp_path)
    assert all(torch.equal(best[name], value) for name, value in kept[1].items())
    assert any(not torch.equal(best[name], value) for name, value in load_weights(tmp_path, "last").items())


def test_more_steps_continue_a_finished_run_and_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path).run()
    assert make(tmp_path).run().step == 12
    assert make(tmp_path, dataclasses.replace(CONFIG, steps=15)).run().step == 15


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"not a zip",
        lambda data: data[:900] + b"damage" + data[906:],
    ],
)
def test_a_corrupted_checkpoint_is_named(damage: object, tmp_path: Path) -> None:
    make(tmp_path).run()
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(TrainingError, match=r"checkpoint\.pt cannot be read .* fresh"):
        make(tmp_path).run()
    assert make(tmp_path, fresh=True).run().finished


def test_a_changed_config_or_model_is_refused(tmp_path: Path) -> None:
    make(tmp_path, identity={"width": 16, "layers": (1, 2)}).run()
    assert make(tmp_path, identity={"width": 16, "layers": [1, 2]}).run().finished
    with pytest.raises(TrainingError, match=r"config\.lr is 0\.5 but was 0\.01"):
        make(tmp_path, dataclasses.replace(CONFIG, lr=0.5), identity={"width": 16, "layers": [1, 2]}).run()
    with pytest.raises(TrainingError, match=r"identity\.width is 32 but was 16"):
        make(tmp_path, identity={"width": 32, "layers": [1, 2]}).run()
    other = Trainer(nn.Linear(4, 1), loss_fn, ToyBatches(), CONFIG, tmp_path, identity={"width": 16, "layers": [1, 2]})
    with pytest.raises(TrainingError, match="does not fit this model"):
        other.run()


def test_fresh_forgets_the_old_run(tmp_path: Path, uninterrupted: tuple[Path, TrainResult]) -> None:
    make(tmp_path, dataclasses.replace(CONFIG, lr=0.5)).run()
    make(tmp_path, fresh=True).run()
    assert_same_run(tmp_path, uninterrupted[0])


def test_a_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    make(tmp_path, dataclasses.replace(CONFIG, steps=5)).run()

    def broken(model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": loss_fn(model, batch, generator)["loss"] * float("nan")}

    with pytest.raises(TrainingError, match="loss is nan at step 10"):
        Trainer(Toy(), broken, ToyBatches(), CONFIG, tmp_path, log=io.StringIO()).run()
    state = final_state(tmp_path)
    assert state["step"] == 5
    assert all(value.isfinite().all() for value in state["model"].values())


def test_a_missing_best_metric_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"best_metric is 'fid', but validation gives only \['loss'\]"):
        make(tmp_path, dataclasses.replace(CONFIG, best_metric="fid")).run()
    assert not (tmp_path / BEST_WEIGHTS).exists()


def test_bf16_on_the_cpu_trains_with_fp32_weights(tmp_path: Path) -> None:
    kinds: set[torch.dtype] = set()

    def watch(model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        kinds.add(model(batch["x"]).dtype)
        return loss_fn(model, batch, generator)

    config = dataclasses.replace(CONFIG, precision="bf16")
    Trainer(Toy(), watch, ToyBatches(), config, tmp_path, log=io.StringIO()).run()
    assert kinds == {torch.bfloat16}
    assert {value.dtype for value in load_weights(tmp_path).values()} == {torch.float32}


def test_validation_sees_averaged_weights_and_leaves_training_as_it_was(
    tmp_path: Path, uninterrupted: tuple[Path, TrainResult]
) -> None:
    make(tmp_path, dataclasses.replace(CONFIG, validate_every=1)).run()
    ours, reference = final_state(tmp_path), final_state(uninterrupted[0])
    assert all(torch.equal(ours["model"][name], value) for name, value in reference["model"].items())
    assert not torch.equal(ours["ema"]["layers.0.weight"], ours["model"]["layers.0.weight"])
    assert torch.equal(ours["ema"]["seen"], ours["model"]["seen"])


def test_learning_rate_warms_up_and_falls_to_its_last_value() -> None:
    config = TrainConfig(steps=100, lr=1.0, lr_final=0.1, warm_up=10)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[99] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_only_matrices_decay() -> None:
    model = nn.ModuleDict({"table": nn.Embedding(5, 3), "norm": nn.LayerNorm(3), "out": nn.Linear(3, 2)})
    model.register_parameter("position_embedding", nn.Parameter(torch.zeros(4, 3)))
    decayed, free = parameter_groups(model, 0.1)
    assert decayed["weight_decay"] == 0.1
    assert [p.shape for p in decayed["params"]] == [(2, 3)]
    assert free["weight_decay"] == 0.0
    assert len(free["params"]) == 5


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("steps", 0, "steps is 0"),
        ("lr", -1.0, "lr is -1"),
        ("ema_decay", 1.0, "ema_decay is 1.0"),
        ("precision", "fp8", "fp8"),
    ],
)
def test_config_names_the_bad_value(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **{field: value})


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
