"""What half precision on a CPU may change in the embedded model's motion; the bounds leave room for other processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from server.cache import EMBEDDED
from server.engine import Engine, load_engine
from server.models.packed import can_pack
from server.models.sampling import generate_base, guided
from server.models.text import load_embedded_text
from server.motion import kinematics
from server.motion.motion import MotionRequest
from server.motion.rotation import Array

TEXTS = ("a person walks forward", "someone runs", "a man waves his right hand", "she kicks with the left leg")
TOKENS = 20

pytestmark = pytest.mark.skipif(not can_pack(half=True), reason="this processor has no bfloat16 instructions")


@pytest.fixture(scope="module")
def engines() -> tuple[Engine, Engine]:
    return load_engine(EMBEDDED, "cpu"), load_engine(EMBEDDED, "cpu", precision="half")


def test_the_chances_of_the_tokens_stay_near(engines: tuple[Engine, Engine]) -> None:
    exact, half = (engine.bundle.masked for engine in engines)
    cond = load_embedded_text(EMBEDDED, "cpu").encode(TEXTS)
    ids = generate_base(exact, cond, [TOKENS] * len(TEXTS), temperature=0.0)
    ids[:, ::2] = exact.mask_id
    with torch.no_grad():
        expected, got = (guided(model, cond, None, 3.0)(ids)[:, ::2].softmax(-1) for model in (exact, half))
    moved = 0.5 * (expected - got).abs().sum(-1)  # total variation (B, N / 2)
    assert 0 < moved.mean() < 0.03
    assert (expected.argmax(-1) == got.argmax(-1)).float().mean() > 0.9


def test_the_motion_of_a_seed_stays_nearer_than_that_of_another_seed(engines: tuple[Engine, Engine]) -> None:
    exact, half = engines
    requests = [MotionRequest(text, frames=4 * TOKENS, seed=seed) for seed, text in enumerate(TEXTS)]
    expected = body_positions(exact, requests)
    changed = body_positions(exact, [replace(request, seed=request.seed + 100) for request in requests])
    near, far = (
        np.linalg.norm(other - expected, axis=-1).mean() for other in (body_positions(half, requests), changed)
    )
    assert near < 0.03  # metres
    assert near < 0.5 * far


def body_positions(engine: Engine, requests: Sequence[MotionRequest]) -> Array:
    """Joint positions (B, T, 22, 3) from the pelvis, metres."""
    motions = engine.generate(requests)
    joints = np.stack([kinematics.positions(m.rotations, m.root, engine.skeleton) for m in motions])
    return joints - joints[:, :, :1]
