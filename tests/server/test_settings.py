"""Settings from command line, environment and files: which goes first, and that no message quotes a secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server import cli, serve_options
from server.config import Quota, ServeConfig
from server.settings import ENV_PREFIX, load_settings

CONFIG = """
port = 9000
max_batch = 4
origins = ["https://game.example"]
[quota]
connections = 2
characters = 9
[tokens.studio]
secret = "studio-secret"
prompts_per_minute = 3
"""
TOKENS = """
[guest]
secret = "guest-secret"
connections = 1
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch):
    import os

    for name in os.environ:
        if name.upper().startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    return lambda **variables: [monkeypatch.setenv(ENV_PREFIX + name, value) for name, value in variables.items()]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "motionbridge.toml"
    path.write_text(CONFIG)
    return path


def settings_of(*argv: str) -> ServeConfig:
    args = cli.build_parser().parse_args(["serve", *argv])
    return load_settings(serve_options.given(args), args.config, args.tokens)


def test_nothing_said_is_the_default():
    assert settings_of() == ServeConfig()


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(config, environment):
    assert settings_of("--config", str(config)).port == 9000
    environment(PORT="9001", MAX_BATCH="8")
    settings = settings_of("--config", str(config), "--port", "9002")
    assert (settings.port, settings.max_batch, settings.origins) == (9002, 8, ("https://game.example",))


def test_tables_are_merged_key_by_key(config, environment):
    environment(QUOTA__CONNECTIONS="3", TOKENS__GUEST__SECRET="guest-secret", ORIGINS='["https://other.example"]')
    settings = settings_of("--config", str(config), "--quota", "message-bytes=2048", "--quota", "session-seconds=60")
    assert settings.quota == Quota(connections=3, characters=9, message_bytes=2048, session_seconds=60.0)
    assert set(settings.secrets) == {"studio", "guest"}
    assert settings.quota_of("studio") == settings.quota.model_copy(update={"prompts_per_minute": 3})
    assert settings.quota_of("guest") == settings.quota
    assert settings.origins == ("https://other.example",)


def test_tokens_in_a_file_of_their_own(tmp_path, environment):
    (tmp_path / "tokens.toml").write_text(TOKENS)
    environment(TOKEN="single-secret")
    settings = settings_of("--host", "0.0.0.0", "--tokens", str(tmp_path / "tokens.toml"))
    assert [(name, secret.get_secret_value()) for name, secret in settings.secrets.items()] == [
        ("default", "single-secret"),
        ("guest", "guest-secret"),
    ]
    assert settings.quota_of("guest").connections == 1


def test_no_form_of_the_settings_shows_a_secret(config):
    settings = settings_of("--config", str(config), "--token", "single-secret")
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.secrets)):
        assert "studio-secret" not in shown
        assert "single-secret" not in shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('token = "{}"', "token: Value should have at most 1024 items"),
        ('tokens = "{}"', "tokens: Input should be a valid dictionary"),
        ('[tokens]\nstudio = "{}"', "tokens.studio: Input should be"),
        ('[tokens.studio]\nsecrets = "{}"', "tokens.studio.secret: Field required"),
        ('[tokens."a b"]\nsecret = "{}"', "tokens.a b"),
        ('[tokens.studio]\nsecret = "{}"\n[tokens.guest]\nsecret = "{}"', "tokens.studio.secret: Value should have"),
        ('metrics_token = ["{}"]', "metrics_token: Input should be a valid string"),
        ('token = "{}', "is not a TOML file"),
    ],
)
def test_no_complaint_quotes_a_secret(tmp_path, text, problem):
    path = tmp_path / "motionbridge.toml"
    path.write_text(text.replace("{}", "hidden" * 200))
    with pytest.raises(ValueError, match=re.escape(problem)) as refused:
        settings_of("--config", str(path))
    assert "hidden" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_complaint_about_the_environment_quotes_no_secret(environment):
    environment(TOKENS='{"studio": hidden')
    with pytest.raises(ValueError, match=r'"tokens".*written as JSON') as refused:
        settings_of()
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prot = 1", "prot is 1: Extra inputs are not permitted"),
        ("[quota]\nconnections = 0", "quota.connections is 0: Input should be greater than or equal to 1"),
        ('[tokens.a]\nsecret = "s"\ncharacters = -1', "tokens.a.characters is -1: Input should be greater"),
        ('[tokens.a]\nsecret = "s"\n[tokens.b]\nsecret = "s"', "tokens 'a' and 'b' have the same secret"),
        ('token = "s"\n[tokens.default]\nsecret = "t"', "token and tokens.default are both set"),
        ('host = "0.0.0.0"', "host '0.0.0.0' lets other machines connect"),
    ],
)
def test_a_wrong_setting_is_named_with_value_and_limit(tmp_path, text, problem):
    path = tmp_path / "motionbridge.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(problem)):
        settings_of("--config", str(path))


def test_every_option_is_a_setting_and_every_quota_can_be_given():
    parser = cli.build_parser()
    argv = ["serve", "--host", "h", "--port", "1", "--max-connections", "2", "--token", "t", "--insecure"]
    argv += ["--tls-cert", "c", "--tls-key", "k", "--origin", "o", "--quota", "characters=1", "--log-level", "info"]
    argv += ["--log-format", "json", "--log-prompts", "--traces"]
    assert set(serve_options.given(parser.parse_args(argv))) <= set(ServeConfig.model_fields)
    assert {name.replace("-", "_") for name in serve_options.QUOTAS} == set(Quota.model_fields)
