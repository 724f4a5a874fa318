"""Khronos' validator of glTF files, from npm: ``npm install gltf-validator``, found as Node finds it (``NODE_PATH`` helps)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

BOUND_S = 240
_SCRIPT = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 100})
  .then(report => console.log(JSON.stringify(report.issues)));
"""


def available() -> bool:
    """Whether Node and the validator are here."""
    if shutil.which("node") is None:
        return False
    looked = subprocess.run(["node", "-e", "require.resolve('gltf-validator')"], capture_output=True, timeout=BOUND_S)
    return looked.returncode == 0


def issues(path: Path) -> list[str]:
    """Errors and warnings of a file, one line each."""
    ended = subprocess.run(
        ["node", "-e", _SCRIPT, str(path)], capture_output=True, text=True, timeout=BOUND_S, check=True
    )
    report = json.loads(ended.stdout)
    return [
        f"{item['code']} at {item.get('pointer')}: {item['message']}"
        for item in report["messages"]
        if item["severity"] < 2
    ]
