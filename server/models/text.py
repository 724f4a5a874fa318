"""Text encoders: sentences -> condition vectors. They stand outside the transformers, which only see the vectors.

=========================  ==================================================================================
``text.safetensors``       weights of the embedded tower, keys of ``open_clip.transformer.TextTransformer``
``text_tokenizer.json``    its WordPiece vocabulary, as the ``tokenizers`` library writes it
``text_config.json``       ``TextTowerConfig``
=========================  ==================================================================================
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from server.files import write_atomically
from server.models.checkpoint import CheckpointError
from server.models.text_tower import TextTower

TEXT_WEIGHTS = "text.safetensors"
TEXT_TOKENIZER = "text_tokenizer.json"
TEXT_CONFIG = "text_config.json"

PAD, UNKNOWN, CLASS, SEPARATOR = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
PAD_ID = 0

CLIP_MODEL = "ViT-B-32-quickgelu"
CLIP_PRETRAINED = "openai"
# The text half of an open_clip CLIP has these keys beside "transformer.*"; everything else is the visual half.
CLIP_TEXT_KEYS = (
    "token_embedding.weight",
    "positional_embedding",
    "ln_final.weight",
    "ln_final.bias",
    "text_projection",
)
CLIP_OTHER_KEYS = ("logit_scale", "logit_bias", "attn_mask", "input_resolution", "context_length", "vocab_size")
CLIP_HEAD_WIDTH = 64
STANDARD_MEAN, STANDARD_SCALE = "standard.mean", "standard.scale"


class TextEncoderError(RuntimeError):
    """A text encoder that cannot be had; the message names the remedy."""


class TextEncoder(Protocol):
    """Anything that turns sentences into condition vectors of width ``dim``."""

    @property
    def dim(self) -> int:
        """Width of a condition vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Condition vectors (B, dim) float32 of ``texts``, on the encoder's device, without gradients."""
        ...


class TextTowerConfig(BaseModel):
    """Sizes of the embedded text tower. ``context`` is in tokens, ``[CLS]`` and ``[SEP]`` included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocab_size: int
    context: int = 48
    width: int = 192
    heads: int = 6
    layers: int = 4
    dim: int = 384

    @model_validator(mode="after")
    def _sizes_fit(self) -> TextTowerConfig:
        for name in ("vocab_size", "context", "width", "heads", "layers", "dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 1")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


def build_tower(config: TextTowerConfig) -> TextTower:
    """The tower of these sizes with random weights: ids (B, L) -> (B, L, dim)."""
    return TextTower(**config.model_dump(), pad_id=PAD_ID)


def embed_tokens(tower: nn.Module, ids: Tensor) -> Tensor:
    """Unit-length sentence vectors (B, dim) float32 of token ids (B, L): the mean over tokens that are not padding.

    Mean pooling as in Sentence-BERT (Reimers and Gurevych, EMNLP 2019).
    """
    tokens = tower(ids).float()  # (B, L, dim)
    keep = (ids != PAD_ID).unsqueeze(-1)  # (B, L, 1)
    return F.normalize((tokens * keep).sum(dim=1), dim=-1)  # (B, dim)


def build_tokenizer(vocabulary: Sequence[str], context: int) -> Any:
    """A lower-casing, accent-stripping WordPiece ``tokenizers.Tokenizer`` that pads a batch to its longest sentence.

    ``vocabulary`` gives the ids by position and starts with ``SPECIAL_TOKENS``. Sentences of more than ``context``
    tokens are cut. A word that has no pieces becomes ``[UNK]``.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    if tuple(vocabulary[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
        raise ValueError(f"a vocabulary starts with {SPECIAL_TOKENS}, not with {tuple(vocabulary[:4])}")
    ids = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(ids, unk_token=UNKNOWN))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single=f"{CLASS} $A {SEPARATOR}", special_tokens=[(token, ids[token]) for token in (CLASS, SEPARATOR)]
    )
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(pad_id=PAD_ID, pad_token=PAD)
    return tokenizer


class Standard(NamedTuple):
    """Mean and scale (dim,) that bring the vectors of one's captions to mean 0 and deviation 1 in every value.

    Sentences about movement lie close together in a general embedding (a sentence and its mirror image at a cosine of
    0.97); spread out, their differences are as large for the motion models as CLIP's are.
    """

    mean: Tensor
    scale: Tensor

    @staticmethod
    def identity(dim: int) -> Standard:
        """The standard that changes nothing."""
        return Standard(torch.zeros(dim), torch.ones(dim))

    @staticmethod
    def of(vectors: Tensor) -> Standard:
        """The standard of a set of vectors (captions, dim)."""
        return Standard(vectors.mean(0), 1.0 / vectors.std(0).clamp_min(1e-4))


