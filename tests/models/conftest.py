from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Tests are imported by path, so their shared helpers need theirs on sys.path.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

if TYPE_CHECKING:
    from golden_momask import Golden


@pytest.fixture(scope="session", params=["kit", "t2m"])
def golden(request: pytest.FixtureRequest) -> Golden:
    """What the original MoMask code computed in one of its two feature layouts."""
    from golden_momask import load_golden

    return load_golden(request.param)
