"""Log lines: one JSON object each, with the session they belong to, and without what clients said."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from live_server import Watcher, running
from websockets.exceptions import ConnectionClosed

from protocol.client_errors import RefusedError
from protocol.codec import encode
from protocol.messages import Hello, Prompt
from server.config import Token
from server.logs import WORK, JsonFormatter, SessionFilter, Work

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lines():
    """What is logged from level debug on, by anyone, as the JSON handler writes it."""
    written: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record):
            written.append(self.format(record))

    handler = Handler()
    handler.setFormatter(JsonFormatter())
    handler.addFilter(SessionFilter())
    loggers = [logging.getLogger(name) for name in ("server", "protocol")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield written
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def record(message: str = "it is %s", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("server.test", logging.WARNING, __file__, 1, message, args, None)
    vars(made).update(extra)
    return made


def test_a_line_is_one_json_object():
    fields = json.loads(JsonFormatter().format(record("it is %s", "so\nsaid “she”", created=0.5)))
    assert fields == {
        "time": "1970-01-01T00:00:00.500+00:00",
        "level": "warning",
        "logger": "server.test",
        "message": "it is so\nsaid “she”",
    }
    assert "\n" not in JsonFormatter().format(record("two\nlines"))


def test_an_exception_is_part_of_the_line():
    try:
        raise RuntimeError("out of memory")
    except RuntimeError:
        made = record("failed", exc_info=sys.exc_info())
    assert "RuntimeError: out of memory" in json.loads(JsonFormatter().format(made))["exception"]


def test_the_session_is_that_of_the_task():
    made = record("hello")
    assert SessionFilter().filter(made)
    assert "session" not in json.loads(JsonFormatter().format(made))
    token = WORK.set(Work("abc"))
    try:
        assert SessionFilter().filter(made)
    finally:
        WORK.reset(token)
    assert json.loads(JsonFormatter().format(made))["session"] == "abc"


async def test_each_line_of_a_connection_has_its_session_even_after_a_resume(lines):
    async with running() as server:
        async with server.raw() as first:
            await first.send(encode(Hello(version=1)))
            resume = (await _welcome(first))["resume"]
            first.transport.abort()
        while not any("dropped" in line for line in lines):
            async with server.client():
                pass
        async with server.raw() as second:
            await second.send(encode(Hello(version=1, resume=resume)))
            session = (await _welcome(second))["session"]
    entries = [json.loads(line) for line in lines]
    mine = [entry["message"].split(": ", 1)[1] for entry in entries if entry.get("session") == session]
    assert [line.split()[0] for line in mine if not line.startswith("closed")] == ["opened", "dropped,", "opened"]
    named = [entry for entry in entries if entry["message"].startswith("session ")]
    assert all(
        entry["message"].split()[1].rstrip(":") == entry["session"]
        for entry in named
        if "resumed" not in entry["message"]
    )


async def _welcome(peer) -> dict:
    from protocol.codec import unpack

    return unpack(await peer.recv())


async def provoke(server) -> None:
    """Everything a client can say, right and wrong, with words that no log may hold."""
    async with server.client(token="right-secret") as client:
        watcher = Watcher(client, server.clock)
        await watcher.until_status(await client.prompt("unspeakable deeds"), "started")
        await client.prompt("unspeakable fail")
        await watcher.until(lambda: any(status.status == "failed" for status in watcher.statuses))
    with pytest.raises(RefusedError):
        async with server.client(token="unspeakable-secret"):
            pass
    for first in (
        encode(Prompt(id="p", text="unspeakable deeds")),
        encode(Hello(version=1, token="right-secret")).replace(b"right-secret", b"unspeakable\xff"),
        b"unspeakable",
        "unspeakable",
    ):
        async with server.raw() as peer:
            await peer.send(first)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await peer.recv()
            assert peer.close_code > 4000


async def test_neither_prompts_nor_tokens_are_logged(lines):
    async with running(tokens={"studio": Token(secret="right-secret")}) as server:
        await provoke(server)
    text = "\n".join(lines)
    assert "opened by 'studio', client at 127.0.0.1" in text
    assert "closing with code 4001, client at 127.0.0.1" in text
    assert "the engine failed on a request" in text
    assert "unspeakable" not in text
    assert "right-secret" not in text


async def test_prompts_are_logged_when_asked_for_and_tokens_never(lines):
    async with running(tokens={"studio": Token(secret="right-secret")}, log_prompts=True) as server:
        await provoke(server)
    text = "\n".join(lines)
    assert "prompts of 'main': ['unspeakable deeds']" in text
    assert "unspeakable-secret" not in text
    assert "right-secret" not in text


def test_configured_for_a_process_libraries_that_log_what_passes_are_kept_quiet():
    code = """
import logging, server.logs as s
s.configure('debug', 'json')
logging.getLogger('websockets.server').debug('hello with a token')
logging.getLogger('server.app').debug('seen')
"""
    (line,) = logged_by(code)
    assert line["message"] == "seen"


def logged_by(code: str) -> list[dict]:
    """What a process of its own, that runs ``code``, writes on standard error."""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return [json.loads(line) for line in ended.stderr.splitlines()]
