import sys
from pathlib import Path

# Tests are imported by path, so their shared helpers need theirs on sys.path.
TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(TESTS / "server"), str(TESTS)]
