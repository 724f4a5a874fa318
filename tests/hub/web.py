"""A web server on this machine that serves files as badly as real ones do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """``files`` by path. Each request takes the next of ``cuts``: how many bytes are sent before the connection drops.

    ``answers`` are sent as they are in place of the next answers. ``requests`` are the Range headers seen ("" without one).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"1"'
    ranges: bool = True
    lengths: bool = True
    content_type: str = "application/octet-stream"
    status: list[int] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    cuts: list[int | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        wanted = self.headers.get("Range", "")
        site.requests.append(wanted)
        if site.answers:
            self.wfile.write(site.answers.pop(0))
            self.close_connection = True
            return
        cut = site.cuts.pop(0) if site.cuts else None
        status = site.status.pop(0) if site.status else 0
        content = site.files.get(self.path)
        if status or content is None:
            self.send_response(status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start, total = 0, len(content)
        fresh = self.headers.get("If-Range") in (None, site.etag)
        if wanted and site.ranges and fresh:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", site.content_type)
        if site.lengths:
            self.send_header("Content-Length", str(total - start))
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        body = content[start:]
        self.wfile.write(body if cut is None else body[:cut])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve ``site`` until the block ends; fills in its ``url``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
