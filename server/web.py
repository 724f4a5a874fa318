"""What the server answers over plain HTTP, on the port of the WebSockets: health, readiness, metrics, and who may not come in."""

from __future__ import annotations

import http
from collections.abc import Callable
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from server.access import same_secret
from server.config import ANY_ORIGIN, ServeConfig, is_loopback
from server.metrics import Metrics

Answer = Callable[[ServerConnection, Request], Response]


class Web:
    """Answers to GET. ``not_ready`` says why the server cannot make motion now, None when it can."""

    def __init__(self, config: ServeConfig, metrics: Metrics, not_ready: Callable[[], str | None]) -> None:
        self._config, self._metrics, self._not_ready = config, metrics, not_ready
        self._pages: dict[str, Answer] = {"/healthz": _healthz, "/readyz": self._readyz, "/metrics": self._show_metrics}

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request for a page, or to a web page that may not connect; None: go on with the WebSocket."""
        page = self._pages.get(urlsplit(request.path).path)
        if page is not None:
            return page(connection, request)
        origin = request.headers.get("Origin")
        if origin is None or self._may_connect(origin):
            return None
        text = f"pages of {origin} may not connect; start the server with --origin {origin} to allow it\n"
        return connection.respond(http.HTTPStatus.FORBIDDEN, text)

    def _may_connect(self, origin: str) -> bool:
        """A browser lets any page open a WebSocket to anywhere, so only known ones may, token or not."""
        if origin.lower() in self._config.origins or ANY_ORIGIN in self._config.origins:
            return True
        return is_loopback(_hostname(origin))

    def _readyz(self, connection: ServerConnection, request: Request) -> Response:
        problem = self._not_ready()
        status = http.HTTPStatus.OK if problem is None else http.HTTPStatus.SERVICE_UNAVAILABLE
        return connection.respond(status, f"{problem or 'ready'}\n")

    def _show_metrics(self, connection: ServerConnection, request: Request) -> Response:
        wanted = self._config.metrics_token
        if wanted is None:
            if not self._is_private(request):
                return connection.respond(http.HTTPStatus.NOT_FOUND, "metrics are off; set a metrics token\n")
        elif not same_secret(_bearer(request), wanted):
            refused = connection.respond(http.HTTPStatus.UNAUTHORIZED, "metrics need the metrics token as bearer\n")
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        content_type, text = self._metrics.exposition(request.headers.get("Accept", ""))
        response = connection.respond(http.HTTPStatus.OK, text)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = content_type
        return response

    def _is_private(self, request: Request) -> bool:
        """Whether only this machine reaches the server, and not a page that got its own name to point here."""
        config = self._config
        asked_for = _hostname(f"http://{request.headers.get('Host', '')}")
        return is_loopback(config.host) and not config.secrets and is_loopback(asked_for)


def _healthz(connection: ServerConnection, request: Request) -> Response:
    return connection.respond(http.HTTPStatus.OK, "ok\n")


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _hostname(url: str) -> str:
    """The host of an origin or URL; empty when it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