class EmbeddedTextEncoder:
    """The compact text tower of an embedded checkpoint, distilled from a sentence embedder.

    Its unit-length vectors are standardised by ``standard``, that of the captions it was trained on.
    """

    def __init__(
        self,
        config: TextTowerConfig,
        tower: nn.Module,
        tokenizer: Any,
        device: torch.device | str,
        standard: Standard | None = None,
    ) -> None:
        self.config = config
        self.tower = tower.to(device).eval()
        self.tokenizer = tokenizer
        self.device = torch.device(device)
        standard = standard or Standard.identity(config.dim)
        self.standard = Standard(standard.mean.to(device), standard.scale.to(device))

    @property
    def dim(self) -> int:
        """Width of a condition vector."""
        return self.config.dim

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Standardised vectors (B, dim) float32 of ``texts``; case is ignored, what exceeds the context is cut."""
        if not texts:
            return torch.zeros(0, self.dim, device=self.device)
        encodings = self.tokenizer.encode_batch(list(texts))
        vectors = embed_tokens(self.tower, torch.tensor([e.ids for e in encodings], device=self.device))
        return (vectors - self.standard.mean) * self.standard.scale


def save_embedded_text(
    folder: Path, config: TextTowerConfig, tower: nn.Module, tokenizer: Any, standard: Standard | None = None
) -> None:
    """Write the three files of an embedded tower into ``folder``: fp16 weights, each file replaced atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    standard = standard or Standard.identity(config.dim)
    weights = {name: value.detach().cpu().half().contiguous() for name, value in tower.state_dict().items()}
    weights |= {
        STANDARD_MEAN: standard.mean.detach().cpu().half(),
        STANDARD_SCALE: standard.scale.detach().cpu().half(),
    }
    write_atomically(
        folder / TEXT_CONFIG, lambda path: path.write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    )
    write_atomically(folder / TEXT_TOKENIZER, lambda path: tokenizer.save(str(path), pretty=False))
    write_atomically(folder / TEXT_WEIGHTS, lambda path: save_file(weights, path))


