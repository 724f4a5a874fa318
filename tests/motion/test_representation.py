"""KIT-ML's 21 joints as our 22 and back: sides, headings and units, whichever way the published axes run."""

import numpy as np
import pytest
from synthetic import SKELETON, positions_of, walker

from server.motion import kinematics, solver
from server.motion import rotation as rot
from server.motion.features import KIT, extract
from server.motion.representation import HumanML3DRepresentation, KitRepresentation, representation

# Where a Master Motor Map body of our proportions has its joints: ours, or the share of the way between two of ours.
MMM = {
    0: "pelvis",
    1: ("pelvis", "spine1", 0.9),
    2: ("spine2", "spine3", 0.5),
    3: "neck",
    4: "head",
    **{5 + n: f"left_{part}" for n, part in enumerate(("shoulder", "elbow", "wrist"))},
    **{8 + n: f"right_{part}" for n, part in enumerate(("shoulder", "elbow", "wrist"))},
    **{11 + n: f"left_{part}" for n, part in enumerate(("hip", "knee", "ankle"))},
    **{16 + n: f"right_{part}" for n, part in enumerate(("hip", "knee", "ankle"))},
    14: ("left_ankle", "left_foot", 0.7),
    15: "left_foot",
    19: ("right_ankle", "right_foot", 0.7),
    20: "right_foot",
}
AXES = {"mirrored": (-1.0, 1.0, 1.0), "from behind": (-1.0, 1.0, -1.0)}


def mmm(positions: np.ndarray) -> np.ndarray:
    """Positions (T, 21, 3), millimetres, of our joints (T, 22, 3), metres."""

    def at(place):
        if isinstance(place, str):
            return positions[:, SKELETON.index(place)]
        low, high, share = place
        return at(low) * (1 - share) + at(high) * share

    return 1000.0 * np.stack([at(MMM[joint]) for joint in range(21)], axis=1)


def published(axes: str, **kwargs) -> tuple[np.ndarray, KitRepresentation]:
    """KIT-ML features of a walk, in published axes of one kind, and the representation of a model trained on them."""
    features = extract(mmm(positions_of(**kwargs)) * AXES[axes], KIT).features
    return features, KitRepresentation(features.mean(axis=0))


def degrees(a, b):
    return np.degrees(rot.angle_between(a, b))


@pytest.mark.parametrize("axes", AXES)
def test_a_walk_comes_back_with_its_left_on_the_left(axes):
    features, kit = published(axes, frames=80, turn=1.0)
    made = solver.retarget_positions(kit.positions(features), SKELETON)
    local, root = walker(frames=80, turn=1.0)
    wanted = solver.retarget_positions(kinematics.positions(local, root, SKELETON), SKELETON)
    turn = rot.mul(rot.inv(wanted.globals[0, 0]), made.globals[0, 0])
    assert np.degrees(rot.angle_between(turn, rot.about_y(np.array(2 * np.arctan2(turn[1], turn[3]))))) < 5
    limbs = [SKELETON.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "elbow")]
    assert degrees(made.local[:, limbs], wanted.local[: len(made.local), limbs]).max() < 6
    assert np.abs(np.diff(made.root, axis=0)[:, [0, 2]]).sum() == pytest.approx(
        np.abs(np.diff(rot.mul_vec(rot.about_y(np.array(2 * np.arctan2(turn[1], turn[3]))), wanted.root), axis=0))[
            : len(made.root) - 1, [0, 2]
        ].sum(),
        rel=0.02,
    )


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("turn", [-2.0, 0.0, 2.0])
def test_headings_are_those_of_the_body(axes, turn):
    features, kit = published(axes, frames=80, turn=turn)
    heading = kit.headings(features)
    assert heading[0] == pytest.approx(0.0, abs=1e-9)
    # The representation's facing is smoothed over two seconds, which rounds off both ends of a turn.
    assert heading[-1] == pytest.approx(0.9 * turn, abs=0.1 * abs(turn) + 0.05)
    across = np.diff(kit.positions(features)[:, [SKELETON.index("right_hip"), SKELETON.index("left_hip")]], axis=1)[
        :, 0
    ]
    facing = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
    np.testing.assert_allclose(facing - heading - (facing - heading).mean(), 0.0, atol=0.3)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("heading", [0.0, 1.5, 3.1, -2.4])
def test_features_of_our_own_body(axes, heading):
    _, kit = published(axes, frames=80)
    positions = positions_of(frames=80, heading=heading, turn=0.5)
    features, headings = kit.features(positions)
    assert features.shape == (79, 251)
    assert np.angle(np.exp(1j * (headings[0] - heading))) == pytest.approx(0.0, abs=0.1)
    back = solver.retarget_positions(kit.positions(features), SKELETON)
    wanted = solver.retarget_positions(positions[:-1], SKELETON)
    limbs = [SKELETON.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "elbow")]
    assert degrees(back.local[:, limbs], wanted.local[:, limbs]).max() < 6
    assert features[:, 3].mean() == pytest.approx(published(axes, frames=80)[0][:, 3].mean(), rel=0.05)


def test_what_the_published_contacts_mean_is_not_used():
    features, kit = published("mirrored", frames=40)
    assert kit.contacts(features) is None
    assert HumanML3DRepresentation().contacts(np.ones((3, 263))).all()


def test_every_joint_is_a_mix_whose_weights_sum_to_one():
    features, kit = published("mirrored", frames=40)
    for matrix in (kit._body.to_22, kit._body.to_21):
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
    assert isinstance(representation("kit", features.mean(axis=0)), KitRepresentation)
    assert isinstance(representation("humanml3d", np.zeros(263)), HumanML3DRepresentation)
