"""Where models live: the embedded one in the package, others in the platform's cache folder or the one that MOTIONBRIDGE_CACHE names.

==========================  ========================================================================
``models/NAME/``            a bundle, converted from the published checkpoint, and ``installed.json``
``clip/ViT-B-32.pt``        the text encoder of the published checkpoints
``downloads/``              what is being downloaded; a part that was interrupted is continued
``accepted.json``           licences that were accepted, once for each
``checksums.json``          SHA-256 of the first download of a file whose author publishes none
==========================  ========================================================================
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

EMBEDDED = Path(__file__).with_name("assets") / "embedded"
VARIABLE = "MOTIONBRIDGE_CACHE"
CLIP_FILE = "ViT-B-32.pt"


def cache_folder(chosen: Path | None = None) -> Path:
    """``chosen``, else the folder in the environment, else the platform's; it need not exist yet."""
    if chosen is not None:
        return chosen.expanduser()
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    return platformdirs.user_cache_path("motionbridge", appauthor=False)


def clip_path(cache: Path) -> Path:
    """OpenAI's CLIP weights in a cache folder, whether they are there or not."""
    return cache / "clip" / CLIP_FILE


def cached_clip() -> Path | None:
    """OpenAI's CLIP weights, if ``motionbridge models download`` has put them into the cache."""
    path = clip_path(cache_folder())
    return path if path.is_file() else None
