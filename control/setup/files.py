"""The files that come of the answers: `sendgate.toml`, and `sendgate.env` with the secrets.

Rule: what is there stays. The same answers again change nothing, also not the secret that seals
keys in PostgreSQL; other answers are refused with what differs, for a person has to decide which
of the two is right. Both files are read as a process reads them before either is written.
"""

import base64
import grp
import json
import os
import pwd
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from control.problem import RefusedError
from control.setup.answers import Answers, address
from control.store.files import write_private
from settings.load import load, with_dotenv
from settings.model import Settings

ACCOUNT = "sendgate"
_SECRET = "SENDGATE_CONTROL_SECRET"  # noqa: S105 - a name


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    path: str
    mode: str
    state: Literal["written", "unchanged", "would be written"]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What there is now, and the settings of both."""

    files: list[File]
    settings: Settings


def make(answers: Answers, folder: Path, *, dry: bool = False) -> Made:
    """Raises RefusedError and SettingsError; nothing was written then."""
    config, environ = folder / "sendgate.toml", folder / "sendgate.env"
    before = with_dotenv({"SENDGATE_DOTENV": str(environ)}) if environ.exists() else {}
    values = _environment(answers, before.get(_SECRET) or _new_secret())
    wanted = {config: _toml(answers), environ: _lines(values)}
    settings = _settings(wanted[config], values)
    if environ.exists() and (differing := _differing(before, values)):
        raise RefusedError(
            f"{environ} is there and says otherwise: {', '.join(differing)}",
            fix="edit it, or move it away to begin anew (its secret opens the keys in PostgreSQL)",
        )
    if config.exists() and config.read_text(encoding="utf-8") != wanted[config]:
        _same(config, values, settings)
    files: list[File] = []
    for path, text in wanted.items():
        mode = 0o640 if path == config else 0o600
        state: Literal["written", "unchanged", "would be written"] = "unchanged"
        if not path.exists():
            state = "would be written" if dry else "written"
            if not dry:
                folder.mkdir(parents=True, exist_ok=True, mode=0o750)
                write_private(path, text)
                _give(path, mode)
        files.append(File(path=str(path), mode=f"{mode:04o}", state=state))
    return Made(files=files, settings=settings)


def _same(config: Path, values: Mapping[str, str], settings: Settings) -> None:
    """A file that was edited meanwhile may say more than the answers, and nothing against them.
    Raises RefusedError."""
    there = load(config, {**values, "SENDGATE_DOTENV": "/nonexistent"})
    against = [
        name
        for name, was, wanted in (
            ("gateway.hostname", there.gateway.hostname, settings.gateway.hostname),
            ("gateway.listeners", there.gateway.listeners[:1], settings.gateway.listeners[:1]),
            ("gateway.certificate", there.gateway.certificate, settings.gateway.certificate),
            ("gateway.key", there.gateway.key, settings.gateway.key),
            ("control.host", there.control.host, settings.control.host),
            ("control.port", there.control.port, settings.control.port),
        )
        if was != wanted
    ]
    if against:
        raise RefusedError(
            f"{config} is there and says otherwise: {', '.join(against)}",
            fix="edit it, or answer as it says, or move it away to begin anew",
        )


def _settings(toml: str, values: Mapping[str, str]) -> Settings:
    """As a process will read them. Raises SettingsError."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sendgate.toml"
        file.write_text(toml, encoding="utf-8")
        return load(file, {**values, "SENDGATE_DOTENV": "/nonexistent"})


def _environment(answers: Answers, secret: str) -> dict[str, str]:
    return {
        "DATABASE_URL": answers.database_url,
        "REDIS_URL": answers.redis_url,
        _SECRET: secret,
    }


def _lines(values: Mapping[str, str]) -> str:
    head = (
        "# Secrets of Sendgate, made by `sendgate init`. SENDGATE_CONTROL_SECRET opens the keys\n"
        "# in PostgreSQL: keep a copy apart from the database's back-ups (deploy/RECOVERY.md).\n"
    )
    return head + "".join(f"{name}={value}\n" for name, value in values.items())


def _differing(before: Mapping[str, str], values: Mapping[str, str]) -> list[str]:
    """Names alone: the values are secret."""
    return [name for name, value in values.items() if before.get(name) != value]


def _toml(answers: Answers) -> str:
    listen, api = address(answers.listen), address(answers.api)
    assert listen is not None
    assert api is not None
    gateway: dict[str, object] = {"hostname": answers.hostname}
    if answers.workers:
        gateway["workers"] = answers.workers
    if answers.tls != "none":
        gateway |= {"certificate": answers.certificate, "key": answers.key}
    control = {"host": api[0], "port": api[1], "gateway_networks": list(answers.gateway_networks)}
    listener = {"host": listen[0], "port": listen[1], "tls": answers.tls}
    return (
        "# Made by `sendgate init`; every setting is in deploy/config/sendgate.toml.\n\n"
        + _table("[gateway]", gateway)
        + _table("[[gateway.listeners]]", listener)
        + _table("[control]", control)
    )


def _table(head: str, values: Mapping[str, object]) -> str:
    # JSON's strings, numbers and lists are TOML's.
    rows = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    return f"{head}\n{rows}\n"


def _new_secret() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _give(path: Path, mode: int) -> None:
    """To the account of the units where root makes it; the configuration stays root's."""
    path.chmod(mode)
    if os.geteuid() != 0:
        return
    try:
        user, group = pwd.getpwnam(ACCOUNT).pw_uid, grp.getgrnam(ACCOUNT).gr_gid
    except KeyError:
        return
    os.chown(path, 0 if mode == 0o640 else user, group)
