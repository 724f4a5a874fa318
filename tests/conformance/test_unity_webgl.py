"""The browser half of the Unity client's WebGL transport, run by Node over a WebSocket that the test plays."""

import shutil
import subprocess
from pathlib import Path

import mono
import pytest

LIBRARY = mono.PACKAGE / "Runtime" / "Plugins" / "WebGL" / "MotionBridgeWebSocket.jslib"


@pytest.mark.skipif(
    shutil.which("node") is None, reason="node not found: apt-get install -y --no-install-recommends nodejs"
)
def test_messages_wait_until_they_are_taken():
    script = Path(__file__).with_name("webgl_socket.js")
    done = subprocess.run(["node", str(script), str(LIBRARY)], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("ok", 0), done.stderr
