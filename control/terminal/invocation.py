"""Options that may stand anywhere in the line: --json, --url URL, --data-dir DIR."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from control.embedded.servers.datadir import DEFAULT


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every command."""

    json: bool = False
    url: str = ""
    ca: str = ""
    """PEM file of who vouches for the API's certificate; empty: whom this machine believes."""
    token: str = ""
    data_dir: Path = DEFAULT
    data_dir_given: bool = False


class InvocationError(Exception):
    """The line cannot be read; usage, exit code 2."""


def take(
    arguments: list[str], environ: Mapping[str, str] = os.environ
) -> tuple[Invocation, list[str]]:
    """(options of every command, the rest of the line). After `--` nothing is taken.

    Raises InvocationError for an option without its value."""
    found: dict[str, str] = {}
    as_json = False
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name, sign, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif word == "--json":
            as_json = True
        elif name in ("--url", "--ca", "--data-dir"):
            if not sign:
                value = next(words, "")
            if not value:
                raise InvocationError(f"{name} needs a value")
            found[name] = value
        else:
            rest.append(word)
    line = Invocation(
        json=as_json,
        url=found.get("--url") or environ.get("SENDGATE_URL", ""),
        ca=found.get("--ca") or environ.get("SENDGATE_CA", ""),
        token=environ.get("SENDGATE_TOKEN", ""),
        data_dir_given="--data-dir" in found,
        data_dir=Path(found.get("--data-dir") or environ.get("SENDGATE_DATA_DIR") or DEFAULT),
    )
    return line, rest
