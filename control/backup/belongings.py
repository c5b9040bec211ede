"""The files of this host that a restored Sendgate needs beside PostgreSQL, and its secrets' values.

Owns: the list. What a setting names and is not here (another host's certificate) is said, not
guessed; a secret's file that cannot be read stops a process before it stops a backup.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from control.problem import RefusedError
from settings.environment import file_variables
from settings.load import DEFAULT_FILE, with_dotenv
from settings.model import Settings
from settings.secret import SECRETS, URLS
from settings.secretfile import FOLDER

LARGEST = 4 * 1024 * 1024
"""Octets of one such file: none has more than some kilobytes."""

_NAMED = ("gateway.certificate", "gateway.key", "relay.ca", "control.certificate", "control.key")


class Belonging(msgspec.Struct, frozen=True):
    """One file, as it is now."""

    path: str
    """Absolute."""
    mode: int
    content: bytes


def belongings(
    settings: Settings, config: Path | None, environ: Mapping[str, str] = os.environ
) -> tuple[list[Belonging], list[str]]:
    """(files, what is not there and why). Raises RefusedError for a file that is none of ours."""
    found: dict[str, Belonging] = {}
    absent: list[str] = []
    for path in _paths(settings, config, environ):
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
                mode = os.fstat(file.fileno()).st_mode & 0o777
        except OSError as error:
            absent.append(f"{path}: {error.strerror}")
            continue
        if len(content) > LARGEST:
            raise RefusedError(f"{path} has more than {LARGEST} octets: what is it?", status=400)
        found[str(path)] = Belonging(str(path), mode, content)
    return list(found.values()), absent


def secret_values(settings: Settings) -> bytes:
    """The effective value of every secret, wherever it came from, as JSON."""
    values = {name: _of(settings, name) for name in sorted(SECRETS | URLS)}
    return msgspec.json.format(msgspec.json.encode(values), indent=2)


def _paths(settings: Settings, config: Path | None, environ: Mapping[str, str]) -> list[Path]:
    env = with_dotenv(environ)
    named = config or (Path(env["SENDGATE_CONFIG"]) if env.get("SENDGATE_CONFIG") else None)
    paths = [named] if named else [DEFAULT_FILE] if DEFAULT_FILE.exists() else []
    dotenv = Path(environ.get("SENDGATE_DOTENV", ".env"))
    paths += [dotenv] if dotenv.is_file() else []
    paths += [Path(env[name]) for name in file_variables() if env.get(name)]
    if folder := environ.get(FOLDER):
        paths += [path for name in sorted(SECRETS | URLS) if (path := Path(folder, name)).exists()]
    paths += [Path(text) for name in _NAMED if (text := _of(settings, name))]
    return [path.absolute() for path in paths]


def _of(settings: Settings, name: str) -> Any:
    section, field = name.split(".")
    return getattr(getattr(settings, section), field)
