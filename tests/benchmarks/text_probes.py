"""How text towers tell actions apart: ``python -m tests.benchmarks.text_probes SRC FOLDER ...``.

SRC is the folder with the captions and clips that the towers were trained on; each FOLDER holds a tower, as a bundle or
``RUN/text/export`` do. Two sets of sentences are looked up among the training captions by the cosine of their vectors:
captions of the other splits that training has not, and the wordings of `server/training/text_probes.py`, written by hand. Printed is
the share for which the nearest caption is of an action that the sentence may be taken for.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from server.models.text import EmbeddedTextEncoder, encode_all, load_embedded_text
from server.training.text_evaluation import CaptionTable, nearest_actions, read_captions, share_alike
from server.training.text_probes import PROBES


def share_right(
    encoder: EmbeddedTextEncoder, table: CaptionTable, asked: Sequence[tuple[str, frozenset[str]]]
) -> float:
    """Share of the sentences of ``asked`` whose nearest caption in ``table`` is of one of the actions beside it."""
    references = encode_all(encoder, table.texts)
    found = nearest_actions(encode_all(encoder, [text for text, _ in asked]), references, table)
    return share_alike([wanted for _, wanted in asked], found)


def unit_vectors(folder: Path) -> EmbeddedTextEncoder:
    """The tower in ``folder`` without its standard, so that vectors have unit length and their products are cosines."""
    encoder = load_embedded_text(folder)
    return EmbeddedTextEncoder(encoder.config, encoder.tower, encoder.tokenizer, "cpu")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each tower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("towers", type=Path, nargs="+", metavar="FOLDER")
    args = parser.parse_args(argv)
    captions, clips = args.source / "captions.jsonl", args.source / "clips.csv"
    table = read_captions(captions, clips, frozenset({"train"}))
    others = read_captions(captions, clips, frozenset({"val", "test"})).actions
    unseen = [(text, actions) for text, actions in others.items() if text not in table.actions]
    print(f"| tower | {len(unseen)} captions of other splits | {len(PROBES)} wordings by hand |\n|---|---|---|")
    for folder in args.towers:
        encoder = unit_vectors(folder)
        shares = (share_right(encoder, table, asked) for asked in (unseen, PROBES))
        print(f"| {folder} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