def load_embedded_text(folder: Path, device: torch.device | str = "cpu") -> EmbeddedTextEncoder:
    """The embedded tower in ``folder``, computing in float32.

    Raises:
        CheckpointError: a file is missing or unreadable, a key is missing, unknown or of another shape, or the
            vocabulary is not the config's.
    """
    for name in (TEXT_CONFIG, TEXT_TOKENIZER, TEXT_WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} has no {name}; copy the whole checkpoint or run `motionbridge train text`")
    try:
        config = TextTowerConfig.model_validate_json((folder / TEXT_CONFIG).read_bytes())
    except ValidationError as error:
        raise CheckpointError(f"{folder / TEXT_CONFIG} is not a text tower's config: {error}") from error
    try:
        weights = load_file(folder / TEXT_WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{folder / TEXT_WEIGHTS} cannot be read ({error}); copy the file again") from error
    tower = build_tower(config)
    missing = [name for name in (STANDARD_MEAN, STANDARD_SCALE) if name not in weights]
    if missing:
        raise CheckpointError(f"{folder / TEXT_WEIGHTS}: key {', '.join(missing)} missing; export the tower again")
    standard = Standard(weights.pop(STANDARD_MEAN).float(), weights.pop(STANDARD_SCALE).float())
    if standard.mean.shape != (config.dim,) or standard.scale.shape != (config.dim,):
        raise CheckpointError(f"{folder / TEXT_WEIGHTS}: the standardisation must have {config.dim} values each")
    try:
        tower.load_state_dict({name: value.float() for name, value in weights.items()}, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{folder / TEXT_WEIGHTS} does not fit {TEXT_CONFIG}: {error}") from error
    return EmbeddedTextEncoder(config, tower, _load_tokenizer(folder / TEXT_TOKENIZER, config), device, standard)


def _load_tokenizer(path: Path, config: TextTowerConfig) -> Any:
    from tokenizers import Tokenizer

    # The library raises a plain Exception for every file it cannot parse.
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise CheckpointError(f"{path} is not a tokenizer file ({error}); copy the file again") from error
    if tokenizer.get_vocab_size() != config.vocab_size:
        raise CheckpointError(f"{path} has {tokenizer.get_vocab_size()} tokens; the tower has {config.vocab_size}")
    if tokenizer.token_to_id(PAD) != PAD_ID:
        raise CheckpointError(f"{path} has {PAD} at id {tokenizer.token_to_id(PAD)}; the tower takes {PAD_ID}")
    tokenizer.enable_truncation(config.context)
    tokenizer.enable_padding(pad_id=PAD_ID, pad_token=PAD)
    return tokenizer


class ClipTextEncoder:
    """The text half of OpenAI's CLIP (Radford et al. 2021), as the published MoMask checkpoints need it.

    Vectors are ``encode_text``'s own, not normalised; 512 wide for ViT-B/32.
    """

    def __init__(self, tower: nn.Module, tokenize: Callable[[list[str]], Tensor], device: torch.device | str) -> None:
        self.tower = tower.to(device).eval()
        self.tokenize = tokenize
        self.device = torch.device(device)

    @classmethod
    def load(cls, weights: Path | None = None, device: torch.device | str = "cpu") -> ClipTextEncoder:
        """The text half from the file ``weights``, or through open_clip's cache (downloaded once if need be).

        ``weights`` is OpenAI's TorchScript file, or a state dict of a CLIP as safetensors or ``torch.save`` file.

        Raises:
            TextEncoderError: the weights are not to be had, or are not a CLIP's; the message says what to do.
        """
        import open_clip

        state = _cached_clip_state() if weights is None else _clip_state(weights)
        return cls(clip_text_half(state), open_clip.get_tokenizer(CLIP_MODEL), device)

    @property
    def dim(self) -> int:
        """Width of a condition vector."""
        return int(getattr(self.tower, "output_dim"))  # noqa: B009 - nn.Module types every attribute as a tensor

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """CLIP's text features (B, dim) float32 of ``texts``; what exceeds 77 tokens is cut."""
        if not texts:
            return torch.zeros(0, self.dim, device=self.device)
        features: Tensor = self.tower(self.tokenize(list(texts)).to(self.device))
        return features.float()


def clip_text_half(state: dict[str, Tensor]) -> nn.Module:
    """The text transformer in the state dict of a whole OpenAI CLIP; its sizes are those of the weights.

    Raises:
        TextEncoderError: a key of the text half is missing, or one belongs to neither half.
    """
    from open_clip.transformer import QuickGELU, TextTransformer

    text = {k: v.float() for k, v in state.items() if not k.startswith("visual.") and k not in CLIP_OTHER_KEYS}
    missing = [key for key in CLIP_TEXT_KEYS if key not in text]
    if missing:
        raise TextEncoderError(f"these weights are not an OpenAI CLIP's: {', '.join(missing)} missing")
    vocab_size, width = text["token_embedding.weight"].shape
    tower: nn.Module = TextTransformer(
        context_length=text["positional_embedding"].shape[0],
        vocab_size=vocab_size,
        width=width,
        heads=width // CLIP_HEAD_WIDTH,
        layers=len({key.split(".")[2] for key in text if key.startswith("transformer.resblocks.")}),
        output_dim=text["text_projection"].shape[1],
        act_layer=QuickGELU,
    )
    try:
        tower.load_state_dict(text, strict=True)
    except RuntimeError as error:
        raise TextEncoderError(f"these weights are not an OpenAI CLIP's: {error}") from error
    return tower


def _cached_clip_state() -> dict[str, Tensor]:
    import open_clip

    # Offline machines, proxies and hubs fail in many ways; each means that the weights are not to be had.
    try:
        model = open_clip.create_model(CLIP_MODEL, pretrained=CLIP_PRETRAINED)
    except Exception as error:
        raise TextEncoderError(
            "the weights of CLIP ViT-B/32 are not in open_clip's cache and cannot be downloaded "
            f"({type(error).__name__}: {error}). Run once with network access, or give OpenAI's file ViT-B-32.pt "
            "as the CLIP weights, or use the embedded checkpoint, which needs no CLIP"
        ) from error
    state: dict[str, Tensor] = model.state_dict()
    return state


def _clip_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise TextEncoderError(f"there is no file {path}; give OpenAI's ViT-B-32.pt or a state dict of it")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except RuntimeError:
            # OpenAI's own file is a TorchScript archive, which torch.load refuses.
            script: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
            state = script.state_dict()
    except (SafetensorError, RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise TextEncoderError(f"{path} cannot be read as CLIP weights; download it again") from error
    return dict(state.get("state_dict", state))


def encode_all(encoder: TextEncoder, texts: Sequence[str], batch_size: int = 256) -> Tensor:
    """Vectors (B, dim) float32 on the CPU of any number of texts, ``batch_size`` at a time."""
    # Neighbours in length share a batch: little of it is padding.
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    vectors = torch.zeros(len(texts), encoder.dim)
    for at in range(0, len(order), batch_size):
        chosen = order[at : at + batch_size]
        vectors[chosen] = encoder.encode([texts[index] for index in chosen]).cpu()
    return vectors


class CachedTextEncoder:
    """Remembers the vectors of the ``capacity`` texts asked for last; what is not there is encoded in one batch.

    Not thread-safe: it belongs to the thread of the model.
    """

    def __init__(self, encoder: TextEncoder, capacity: int = 1024) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, must be at least 1")
        self.encoder = encoder
        self.capacity = capacity
        self._vectors: OrderedDict[str, Tensor] = OrderedDict()

    @property
    def dim(self) -> int:
        """Width of a condition vector."""
        return self.encoder.dim

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors (B, dim) float32 of ``texts``; equal texts are encoded once, in a batch or ever."""
        misses = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if not texts:
            return self.encoder.encode([])
        found = {text: self._vectors[text] for text in texts if text in self._vectors}
        if misses:
            found |= dict(zip(misses, self.encoder.encode(misses), strict=True))
        for text in dict.fromkeys(texts):
            # A row of the batch would keep the whole batch alive.
            self._vectors[text] = found[text].clone() if text in misses else found[text]
            self._vectors.move_to_end(text)
        while len(self._vectors) > self.capacity:
            self._vectors.popitem(last=False)
        return torch.stack([found[text] for text in texts])  # (B, dim)
