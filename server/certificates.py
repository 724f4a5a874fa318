"""TLS with a certificate that may change while the server runs."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

LOG = logging.getLogger(__name__)

_Version = tuple[tuple[int, int, int], ...]


class Certificates:
    """The server's side of TLS (1.2 and newer). Each new connection gets what the two files hold by then.

    The files are looked at when a connection begins, so a renewed certificate needs neither a signal nor a restart. When
    they cannot be used (half written, or of two different pairs), that is reported once and the last good ones serve on.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        """``cert`` and ``key`` are PEM files. ValueError when they cannot be used."""
        self._cert, self._key = cert, key
        self._version = self._look()
        self._current = self._load()
        self.context = self._new()
        """What to listen with."""
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        self._refresh()
        connection.context = self._current

    def _refresh(self) -> None:
        version = self._look()
        if version == self._version:
            return
        self._version = version
        try:
            self._current = self._load()
        except ValueError as error:
            LOG.error("the new certificate is not used, the old one is: %s", error)
        else:
            LOG.info("a new certificate is in use: %s", self._cert)

    def _look(self) -> _Version:
        """What tells a file from its successor: inode, time and size of each; zeros for one that is missing."""
        return tuple(_version(path) for path in (self._cert, self._key))

    def _load(self) -> ssl.SSLContext:
        context = self._new()
        try:
            context.load_cert_chain(self._cert, self._key, password=_refuse_password)
        except (OSError, ValueError) as error:
            files = f"tls_cert {self._cert} and tls_key {self._key}"
            cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise ValueError(f"{files} cannot be used ({cause}): both must be PEM files, of one pair") from error
        return context

    @staticmethod
    def _new() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _version(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _refuse_password() -> bytes:
    """Instead of asking for one at the terminal, which a service does not have."""
    raise ValueError("the key is encrypted")
