"""Skinning for the stage: the same surface as the exported files show, part by part."""

import numpy as np
import pytest

from protocol import rotation as rot
from protocol.skeleton import default_skeleton
from server.export.mannequin import mannequin
from server.export.skinning import skin
from server.preview.body import Body


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(mannequin(), default_skeleton())


@pytest.fixture(scope="module")
def poses():
    generator = np.random.default_rng(7)
    turns = rot.from_axis_angle(rot.normalize(generator.normal(size=(3, 22, 3))), generator.uniform(0, 1.2, (3, 22)))
    return generator.normal(size=(3, 3)) * [5.0, 0.2, 5.0], turns


def test_vertices_are_where_the_reference_puts_them(body: Body, poses):
    root, rotations = poses
    vertices, joints = body.vertices(root, rotations)
    order = np.argsort(mannequin().parts, kind="stable")
    for at in range(3):
        expected = skin(mannequin(), rotations[at], root[at])[0][order]
        np.testing.assert_allclose(vertices[at], expected, atol=2e-5)
        np.testing.assert_allclose(joints[at, 0], root[at])
    assert vertices.dtype == np.float32


def test_the_rest_pose_is_the_mesh_itself(body: Body):
    root = default_skeleton().offsets[:1]
    vertices, _ = body.vertices(root, rot.identity(1, 22))
    np.testing.assert_allclose(vertices[0], body.rest_vertices, atol=1e-5)


def test_the_parts_share_out_all_vertices_and_all_triangles(body: Body):
    mesh = mannequin()
    rows = [row for part in body.parts for row in range(part.rows.start, part.rows.stop)]
    assert rows == list(range(len(mesh.vertices)))
    triangles = np.concatenate([body.rest_vertices[part.rows][part.faces] for part in body.parts])
    expected = mesh.vertices[mesh.faces]
    assert len(triangles) == len(expected)
    np.testing.assert_allclose(_sorted(triangles), _sorted(expected))


def _sorted(triangles: np.ndarray) -> np.ndarray:
    flat = triangles.reshape(len(triangles), 9)
    return flat[np.lexsort(flat.T)]
