"""The mannequin: a closed mesh of a person's measures, whose joints move what belongs to them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from protocol.skeleton import default_skeleton
from server.export import isosurface
from server.export.mannequin import INFLUENCES, PART_COLOURS, Mannequin, mannequin
from server.export.skinning import skin
from server.motion import kinematics
from server.motion import rotation as rot

SKELETON = default_skeleton()
REST = SKELETON.rest_positions()


@pytest.fixture(scope="module")
def body() -> Mannequin:
    return mannequin()


def pose(**turns: tuple[str, float]) -> np.ndarray:
    """Local rotations (22, 4) with joints turned about an axis by degrees."""
    local = rot.identity(22)
    for joint, (axis, degrees) in turns.items():
        local[SKELETON.index(joint)] = rot.from_axis_angle(np.array(rot.AXES[axis]), np.radians(degrees))
    return local


def _other_side(joint: str) -> str:
    return joint.replace("left", "*").replace("right", "left").replace("*", "right")


def test_it_is_closed_and_its_faces_look_outward(body: Mannequin):
    edges = np.concatenate([body.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    forth = {tuple(edge) for edge in edges.tolist()}
    assert len(forth) == len(edges)
    assert forth == {(b, a) for a, b in forth}
    corners = body.vertices[body.faces].astype(float)
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6.0
    assert 0.05 < volume < 0.09  # m³: 50 to 90 kg of water
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    smooth = body.normals[body.faces].mean(axis=1)
    assert ((facing * smooth).sum(-1) > 0).mean() > 0.99
    np.testing.assert_allclose(np.linalg.norm(body.normals, axis=-1), 1.0, atol=1e-5)


def test_it_has_the_measures_of_a_person(body: Mannequin):
    low, high = body.vertices.min(axis=0), body.vertices.max(axis=0)
    assert low[1] == pytest.approx(0.0, abs=0.01)
    assert high[1] == pytest.approx(1.73, abs=0.03)
    assert high[0] - low[0] == pytest.approx(high[1], abs=0.06)  # the span of the arms
    head = body.vertices[body.parts == list(PART_COLOURS).index("head")]
    assert 7.0 < high[1] / (head[:, 1].max() - head[:, 1].min()) < 8.0
    visor = body.vertices[body.parts == list(PART_COLOURS).index("visor")]
    assert visor[:, 2].min() > head[:, 2].mean() - 0.01


def test_its_sides_mirror_each_other(body: Mannequin):
    flip = np.array([-1.0, 1.0, 1.0])
    gap, twin = cKDTree(body.vertices).query(body.vertices * flip)
    assert gap.max() < 1e-5
    np.testing.assert_allclose(body.normals[twin], body.normals * flip, atol=1e-3)
    mirrored = [SKELETON.names.index(_other_side(name)) for name in SKELETON.names]
    held = np.zeros((len(twin), 22))
    np.put_along_axis(held, body.joints[:, ::-1], body.weights[:, ::-1], axis=1)
    np.testing.assert_allclose(held[twin], held[:, mirrored], atol=1e-3)


def test_weights_are_a_partition_of_at_most_four_joints(body: Mannequin):
    assert body.joints.shape == body.weights.shape == (len(body.vertices), INFLUENCES)
    np.testing.assert_allclose(body.weights.sum(-1), 1.0, atol=1e-6)
    assert (body.weights >= 0).all()
    assert (np.diff(body.weights, axis=-1) <= 0).all()
    assert (body.joints[body.weights == 0] == 0).all()
    assert set(np.unique(body.joints)) == set(range(22))
    right = np.array([name.startswith("right") for name in SKELETON.names])
    strayed = (body.weights * right[body.joints]).sum(-1)[body.vertices[:, 0] > 0.02]
    assert strayed.max() == 0.0


def test_no_triangle_has_two_colours(body: Mannequin):
    assert (body.parts[body.faces] == body.parts[body.faces[:, :1]]).all()
    assert set(np.unique(body.parts)) == set(range(len(PART_COLOURS)))
    assert body.colours().shape == (len(body.vertices), 3)


def test_the_rest_pose_is_the_mesh_itself(body: Mannequin):
    vertices, normals = skin(body, rot.identity(22), REST[0])
    np.testing.assert_allclose(vertices, body.vertices, atol=1e-6)
    np.testing.assert_allclose(normals, body.normals, atol=1e-5)


def test_what_a_joint_alone_holds_moves_rigidly_with_it(body: Mannequin):
    local = pose(pelvis=("Y", 70.0), left_elbow=("Y", -80.0), right_knee=("X", 60.0), head=("X", 20.0))
    root = np.array([1.0, 0.9, -2.0])
    vertices, _ = skin(body, local, root)
    turned, positions = kinematics.forward(local, root, SKELETON.parents, SKELETON.offsets)
    for name in ("head", "left_wrist", "right_ankle"):
        joint = SKELETON.index(name)
        held = (body.joints[:, 0] == joint) & (body.weights[:, 0] == 1.0)
        assert held.sum() > 50
        moved = positions[joint] + rot.mul_vec(turned[joint], body.vertices[held] - REST[joint])
        np.testing.assert_allclose(vertices[held], moved, atol=1e-6)


def test_a_bent_body_stays_smooth(body: Mannequin):
    local = pose(left_knee=("X", 90.0), right_elbow=("Y", 90.0), left_hip=("X", -80.0), right_shoulder=("Z", 70.0))
    bent, _ = skin(body, local, REST[0])
    edges = np.unique(np.sort(body.faces[:, :2], axis=1), axis=0)
    before, after = (
        np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=-1) for points in (body.vertices, bent)
    )
    assert (after / before).max() < 4.0
    assert after.max() < 0.09  # m: nothing is torn out of the mesh


def test_it_is_the_same_every_time(body: Mannequin):
    again = mannequin.__wrapped__()
    for name in ("vertices", "normals", "faces", "joints", "weights", "parts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(body, name))


def test_a_sphere_is_found_where_it_is():
    centre = np.array([0.1, -0.2, 0.3])

    def ball(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points - centre, axis=-1) - 0.25

    vertices, faces = isosurface.extract(ball, centre - 0.33, centre + 0.33, 0.05)
    np.testing.assert_allclose(np.linalg.norm(vertices - centre, axis=-1), 0.25, atol=1e-6)
    assert len(vertices) - len(faces) * 3 // 2 + len(faces) == 2  # Euler: one closed surface without holes
    np.testing.assert_allclose(isosurface.normals(ball, vertices), (vertices - centre) / 0.25, atol=1e-4)
    with pytest.raises(ValueError, match="does not lie within"):
        isosurface.extract(ball, centre - 0.2, centre + 0.33, 0.05)
