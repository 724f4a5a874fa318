"""How long a sentence takes, stage by stage, beside the way of the original on the same weights.

Three tables, for random weights of the embedded and of the published MoMask's size:

- seconds a sentence by stage at several batch sizes: 196 frames, 10 steps;
- base, residual and decode as the original does it, on the same weights with arg-max draws, checked to be equal; where the CPU has
  bfloat16 instructions also with the products of our way in these, and how many of the tokens are equal then;
- milliseconds of a continuation through the whole engine: 8 context tokens and 10 or 20 new ones.

Nothing else should run beside it; where something does, the CPU seconds of the process, on one thread, tell more.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from protocol.skeleton import default_skeleton
from server.engine import Engine
from server.models.checkpoint import Bundle, BundleConfig
from server.models.graphs import use_graphs
from server.models.masked import MaskedConfig, MaskedTransformer
from server.models.packed import can_pack, use_packed_weights
from server.models.residual import ResidualConfig, ResidualTransformer
from server.models.rvq import RVQVAE, RVQConfig
from server.models.sampling import generate_base, generate_residual
from server.models.text import (
    SPECIAL_TOKENS,
    EmbeddedTextEncoder,
    TextEncoder,
    TextTowerConfig,
    build_tokenizer,
    build_tower,
)
from server.motion import solver
from server.motion.features import HUMANML3D, recover_smooth_positions
from server.motion.motion import MotionRequest
from server.motion.rotation import Array
from server.training.devices import limited_threads, resolve_device
from server.training.stages import ModelSizes
from tests.benchmarks.original_pipeline import OriginalPipeline

TOKENS, TOKEN_FRAMES = 49, 4
STEPS, GUIDANCE, RESIDUAL_GUIDANCE = 10, 4.0, 5.0
STAGES = ("text", "base", "residual", "decode", "solve")
WORDS = [
    "a",
    "person",
    "walks",
    "slowly",
    "forward",
    "then",
    "turns",
    "left",
    "and",
    "waves",
    "with",
    "the",
    "right",
    "hand",
]
SENTENCE = " ".join(WORDS)


@dataclass(frozen=True)
class Size:
    """Sizes of all networks of a model; ``text_tokens`` is what a sentence is padded to, 0 for its own length."""

    rvq: RVQConfig
    masked: MaskedConfig
    residual: ResidualConfig
    text: TextTowerConfig
    text_tokens: int = 0


def embedded_size() -> Size:
    """As the training commands build them by default."""
    sizes = ModelSizes()
    common = {"codes": sizes.codes, "latent": sizes.latent, "heads": sizes.heads, "ff": sizes.ff}
    text = TextTowerConfig(vocab_size=2000)
    return Size(
        RVQConfig(HUMANML3D.channels, width=sizes.rvq_width, code_dim=sizes.code_dim, codes=sizes.codes),
        MaskedConfig(code_dim=sizes.token_dim, layers=sizes.layers, cond_dim=text.dim, **common),
        ResidualConfig(
            code_dim=sizes.residual_code_dim,
            quantizers=sizes.quantizers,
            layers=sizes.residual_layers,
            cond_dim=text.dim,
            **common,
        ),
        text,
    )


def momask_size() -> Size:
    """As published for HumanML3D, with a text tower of the size of CLIP ViT-B/32's, which reads 77 tokens always."""
    text = TextTowerConfig(vocab_size=49408, context=77, width=512, heads=8, layers=12, dim=512)
    return Size(RVQConfig(HUMANML3D.channels), MaskedConfig(), ResidualConfig(), text, text_tokens=77)


SIZES: dict[str, Callable[[], Size]] = {"embedded": embedded_size, "momask": momask_size}


