"""The MotionBridge server: a MoMask text-to-motion model behind a WebSocket."""

import os

# By default the threads of one torch call wait for each other by spinning: beside a game that needs the cores, for one that is
# not running. Read when torch is loaded, which is after this.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
