"""Words as the published evaluator takes them: GloVe vectors and part-of-speech one-hots.

``glove`` is a folder with ``our_vab_data.npy`` (words, 300), ``our_vab_words.pkl`` (a list of words) and ``our_vab_idx.pkl`` (word to
row). A token is ``word/TAG`` as in HumanML3D's and KIT-ML's texts, lemmas with spaCy's universal tags. Words of movement
have tags of their own, whatever part of speech they are. Source: Guo et al., CVPR 2022.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from server.models.checkpoint import CheckpointError

MAX_WORDS = 20  # of a caption, without the two that mark its ends
TAGS = (
    *("VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV"),
    *("place", "body", "object", "action", "manner", "OTHER"),
)
_OWN_TAGS = {
    "place": "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve",
    "body": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "object": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "action": (
        "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower raise wash stand "
        "kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb"
    ),
    "manner": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
_TAG_OF = {word: tag for tag, words in _OWN_TAGS.items() for word in words.split()}
_START, _END, _UNKNOWN = "sos", "eos", "unk"


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, dictionaries, strings and numbers; anything that would call something is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


class Glove:
    """Vectors (300,) and tags (15,) of tokens."""

    def __init__(self, vectors: np.ndarray, rows: Mapping[str, int]) -> None:
        """``vectors`` (words, width), finite; ``rows`` of each word. CheckpointError when one is outside, or "unk" missing."""
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise CheckpointError(f"word vectors of shape {vectors.shape}; expected (words, width), all finite")
        outside = [word for word, row in rows.items() if not 0 <= row < len(vectors)]
        missing = [word for word in (_START, _END, _UNKNOWN) if word not in rows]
        if outside or missing:
            raise CheckpointError(
                f"words without a vector: {', '.join((outside + missing)[:5])}; copy the glove folder again"
            )
        self._vectors, self._rows = np.asarray(vectors, np.float32), rows

    @classmethod
    def load(cls, folder: Path) -> Glove:
        """The three files in ``folder``; CheckpointError naming one that cannot be read."""
        try:
            vectors = np.load(folder / "our_vab_data.npy", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{folder / 'our_vab_data.npy'} cannot be read ({error}); copy the glove folder"
            ) from None
        words, rows = (_read_plain(folder / f"our_vab_{name}.pkl") for name in ("words", "idx"))
        try:
            return cls(vectors, {str(word): int(rows[word]) for word in words})
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{folder}: our_vab_words.pkl and our_vab_idx.pkl do not belong together ({error})"
            ) from None

    @property
    def width(self) -> int:
        """Of a word's vector."""
        return self._vectors.shape[1]

    def encode(self, captions: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Word vectors (B, 22, width), one-hots (B, 22, 15) and lengths of captions, each a sequence of ``word/TAG``.

        The first 20 tokens stand between the words of start and end; what is left is filled with the unknown word.
        """
        size = MAX_WORDS + 2
        words = np.empty((len(captions), size, self.width), np.float32)
        tags = np.zeros((len(captions), size, len(TAGS)), np.float32)
        lengths = []
        for row, tokens in enumerate(captions):
            marked = [f"{_START}/OTHER", *tokens[:MAX_WORDS], f"{_END}/OTHER"]
            lengths.append(len(marked))
            for place, token in enumerate([*marked, *[f"{_UNKNOWN}/OTHER"] * (size - len(marked))]):
                word, tag = self._look_up(token)
                words[row, place] = self._vectors[word]
                tags[row, place, tag] = 1.0
        return words, tags, lengths

    def _look_up(self, token: str) -> tuple[int, int]:
        word, _, tag = token.rpartition("/")
        if word not in self._rows:
            return self._rows[_UNKNOWN], TAGS.index("OTHER")
        tag = _TAG_OF.get(word, tag)
        return self._rows[word], TAGS.index(tag if tag in TAGS else "OTHER")


def _read_plain(path: Path) -> Any:
    try:
        return _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, IndexError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is not a plain list or dictionary ({error}); copy the glove folder again"
        ) from None
