"""Joined motions and standing still, made from a small prepared dataset of walks and waves."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "motion"))
from synthetic import positions_of

from server.motion.features import HUMANML3D, extract, recover_positions
from server.training import augment
from server.training.dataset import MotionDataset
from server.training.prepare import PreparedReport, _Clip, _write


@pytest.fixture
def dataset(tmp_path: Path) -> MotionDataset:
    still = np.repeat(positions_of(frames=2)[:1], 61, axis=0)
    clips = [
        _Clip("left", "train", "left", ["turns left"], extract(positions_of(frames=81, turn=1.0), HUMANML3D).features),
        _Clip("right", "train", "right", ["turns right"], extract(positions_of(frames=81, turn=-1.0), HUMANML3D).features),
        _Clip("still", "train", "still", ["waits"], extract(still, HUMANML3D).features),
    ]  # fmt: skip
    _write(tmp_path, clips, HUMANML3D, PreparedReport(), "bvh")
    return MotionDataset(tmp_path, "train")


def positions(clip: augment.ExtraClip, dataset: MotionDataset) -> np.ndarray:
    features = (clip.features * dataset.std + dataset.mean).double().numpy()
    return recover_positions(features, dataset.layout)


def test_a_joined_clip_goes_from_one_action_to_the_other(dataset: MotionDataset):
    made = augment.transition_clips(dataset, 12, power=0.4, seed=0)
    assert len(made) == 12
    assert {clip.captions for clip in made} == {("turns left",), ("turns right",), ("waits",)}
    for clip in made:
        assert clip.context == augment.CONTEXT_FRAMES
        assert len(clip.features) >= clip.context + augment.MIN_NEW_FRAMES
        steps = np.linalg.norm(np.diff(positions(clip, dataset), axis=0), axis=-1).max(axis=1)
        assert steps[clip.context - 2 : clip.context + 1].max() < 1.5 * np.delete(steps, [31]).max()


def test_joining_is_repeatable_and_gives_up_where_nothing_can_be_joined(dataset: MotionDataset):
    once, again = (augment.transition_clips(dataset, 3, power=0.4, seed=5) for _ in range(2))
    assert all((a.features == b.features).all() for a, b in zip(once, again, strict=True))
    dataset.clips = [clip for clip in dataset.clips if clip.clip_id == "left"]
    assert augment.transition_clips(dataset, 3, power=0.4, seed=5) == []


def test_standing_is_taken_from_quiet_upright_stretches_only(dataset: MotionDataset):
    made = augment.standing_clips(dataset, 10, seed=0)
    assert len(made) == 1, "only one recording stands still"
    assert made[0].captions == augment.STANDING
    assert made[0].context == 0
    assert np.ptp(positions(made[0], dataset), axis=0).max() < 0.01
