"""How exactly a model computes, as users choose it."""

from typing import Literal

Precision = Literal["auto", "fp32", "half"]
"""Of the networks; see ``server.engine.load_engine``."""
