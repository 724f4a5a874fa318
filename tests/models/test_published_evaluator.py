"""The published evaluator's layout with random weights, computed a second way; its word vectors; what is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from published_files import WORDS, write_glove, write_published
from torch import Tensor

from server.evaluation.data import Caption, load_split
from server.evaluation.evaluators import load_evaluator
from server.models.checkpoint import CheckpointError
from server.models.glove import TAGS, Glove
from server.models.published_evaluator import load_published
from server.motion.features import HUMANML3D, KIT
from server.training.prepare import prepare


def by_hand(state: dict[str, Tensor], inputs: Tensor) -> Tensor:
    """One sequence (N, inputs) through a bidirectional GRU and the head, gate by gate."""
    embedded = inputs @ state["input_emb.weight"].T + state["input_emb.bias"]
    ends = []
    for row, way in enumerate(("", "_reverse")):
        hidden = state["hidden"][row, 0]
        for step in embedded if not way else embedded.flip(0):
            gates_in, gates_on = (
                state[f"gru.weight_{part}_l0{way}"] @ value + state[f"gru.bias_{part}_l0{way}"]
                for part, value in (("ih", step), ("hh", hidden))
            )
            (r_in, z_in, n_in), (r_on, z_on, n_on) = gates_in.chunk(3), gates_on.chunk(3)
            update = torch.sigmoid(z_in + z_on)
            fresh = torch.tanh(n_in + torch.sigmoid(r_in + r_on) * n_on)
            hidden = (1 - update) * fresh + update * hidden
        ends.append(hidden)
    value = state["output_net.0.weight"] @ torch.cat(ends) + state["output_net.0.bias"]
    value = (value - value.mean()) / (value.var(unbiased=False) + 1e-5).sqrt()
    value = F.leaky_relu(value * state["output_net.1.weight"] + state["output_net.1.bias"], 0.2)
    return state["output_net.3.weight"] @ value + state["output_net.3.bias"]


@pytest.mark.parametrize(("name", "layout"), [("t2m", HUMANML3D), ("kit", KIT)])
def test_motions_by_hand(tmp_path: Path, name: str, layout):
    folder = write_published(tmp_path, layout.channels, name)
    evaluator = load_evaluator(folder, layout.channels)
    states = torch.load(folder / "text_mot_match" / "model" / "finest.tar", weights_only=True)
    random = np.random.default_rng(1)
    motions = [random.normal(size=(frames, layout.channels)).astype(np.float32) for frames in (44, 196, 60)]
    mean, std = (np.load(folder / "Comp_v6_KLD005" / "meta" / f"{part}.npy") for part in ("mean", "std"))
    movement = states["movement_encoder"]
    for motion, found in zip(motions, evaluator.motions(motions), strict=True):
        padded = torch.zeros(1, layout.channels - 4, 196)
        padded[0, :, : len(motion)] = torch.from_numpy(((motion - mean) / std)[:, :-4].T)
        for place in ("0", "3"):
            weight, bias = movement[f"main.{place}.weight"], movement[f"main.{place}.bias"]
            padded = F.leaky_relu(F.conv1d(padded, weight, bias, stride=2, padding=1), 0.2)
        codes = padded[0].T @ movement["out_net.weight"].T + movement["out_net.bias"]
        expected = by_hand(states["motion_encoder"], codes[: len(motion) // 4])
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_texts_by_hand(tmp_path: Path):
    folder = write_published(tmp_path)
    evaluator = load_evaluator(folder, 263)
    states = torch.load(folder / "text_mot_match" / "model" / "finest.tar", weights_only=True)["text_encoder"]
    vectors = np.load(tmp_path / "glove" / "our_vab_data.npy").astype(np.float32)
    captions = [
        (("a/DET", "person/NOUN", "walk/VERB", "left/NOUN"), ("DET", "NOUN", "action", "place")),
        (("table/NOUN", "nowhere/NOUN", "a/X"), ("NOUN", "OTHER", "OTHER")),
        (("walk/VERB",) * 25, ("action",) * 20),
    ]
    found = evaluator.texts([Caption("", tokens) for tokens, _ in captions])
    for (tokens, tags), embedded in zip(captions, found, strict=True):
        words = ["sos", *(token.split("/")[0] for token in tokens[:20]), "eos"]
        rows = [WORDS.index(word) if word in WORDS else WORDS.index("unk") for word in words]
        hot = F.one_hot(torch.tensor([TAGS.index(tag) for tag in ("OTHER", *tags, "OTHER")]), 15).float()
        inputs = torch.from_numpy(vectors[rows]) + hot @ states["pos_emb.weight"].T + states["pos_emb.bias"]
        np.testing.assert_allclose(embedded, by_hand(states, inputs).numpy(), rtol=1e-3, atol=1e-4)


def test_captions_without_parts_of_speech_are_refused(tmp_path: Path):
    evaluator = load_evaluator(write_published(tmp_path), 263)
    with pytest.raises(ValueError, match="'a person walks' has no parts of speech"):
        evaluator.texts([Caption("a person walks")])


def test_prepared_published_data_keeps_the_tokens(tmp_path: Path):
    source = tmp_path / "HumanML3D"
    for folder in ("new_joint_vecs", "texts"):
        (source / folder).mkdir(parents=True)
    np.save(source / "new_joint_vecs" / "1.npy", np.random.default_rng(0).normal(size=(120, 263)))
    lines = ("a person walks left.#a/DET person/NOUN walk/VERB left/NOUN#0.0#0.0", "a walk#a/DET walk/NOUN#1.0#4.0")
    (source / "texts" / "1.txt").write_text("\n".join(lines), encoding="utf-8")
    for split in ("train", "val", "test"):
        (source / f"{split}.txt").write_text("1\n" if split != "val" else "", encoding="utf-8")
    prepare("humanml3d", source, tmp_path / "data")
    part, whole = load_split(tmp_path / "data", "test").clips
    assert whole.captions == (Caption("a person walks left.", ("a/DET", "person/NOUN", "walk/VERB", "left/NOUN")),)
    assert part.captions == (Caption("a walk", ("a/DET", "walk/NOUN")),)


def test_a_damaged_or_other_checkpoint_is_named(tmp_path: Path):
    folder = write_published(tmp_path)
    path = folder / "text_mot_match" / "model" / "finest.tar"
    states = torch.load(path, weights_only=True)
    without = {key: value for key, value in states["motion_encoder"].items() if key != "gru.bias_hh_l0"}
    torch.save(states | {"motion_encoder": without}, path)
    with pytest.raises(CheckpointError, match=r"finest\.tar: key gru\.bias_hh_l0 missing"):
        load_published(folder)
    torch.save({"vq_model": {}}, path)
    with pytest.raises(CheckpointError, match="not a text_mot_match checkpoint"):
        load_published(folder)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_published(folder)


class _Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize("value", [_Evil(), [_Evil()]])
def test_word_lists_that_call_something_are_refused(tmp_path: Path, value: object):
    folder = write_glove(tmp_path / "glove")
    (folder / "our_vab_words.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(CheckpointError, match=r"our_vab_words\.pkl is not a plain list"):
        Glove.load(folder)
    folder = write_published(tmp_path / "other")
    torch.save({"movement_encoder": value}, folder / "text_mot_match" / "model" / "finest.tar")
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        load_published(folder)


def test_word_lists_that_do_not_fit_are_named(tmp_path: Path):
    folder = write_glove(tmp_path / "glove")
    (folder / "our_vab_idx.pkl").write_bytes(pickle.dumps(dict.fromkeys(WORDS, 99)))
    with pytest.raises(CheckpointError, match="words without a vector: sos"):
        Glove.load(folder)
    (folder / "our_vab_idx.pkl").write_bytes(pickle.dumps({"walk": 1}))
    with pytest.raises(CheckpointError, match="do not belong together"):
        Glove.load(folder)