def random_model(size: Size, device: str, fast: bool, half: bool = False) -> tuple[Bundle, EmbeddedTextEncoder]:
    """Weights drawn with a seed; with ``fast`` as the server runs them: packed, or on a GPU in half precision and as graphs.

    ``half`` packs them for bfloat16 products.
    """
    torch.manual_seed(0)
    config = BundleConfig(
        name="random",
        licence="CC0",
        features="humanml3d",
        frame_rate=20.0,
        text_encoder="embedded",
        rvq=size.rvq,
        masked=size.masked,
        residual=size.residual,
        length=None,
    )
    rvq, masked, residual = RVQVAE(size.rvq), MaskedTransformer(size.masked), ResidualTransformer(size.residual)
    for codebook in rvq.quantizer.codebooks:
        codebook.codebook.normal_()
    on_gpu = device.startswith("cuda")
    dtype = torch.float16 if fast and on_gpu else torch.float32
    for model in (rvq, masked, residual):
        if model is not rvq:
            enliven(model)
        model.to(device=device, dtype=dtype).eval().requires_grad_(False)
    if fast:
        for model in (masked, residual):
            if on_gpu:
                use_graphs(model)
            else:
                use_packed_weights(model, half)
    mean, std = torch.zeros(size.rvq.channels), torch.full((size.rvq.channels,), 0.01)
    words = [
        *SPECIAL_TOKENS,
        *WORDS,
        *(f"#{n}" for n in range(size.text.vocab_size - len(SPECIAL_TOKENS) - len(WORDS))),
    ]
    tokenizer = build_tokenizer(words, size.text.context)
    if size.text_tokens:
        tokenizer.enable_padding(length=size.text_tokens)
    text = EmbeddedTextEncoder(size.text, build_tower(size.text), tokenizer, device)
    return Bundle(config, rvq, masked, residual, None, mean.to(device), std.to(device)), text


def enliven(model: nn.Module) -> None:
    """Weights with which a place's token depends on where it is, on its neighbours and on the text."""
    nn.init.normal_(model.get_buffer("encoder.positions"))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            # Random attention averages: at full strength it would make all places alike.
            gain = 0.3 if "attention.out" in name else 1.0
            nn.init.normal_(parameter, std=gain * parameter.shape[-1] ** -0.5)


class Stopwatch:
    """Wall and CPU seconds by stage, one entry a round."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block; on a GPU until it has finished."""
        self._wait()
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self._wait()
        self.wall.setdefault(stage, []).append(time.perf_counter() - wall)
        self.cpu.setdefault(stage, []).append(time.process_time() - cpu)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def clear(self) -> None:
        """Forget what was timed, after warming up."""
        self.wall.clear()
        self.cpu.clear()


def sentences(bundle: Bundle, cond: Tensor, watch: Stopwatch, draws: bool) -> tuple[Tensor, Array]:
    """Tokens (B, N, Q) and features (B, T, C) of 196 frames for condition vectors (B, cond_dim), timed by stage."""
    lengths = [TOKENS] * len(cond)
    options: dict[str, Any] = {"temperature": 0.0}
    if draws:
        options = {"generators": [torch.Generator().manual_seed(seed) for seed in range(len(cond))]}
    options["static_shapes"] = cond.is_cuda
    with torch.inference_mode():
        with watch("base"):
            base = generate_base(bundle.masked, cond, lengths, steps=STEPS, guidance=GUIDANCE, **options)
        with watch("residual"):
            indices = generate_residual(bundle.residual, base, cond, lengths, guidance=RESIDUAL_GUIDANCE, **options)
        with watch("decode"):
            features = bundle.denormalise(bundle.rvq.decode(indices)).double().cpu().numpy()
    return indices, features


def repeated(run: Callable[[], None], watch: Stopwatch, seconds: float) -> None:
    """``run`` once to warm up, then at least three times and until ``seconds`` have passed."""
    run()
    watch.clear()
    rounds, end = 0, time.perf_counter() + seconds
    while rounds < 3 or time.perf_counter() < end:
        run()
        rounds += 1


def print_stages(name: str, bundle: Bundle, text: TextEncoder, batch: int, seconds: float) -> None:
    """One row of the table by stage: seconds a sentence, p50 of each stage, p50 and p95 of the whole, frames a second."""
    device = bundle.mean.device
    watch = Stopwatch(device)

    def run() -> None:
        with watch("text"):
            cond = text.encode([SENTENCE] * batch)
        _, features = sentences(bundle, cond, watch, draws=True)
        with watch("solve"):
            solver.retarget_clips([recover_smooth_positions(f, HUMANML3D) for f in features], default_skeleton())

    repeated(run, watch, seconds)
    spent = np.array([watch.wall[stage] for stage in STAGES]) / batch  # (stages, rounds)
    p50, p95 = np.percentile(spent.sum(0), [50, 95])
    cells = "".join(f"{value:>10.4f}" for value in [*np.median(spent, axis=1), p50, p95])
    print(f"{name:<10}{device.type:<7}{batch:>5}{cells}{TOKENS * TOKEN_FRAMES / p50:>10.0f}", flush=True)


