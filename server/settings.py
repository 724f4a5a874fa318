"""Where the settings of a server come from: the command line, then the environment, then a TOML file, then the defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from server.config import Quota, ServeConfig

ENV_PREFIX: Final = "MOTIONBRIDGE_"
SECRETS: Final = frozenset({"token", "tokens", "metrics_token"})
"""Settings that no message quotes."""


def load_settings(options: Mapping[str, Any], config: Path | None = None, tokens: Path | None = None) -> ServeConfig:
    """The settings of a server; ValueError says which of them is wrong, and where it was given if that is a file.

    ``options`` are those of the command line. ``config`` is a TOML file with the keys of :class:`ServeConfig`, ``tokens`` one
    with a table of :class:`server.config.Token` for each token: apart, as it is a secret.
    """
    from_files = {**_read(config), **({} if tokens is None else {"tokens": _read(tokens)})}

    class _Sources(ServeConfig, BaseSettings):
        model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, from_files)

    try:
        merged = _Sources(**options)
    except ValidationError as error:
        raise ValueError("; ".join(_problem(problem, options) for problem in error.errors())) from None
    except SettingsError as error:
        raise ValueError(f"{error}; lists and tables in the environment are written as JSON") from None
    return ServeConfig(**{name: getattr(merged, name) for name in ServeConfig.model_fields})


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from None


def _problem(problem: ErrorDetails, options: Mapping[str, Any]) -> str:
    """One failed check: the setting, as an option if it was given as one, its value if that is no secret, and the limit."""
    message = problem["msg"].removeprefix("Value error, ")
    path = [str(part) for part in problem["loc"]]
    if not path:
        return f"{message} (--token SECRET, or --insecure)" if "insecure" in message else message
    name = f"--{path[0].replace('_', '-')}" if path[0] in options else path[0]
    label = ".".join([name, *path[1:]])
    secret = path[0] in SECRETS and path[-1] not in Quota.model_fields
    return f"{label}: {message}" if secret else f"{label} is {problem['input']!r}: {message}"
