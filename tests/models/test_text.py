"""Text encoders: the embedded tower's files and vectors, the cache, and CLIP's text half."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from server.models.checkpoint import CheckpointError
from server.models.text import (
    PAD_ID,
    SPECIAL_TOKENS,
    TEXT_CONFIG,
    TEXT_TOKENIZER,
    TEXT_WEIGHTS,
    CachedTextEncoder,
    ClipTextEncoder,
    EmbeddedTextEncoder,
    TextEncoderError,
    TextTowerConfig,
    build_tokenizer,
    build_tower,
    clip_text_half,
    load_embedded_text,
    save_embedded_text,
)

WORDS = ("a", "person", "walk", "##s", "wave", "left", "right", ".", "!")
VOCABULARY = (*SPECIAL_TOKENS, *WORDS)
CONFIG = TextTowerConfig(vocab_size=len(VOCABULARY), context=8, width=16, heads=2, layers=2, dim=12)


def make_encoder(seed: int = 0) -> EmbeddedTextEncoder:
    torch.manual_seed(seed)
    tower = build_tower(CONFIG)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.copy_(torch.randn_like(parameter).half())
    return EmbeddedTextEncoder(CONFIG, tower, build_tokenizer(VOCABULARY, CONFIG.context), "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    encoder = make_encoder()
    save_embedded_text(tmp_path, CONFIG, encoder.tower, encoder.tokenizer)
    return tmp_path


class TestEmbedded:
    def test_vectors_are_unit_float32_of_the_config_s_width(self) -> None:
        vectors = make_encoder().encode(["a person walks", "wave!"])
        assert vectors.shape == (2, 12)
        assert vectors.dtype == torch.float32
        assert not vectors.requires_grad
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2))

    def test_a_sentence_has_the_same_vector_alone_and_beside_longer_ones(self) -> None:
        encoder = make_encoder()
        beside = encoder.encode(["wave", "a person walks left right"])[0]
        torch.testing.assert_close(encoder.encode(["wave"])[0], beside, atol=1e-5, rtol=0)

    def test_words_and_their_order_matter_and_case_does_not(self) -> None:
        encoder = make_encoder()
        left, right, shouted, turned = encoder.encode(["wave left", "wave right", "WAVE Left", "left wave"])
        torch.testing.assert_close(left, shouted)
        assert (left - right).norm() > 1e-2
        assert (left - turned).norm() > 1e-2

    def test_pieces_and_unknown_words(self) -> None:
        tokens = make_encoder().tokenizer.encode("Walks, zebra").tokens
        assert tokens == ["[CLS]", "walk", "##s", "[UNK]", "[UNK]", "[SEP]"]

    def test_what_exceeds_the_context_is_cut_not_refused(self) -> None:
        encoder = make_encoder()
        long, longer = encoder.encode(["walk " * 6, "walk " * 2000])
        torch.testing.assert_close(long, longer)

    @pytest.mark.parametrize("text", ["", " ", "\u4f60\u597d", "\x00", "\U0001f600"])
    def test_odd_texts_have_finite_unit_vectors(self, text: str) -> None:
        vector = make_encoder().encode([text])[0]
        torch.testing.assert_close(vector.norm(), torch.tensor(1.0))

    def test_no_texts_no_vectors(self) -> None:
        assert make_encoder().encode([]).shape == (0, 12)

    def test_a_vocabulary_must_start_with_the_special_tokens(self) -> None:
        with pytest.raises(ValueError, match="starts with"):
            build_tokenizer(WORDS, 8)

    def test_heads_must_divide_the_width(self) -> None:
        with pytest.raises(ValueError, match="width 10 is not a multiple of heads 4"):
            TextTowerConfig(vocab_size=9, width=10, heads=4)


class TestTower:
    def test_it_is_open_clip_s_text_transformer(self) -> None:
        config = CONFIG.model_dump(exclude={"context", "dim"})
        theirs = open_clip.transformer.TextTransformer(
            **config, context_length=CONFIG.context, output_dim=CONFIG.dim, no_causal_mask=True, use_pad_mask=True,
            pad_id=PAD_ID, pool_type="none",
        ).eval()  # fmt: skip
        ours = make_encoder().tower
        theirs.load_state_dict(ours.state_dict(), strict=True)
        ids = torch.tensor([[2, 5, 6, 3, 0, 0], [2, 9, 9, 9, 9, 3]])
        with torch.no_grad():
            expected, found = theirs(ids), ours(ids)
        torch.testing.assert_close(found[ids != PAD_ID], expected[ids != PAD_ID], atol=1e-5, rtol=1e-5)

    def test_it_starts_with_clip_s_spread_of_weights(self) -> None:
        torch.manual_seed(0)
        config = TextTowerConfig(vocab_size=500, context=48, width=64, heads=4, layers=3, dim=64)
        state = build_tower(config).state_dict()
        theirs = open_clip.transformer.TextTransformer(
            vocab_size=500, context_length=48, width=64, heads=4, layers=3, output_dim=64
        ).state_dict()
        assert {name for name, value in state.items() if not value.isfinite().all()} == set()
        for name, value in state.items():
            if value.ndim > 1:
                assert float(value.std()) == pytest.approx(float(theirs[name].std()), rel=0.1), name


class TestFiles:
    def test_round_trip_in_half_precision(self, folder: Path) -> None:
        texts = ["a person waves", "walk left."]
        torch.testing.assert_close(load_embedded_text(folder).encode(texts), make_encoder().encode(texts))
        assert {value.dtype for value in load_file(folder / TEXT_WEIGHTS).values()} == {torch.float16}
        assert sorted(path.name for path in folder.iterdir()) == sorted((TEXT_CONFIG, TEXT_TOKENIZER, TEXT_WEIGHTS))

    @pytest.mark.parametrize("name", [TEXT_CONFIG, TEXT_TOKENIZER, TEXT_WEIGHTS])
    def test_a_missing_file_is_named(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        with pytest.raises(CheckpointError, match=name):
            load_embedded_text(folder)

    @pytest.mark.parametrize("name", [TEXT_CONFIG, TEXT_TOKENIZER, TEXT_WEIGHTS])
    def test_a_cut_file_is_named(self, folder: Path, name: str) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(CheckpointError, match=name):
            load_embedded_text(folder)

    def test_keys_are_strict(self, folder: Path) -> None:
        weights = load_file(folder / TEXT_WEIGHTS)
        save_file({**weights, "extra.weight": torch.zeros(1)}, folder / TEXT_WEIGHTS)
        with pytest.raises(CheckpointError, match=r"extra\.weight"):
            load_embedded_text(folder)
        weights.pop("ln_final.bias")
        save_file(weights, folder / TEXT_WEIGHTS)
        with pytest.raises(CheckpointError, match=r"ln_final\.bias"):
            load_embedded_text(folder)

    def test_config_is_strict(self, folder: Path) -> None:
        raw = json.loads((folder / TEXT_CONFIG).read_text())
        (folder / TEXT_CONFIG).write_text(json.dumps({**raw, "colour": 1}))
        with pytest.raises(CheckpointError, match="colour"):
            load_embedded_text(folder)

    def test_a_tokenizer_of_another_vocabulary_is_refused(self, folder: Path) -> None:
        build_tokenizer((*VOCABULARY, "more"), 8).save(str(folder / TEXT_TOKENIZER))
        with pytest.raises(CheckpointError, match=f"has {len(VOCABULARY) + 1} tokens; the tower has {len(VOCABULARY)}"):
            load_embedded_text(folder)


class Counting:
    """Encodes a text as its length and remembers every batch."""

    dim = 1

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.batches.append(list(texts))
        return torch.tensor([[float(len(text))] for text in texts]).reshape(-1, 1)


class TestCache:
    def test_misses_go_in_one_batch_without_repeats(self) -> None:
        inner = Counting()
        cache = CachedTextEncoder(inner, 8)
        assert cache.encode(["a", "bb", "a"]).tolist() == [[1.0], [2.0], [1.0]]
        assert cache.encode(["bb", "ccc"]).tolist() == [[2.0], [3.0]]
        assert inner.batches == [["a", "bb"], ["ccc"]]

    def test_the_least_recently_asked_goes_first(self) -> None:
        inner = Counting()
        cache = CachedTextEncoder(inner, 2)
        for text in ("a", "b", "a", "c", "a", "b"):
            cache.encode([text])
        assert inner.batches == [["a"], ["b"], ["c"], ["b"]]

    def test_a_batch_beyond_the_capacity_is_whole(self) -> None:
        cache = CachedTextEncoder(Counting(), 2)
        cache.encode(["a"])
        assert cache.encode(["a", "bb", "ccc", "dddd"]).tolist() == [[1.0], [2.0], [3.0], [4.0]]
        assert cache.encode([]).shape == (0, 1)

    def test_what_a_caller_does_to_a_result_does_not_reach_the_cache(self) -> None:
        cache = CachedTextEncoder(Counting(), 2)
        cache.encode(["a"]).zero_()
        assert cache.encode(["a"]).tolist() == [[1.0]]

    def test_capacity_is_at_least_one(self) -> None:
        with pytest.raises(ValueError, match="capacity is 0"):
            CachedTextEncoder(Counting(), 0)


def tiny_clip() -> open_clip.CLIP:
    torch.manual_seed(0)
    vision = open_clip.CLIPVisionCfg(layers=1, width=64, patch_size=16, image_size=32)
    text = open_clip.CLIPTextCfg(context_length=77, vocab_size=49408, width=128, heads=2, layers=2)
    return open_clip.CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()


class TestClip:
    @pytest.mark.parametrize("name", ["clip.safetensors", "clip.pt"])
    def test_features_are_encode_text_s_own(self, tmp_path: Path, name: str) -> None:
        clip = tiny_clip()
        state = {key: value.contiguous() for key, value in clip.state_dict().items()}
        (save_file if name.endswith(".safetensors") else torch.save)(state, tmp_path / name)
        encoder = ClipTextEncoder.load(tmp_path / name)
        texts = ["a person waves", "walk " * 200]
        with torch.no_grad():
            expected = clip.encode_text(open_clip.get_tokenizer("ViT-B-32-quickgelu")(texts))
        torch.testing.assert_close(encoder.encode(texts), expected, atol=1e-5, rtol=1e-5)
        assert encoder.dim == 24
        assert encoder.encode([]).shape == (0, 24)
        assert not any("visual" in key for key in encoder.tower.state_dict())

    def test_keys_are_strict(self) -> None:
        state = tiny_clip().state_dict()
        with pytest.raises(TextEncoderError, match="surplus"):
            clip_text_half({**state, "surplus": torch.zeros(1)})
        del state["ln_final.bias"]
        with pytest.raises(TextEncoderError, match=r"ln_final\.bias missing"):
            clip_text_half(state)

    def test_no_weights_names_the_remedy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(*args: object, **kwargs: object) -> None:
            raise OSError("no route to host")

        monkeypatch.setattr(open_clip, "create_model", offline)
        with pytest.raises(TextEncoderError, match=r"no route to host.*ViT-B-32\.pt"):
            ClipTextEncoder.load()

    def test_a_missing_or_broken_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(TextEncoderError, match=r"no file .*none\.pt"):
            ClipTextEncoder.load(tmp_path / "none.pt")
        (tmp_path / "bad.pt").write_bytes(b"not weights")
        with pytest.raises(TextEncoderError, match=r"bad\.pt cannot be read"):
            ClipTextEncoder.load(tmp_path / "bad.pt")
