"""Secrets that come in files: `NAME_FILE` beside the variable NAME, and systemd's credentials.

Rule: a secret has one source. The configuration file is below all others; of variable, `NAME_FILE`
and credential at most one may be given, because whoever gives two changes one of them and wonders.
"""

import os
import stat
from collections.abc import Mapping
from typing import Any

from settings.environment import file_variables
from settings.secret import SECRETS, URLS

FOLDER = "CREDENTIALS_DIRECTORY"
"""What systemd names the folder of a unit's credentials in (systemd.exec, Credentials)."""
LARGEST = 65_536
"""Octets of such a file."""


class UnusableError(Exception):
    """The file holds no secret that may be used; the message says why and what to do."""


def from_files(
    environ: Mapping[str, str],
    values: dict[str, dict[str, Any]],
    origin: dict[str, str],
    problems: list[str],
) -> None:
    """Adds to `values` and `origin` what files say. An empty variable beside a file is none: the
    sample of `sendgate.env` has such lines."""
    for field, sources in sorted(_sources(environ).items()):
        section, name = field.split(".")
        given = values.get(section, {}).get(name)
        said = [source for source, _ in sources]
        if given:
            said.insert(0, origin.get(field, field))
        if len(said) > 1:
            problems.append(f"{field}: given by {' and by '.join(said)}: keep one of them")
            continue
        source, file = sources[0]
        try:
            values.setdefault(section, {})[name] = content(file)
        except UnusableError as error:
            problems.append(f"{field} (from {source}): {error}")
        origin[field] = source


def _sources(environ: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Field to what names a file for it, each with the file."""
    found: dict[str, list[tuple[str, str]]] = {}
    for variable, field in file_variables().items():
        if variable in environ:
            found.setdefault(field, []).append((variable, environ[variable]))
    if folder := environ.get(FOLDER):
        for field in SECRETS | URLS:
            if os.path.lexists(file := f"{folder}/{field}"):
                found.setdefault(field, []).append((f"${FOLDER}/{field}", file))
    return found


def content(file: str) -> str:
    """Its one line. Raises UnusableError, which never shows any of it."""
    if not file:
        raise UnusableError("it names no file: give a path, or take the variable away")
    try:
        # A pipe without a writer would keep the start waiting for ever.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _usable(file, os.fstat(descriptor).st_mode)
            with open(descriptor, "rb", closefd=False) as opened:
                raw = opened.read(LARGEST + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UnusableError(f"{file} cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise UnusableError(f"{file} has more than {LARGEST} octets")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise UnusableError(f"{file} is no UTF-8 text") from error
    # What an editor or `echo` ends the line with is no part of it; blanks may be.
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise UnusableError(f"{file} is empty: write the secret into it")
    if "\n" in text or "\r" in text or "\0" in text:
        raise UnusableError(f"{file} has more than one line: a list is comma-separated")
    return text


def _usable(file: str, mode: int) -> None:
    """Raises UnusableError for what is no file, or one that others read or write."""
    if not stat.S_ISREG(mode):
        raise UnusableError(f"{file} is no regular file")
    if mode & stat.S_IRWXO:
        # Refused, not warned of: a warning is read when the secret has been read. Docker and
        # Kubernetes, which mount 0444 and 0644 unasked, take a mode.
        raise UnusableError(
            f"{file} is open to every user (mode {stat.S_IMODE(mode):04o}): chmod o= {file}"
        )
