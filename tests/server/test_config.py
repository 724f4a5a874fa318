"""Limits of the server's settings, and the guard on hosts that others reach."""

import pytest
from pydantic import ValidationError

from server.config import ServeConfig, is_loopback


def test_defaults_are_local():
    config = ServeConfig()
    assert (config.host, config.port, config.token) == ("127.0.0.1", 8765, None)
    assert config.lead_seconds == 0.25


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "game.example"])
def test_other_machines_need_a_token(host):
    with pytest.raises(ValidationError, match="set a token"):
        ServeConfig(host=host)
    assert ServeConfig(host=host, token="secret").host == host
    assert ServeConfig(host=host, insecure=True).host == host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback(host):
    assert is_loopback(host)
    assert ServeConfig(host=host).token is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65536),
        ("port", -1),
        ("token", ""),
        ("max_connections", 0),
        ("max_characters", 65),
        ("lead_seconds", 2.1),
        ("lead_seconds", float("nan")),
        ("idle_text", "x" * 501),
        ("max_batch", 0),
        ("generation_timeout", 0.0),
        ("prot", 1),
    ],
)
def test_values_outside_their_limits_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        ServeConfig(**{name: value})


def test_it_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        ServeConfig().port = 1
