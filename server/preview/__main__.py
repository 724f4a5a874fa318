"""The preview as a process: one JSON line of settings on standard input, one JSON line of answer on standard output.

Settings: ``url``, ``token``, ``port``, ``ca``. Answer: ``address`` of the page, or ``problem``. It ends when standard input does,
which happens when the process that started it ends, however that comes about.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from threading import Thread
from typing import Any


def main() -> int:
    """Exit status 0 after the end of standard input, 1 when there can be no page."""
    settings = json.loads(sys.stdin.readline())
    try:
        from protocol.client import ClientConfig
        from server.preview.page import Page, PreviewError
    except ImportError as error:
        return _refuse(f'{error}; install it with: python -m pip install "viser>=1.1,<2"')
    try:
        config = ClientConfig(
            url=settings["url"],
            token=settings["token"],
            ca=settings["ca"] and Path(settings["ca"]),
            name="motionbridge-preview",
        )
        page = Page(config, settings["port"])
    except PreviewError as error:
        return _refuse(str(error))
    _answer(address=page.address)
    running = page.start()
    wait([running, _end_of_input()], return_when=FIRST_COMPLETED)
    if running.done():
        running.result()
    page.close()
    return 0


def _answer(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def _refuse(problem: str) -> int:
    _answer(problem=problem)
    return 1


def _end_of_input() -> Future[None]:
    """Done when standard input ends; waiting for it works on pipes of every system, unlike a look at the parent's id."""
    ended: Future[None] = Future()

    def read() -> None:
        sys.stdin.read()
        ended.set_result(None)

    Thread(target=read, daemon=True).start()
    return ended


if __name__ == "__main__":
    sys.exit(main())
