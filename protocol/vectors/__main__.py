"""``python -m protocol.vectors`` writes the golden vectors anew."""

from __future__ import annotations

from protocol.vectors.files import VECTORS_PATH, write_vectors

if __name__ == "__main__":
    write_vectors(VECTORS_PATH)