def print_against_original(name: str, bundle: Bundle, plain: Bundle, seconds: float, half: bool = False) -> bool:
    """One row: seconds of the original's way (on ``plain``) and of ours, in turn, and whether tokens and motion were equal.

    Of ``half`` precision only the share of equal tokens is told.
    """
    device = bundle.mean.device
    theirs, ours = Stopwatch(device), Stopwatch(device)
    original = OriginalPipeline(plain.masked, plain.residual)
    cond = torch.randn(1, bundle.config.cond_dim, generator=torch.Generator().manual_seed(0)).to(device)
    equal, shares = [], []

    def run() -> None:
        with theirs("all"):
            base = original.base(cond, [TOKENS], STEPS, GUIDANCE)
            indices = original.layers(base, cond, [TOKENS], RESIDUAL_GUIDANCE)
            features = bundle.denormalise(bundle.rvq.decode(indices)).double().cpu().numpy()
        with ours("all"):
            made = sentences(bundle, cond, Stopwatch(device), draws=False)
        shares.append((indices == made[0]).float().mean().item())
        equal.append(shares[-1] == 1.0 and bool(np.allclose(features, made[1], rtol=1e-4, atol=1e-5)))
        equal.append(len(indices.unique()) > TOKENS)  # a model that says the same everywhere would prove nothing

    repeated(run, ours, seconds)
    wall, cpu = ([float(np.median(getattr(w, kind)["all"])) for w in (theirs, ours)] for kind in ("wall", "cpu"))
    verdict = f"{shares[-1]:.0%}" if half else "equal" if all(equal) else "NOT EQUAL"
    print(
        f"{name:<10}{'bf16' if half else 'fp32':<7}{wall[0]:>10.3f}{wall[1]:>10.3f}{wall[0] / wall[1]:>8.2f}{cpu[0]:>14.3f}{cpu[1]:>10.3f}"
        f"{cpu[0] / cpu[1]:>8.2f}{verdict:>12}",
        flush=True,
    )
    return half or all(equal)


def print_continuation(name: str, engine: Engine, tokens: int, threads: int, seconds: float) -> None:
    """One row: milliseconds of an engine's answer to a request that goes on from a context, its text known."""
    context = engine.generate([MotionRequest(SENTENCE, frames=engine.context_frames)])[0]
    request = MotionRequest(SENTENCE, frames=tokens * engine.token_frames, context=context)
    watch = Stopwatch(torch.device("cpu"))

    def run() -> None:
        with watch("all"):
            engine.generate([request])

    with limited_threads(threads):
        repeated(run, watch, seconds)
    p50, p95 = 1000 * np.percentile(watch.wall["all"], [50, 95])
    cpu = 1000 * np.median(watch.cpu["all"])
    print(f"{name:<10}{f'8 + {tokens}':>8}{threads:>9}{p50:>10.1f}{p95:>10.1f}{cpu:>10.1f}", flush=True)


def main(argv: Sequence[str]) -> int:
    """Print the tables; status 1 when the original's way and ours differ."""
    parser = argparse.ArgumentParser(prog="motionbridge bench generate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[1, 8, 64], help="sentences at once (default: 1 8 64)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of measuring for each row (default: 10)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    args = parser.parse_args(argv)
    device = str(resolve_device(args.device))
    on_gpu = device.startswith("cuda")
    models = {name: random_model(SIZES[name](), device, fast=True) for name in args.sizes}
    equal = True
    with limited_threads(args.threads):
        print(f"196 frames, {STEPS} steps, {torch.get_num_threads()} CPU threads. Seconds a sentence: p50")
        print(
            f"{'model':<10}{'device':<7}{'batch':>5}" + "".join(f"{c:>10}" for c in (*STAGES, "all", "p95", "frames/s"))
        )
        for name, (bundle, text) in models.items():
            for batch in args.batches:
                print_stages(name, bundle, text, batch, args.seconds)
        print("\nBase, residual and decode of one sentence, arg max: seconds, p50, and equal tokens")
        print(
            f"{'model':<10}{'float':<7}{'original':>10}{'ours':>10}{'ratio':>8}{'CPU: original':>14}{'ours':>10}{'ratio':>8}"
        )
        for name, (bundle, _) in models.items():
            plain = random_model(SIZES[name](), device, fast=False)[0]
            equal &= print_against_original(name, plain if on_gpu else bundle, plain, args.seconds)
            if not on_gpu and can_pack(half=True):
                rounded = random_model(SIZES[name](), device, fast=True, half=True)[0]
                print_against_original(name, rounded, plain, args.seconds, half=True)
    print("\nA continuation through the engine, context + new tokens: milliseconds")
    print(f"{'model':<10}{'tokens':>8}{'threads':>9}{'p50':>10}{'p95':>10}{'CPU p50':>10}")
    for name, (bundle, text) in models.items():
        engine = Engine(bundle, text, static_shapes=on_gpu)
        for tokens in (10, 20):
            for threads in (1, 2):
                print_continuation(name, engine, tokens, threads, args.seconds)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
