"""``motionbridge preview``: the page of ``motionbridge serve`` for a server that runs already."""

from __future__ import annotations

import argparse
import asyncio

from server.commands import check_within
from server.preview.process import PreviewProcess
from server.signals import stop_event


def show(args: argparse.Namespace) -> int:
    """Offer the page until a signal; exit status 1 when it cannot be offered or ends by itself. UsageError: a bad port."""
    check_within("--port", args.port, 0, 65535)
    return asyncio.run(_show(args.url, args.port, args.token))


async def _show(url: str, port: int, token: str | None) -> int:
    stop = asyncio.create_task(stop_event().wait())
    preview = PreviewProcess(port, token, lambda text: print(text, flush=True))
    await preview.start(url)
    ended = asyncio.create_task(preview.ended())
    await asyncio.wait([stop, ended], return_when=asyncio.FIRST_COMPLETED)
    asked = stop.done()
    await preview.stop()
    for task in (stop, ended):
        task.cancel()
    if asked:
        print("stopped")
    return 0 if asked else 1
