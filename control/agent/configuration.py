"""The agent's configuration file, read: every problem at once, each naming its field."""

import tomllib
from pathlib import Path

import msgspec

from settings.agent import Agent, lacking


class ConfigurationError(Exception):
    """It cannot be used; the text says why and what to do."""


def read(path: Path) -> Agent:
    """Raises ConfigurationError."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}; write one from deploy/config/agent.toml (--config names "
            "another)"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    try:
        settings = msgspec.convert(tree, Agent)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if problems := lacking(settings):
        raise ConfigurationError("; ".join(f"{path}: {problem}" for problem in problems))
    return settings
