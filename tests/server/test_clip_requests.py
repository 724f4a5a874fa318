"""`generate` and `edit` of a session without a socket."""

import numpy as np
import pytest
from peer import Peer, greeted, only_error

from protocol.messages import Clip
from protocol.poses import pack_poses
from protocol.skeleton import default_skeleton
from server.model_info import ModelInfo


def test_generate_gives_a_clip():
    peer = greeted()
    peer.say("generate", id="g1", text="walk", seconds=2.0, frame_rate=30, seed=3, steps=5, guidance=2.0)
    request = peer.jobs[0].request
    assert (request.frames, request.seed, request.steps, request.guidance) == (40, 3, 5, 2.0)
    (clip,) = peer.answer()
    assert isinstance(clip, Clip)
    assert (clip.id, clip.frame_rate, clip.seed) == ("g1", 30.0, 3)
    assert clip.count == 59  # from the first model frame to the last


def test_too_many_requests_are_busy_and_ids_must_differ():
    peer = greeted()
    for at in range(4):
        assert peer.say("generate", id=f"g{at}", text="walk") == []
    assert only_error(peer.say("generate", id="g9", text="walk")).code == "busy"
    peer.answer()
    peer.say("generate", id="g1", text="walk")
    assert only_error(peer.say("generate", id="g1", text="walk")).code == "duplicate_id"


def test_a_failed_clip_is_an_error_with_its_id():
    peer = greeted()
    peer.say("generate", id="g1", text="walk")
    peer.session.deliver(peer.jobs[0].number, RuntimeError("out of memory"), peer.now)
    error = only_error(peer.output())
    assert (error.code, error.id) == ("generation_failed", "g1")
    assert "out of memory" in error.message


@pytest.mark.parametrize("encoding", ["float32", "int16"])
@pytest.mark.parametrize("rate", [20.0, 30.0, 47.5, 120.0])
def test_edit_leaves_everything_else_bit_identical(encoding, rate):
    peer = greeted()
    peer.say("generate", id="g1", text="walk", seconds=2.0, frame_rate=rate)
    poses = peer.answer()[0].poses()
    count = len(poses)
    ranges = [[3, 9], [9, 10], [count - 5, count]]
    blocks = dict(zip(("root", "rotations", "contacts"), pack_poses(poses, encoding), strict=True))
    fields = {"id": "e1", "text": "wave", "frame_rate": rate, "count": count, "encoding": encoding, "ranges": ranges}
    assert peer.say("edit", **fields, **blocks) == []
    (clip,) = peer.answer()
    for name, size in (("root", 12), ("rotations", 352 if encoding == "float32" else 176), ("contacts", 1)):
        own = np.frombuffer(blocks[name], np.uint8).reshape(count, size)
        new = np.frombuffer(getattr(clip, name), np.uint8).reshape(count, size)
        outside = np.ones(count, bool)
        for start, end in ranges:
            outside[start:end] = False
        np.testing.assert_array_equal(new[outside], own[outside])
    changed = (clip.poses().rotations != poses.rotations).any(axis=(1, 2))
    assert changed[5]
    assert changed[count - 2]


def test_edit_without_an_engine_for_it_is_unsupported():
    model = ModelInfo("fake", 20.0, default_skeleton(), 196, 20, edits=False)
    peer = Peer(model=model)
    assert "edit" not in peer.hello()[0].supports
