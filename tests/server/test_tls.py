"""TLS on a live server: real handshakes, with certificates of an authority made for the test."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme
from live_server import BOUND, Watcher, running

from protocol.client import ClientConfig, connect
from protocol.client_errors import CertificateError, HandshakeError
from server.certificates import Certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Files:
    """The files of an authority and of a server's certificate, which can be replaced."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.cert, self.key, self.ca = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
        self._authority = authority
        authority.cert_pem.write_to_path(str(self.ca))
        self.renew("127.0.0.1")

    def renew(self, *names: str) -> None:
        issued = self._authority.issue_cert(*names)
        replace(self.cert, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        replace(self.key, issued.private_key_pem.bytes())

    @property
    def settings(self) -> dict[str, Path]:
        return {"tls_cert": self.cert, "tls_key": self.key}


def replace(path: Path, data: bytes) -> None:
    """As tools for certificates do it: a new file takes the old one's name."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    os.replace(fresh, path)


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    return Files(tmp_path, authority)


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("wss://").split(":")
    return host, int(port)


async def names_of(url: str, ca: Path) -> set[str]:
    """The names in the certificate that a new connection gets."""

    def handshake() -> set[str]:
        context = ssl.create_default_context(cafile=ca)
        context.check_hostname = False
        with (
            socket.create_connection(address(url), timeout=BOUND) as raw,
            context.wrap_socket(raw) as tls,  # without a server name
        ):
            return {value for _, value in tls.getpeercert()["subjectAltName"]}

    return await asyncio.to_thread(handshake)


async def test_a_client_that_trusts_the_authority_streams(files):
    async with running(**files.settings) as server:
        assert server.url.startswith("wss://127.0.0.1:")
        async with server.client(ca=files.ca) as client:
            watcher = Watcher(client, server.clock)
            await client.prompt("a person walks", seconds=2.0)
            await watcher.until_frame(30)


async def test_a_client_that_does_not_trust_it_is_told_what_to_do(files):
    async with running(**files.settings) as server:
        with pytest.raises(CertificateError, match="pass the file of the authority that signed it"):
            async with server.client():
                pass
        with pytest.raises(CertificateError, match=r"nowhere\.pem: No such file"):
            async with server.client(ca=Path("nowhere.pem")):
                pass


async def test_a_certificate_for_another_name_is_not_trusted(files):
    files.renew("game.example")
    async with running(**files.settings) as server:
        with pytest.raises(CertificateError, match=r"127\.0\.0\.1"):
            async with server.client(ca=files.ca):
                pass


async def test_without_tls_there_is_no_answer(files):
    async with running(**files.settings) as server:
        url, server.url = server.url, server.url.replace("wss:", "ws:")
        with pytest.raises(HandshakeError, match="ws:// or wss://"):
            async with server.client():
                pass
        assert await names_of(url, files.ca) == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak TLS"), (b"", "it cut the connection")],
)
async def test_something_that_does_not_speak_tls_is_told_apart(answer, problem, files):
    async def serve_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        if answer:
            await writer.drain()
        else:
            writer.transport.abort()
        writer.close()

    plain = await asyncio.start_server(serve_plain, "127.0.0.1", 0)
    async with plain:
        port = plain.sockets[0].getsockname()[1]
        with pytest.raises(HandshakeError, match=f"{problem}.*ws:// or wss://"):
            async with connect(ClientConfig(url=f"wss://127.0.0.1:{port}", ca=files.ca)):
                pass


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_old_versions_of_tls_are_refused(files):
    async with running(**files.settings) as server:
        context = ssl.create_default_context(cafile=files.ca)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT@SECLEVEL=0")

        def handshake() -> None:
            with socket.create_connection(address(server.url), timeout=BOUND) as raw:
                context.wrap_socket(raw, server_hostname="127.0.0.1")

        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.to_thread(handshake)


async def test_new_connections_get_a_renewed_certificate_and_old_ones_go_on(files):
    async with running(**files.settings) as server, server.client(ca=files.ca) as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("a person walks", seconds=9.0)
        await watcher.until_frame(10)
        files.renew("127.0.0.1", "renewed.example")
        assert await names_of(server.url, files.ca) == {"127.0.0.1", "renewed.example"}
        async with server.client(ca=files.ca) as other:
            await other.generate("walk", seconds=1.0)
        await watcher.until_frame(60)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda files: replace(files.cert, files.cert.read_bytes()[:200]),
        lambda files: replace(files.key, b""),
        lambda files: replace(files.key, trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes()),
        lambda files: files.key.unlink(),
    ],
    ids=["half a certificate", "an empty key", "another's key", "no key"],
)
async def test_a_broken_new_file_keeps_the_old_and_is_reported_once(files, spoil, caplog):
    caplog.set_level(logging.INFO, logger="server.certificates")
    async with running(**files.settings) as server:
        assert await names_of(server.url, files.ca) == {"127.0.0.1"}
        spoil(files)
        for _ in range(3):
            assert await names_of(server.url, files.ca) == {"127.0.0.1"}
        (record,) = (r for r in caplog.records if r.name == "server.certificates")
        assert record.levelno == logging.ERROR
        assert f"the old one is: tls_cert {files.cert} and tls_key {files.key} cannot be used" in record.getMessage()
        files.renew("127.0.0.1", "mended.example")
        assert "mended.example" in await names_of(server.url, files.ca)


@pytest.mark.parametrize(("name", "cause"), [("cert", "No such file"), ("key", "No such file")])
def test_files_that_cannot_be_used_at_the_start_are_an_error(files, name, cause):
    getattr(files, name).unlink()
    with pytest.raises(ValueError, match=cause):
        Certificates(files.cert, files.key)


def test_an_encrypted_key_does_not_ask_for_its_password(files):
    from cryptography.hazmat.primitives import serialization as pem

    key = pem.load_pem_private_key(files.key.read_bytes(), None)
    secret = pem.BestAvailableEncryption(b"secret")
    files.key.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, secret))
    with pytest.raises(ValueError, match="the key is encrypted"):
        Certificates(files.cert, files.key)
