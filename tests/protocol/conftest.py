import sys
from pathlib import Path

# Tests are imported by path, so their shared helpers need theirs on sys.path.
sys.path.insert(0, str(Path(__file__).parent))
