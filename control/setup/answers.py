"""What has to be known before anything can start, asked on a terminal or read from a file."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from control.problem import FieldProblem, RefusedError

HostPort = str
"""`HOST:PORT`, `[IPv6]:PORT`."""


class Answers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one host with gateway and control."""

    database_url: str
    """PostgreSQL, with its password."""
    redis_url: str = "redis://127.0.0.1:6379/0"
    """Valkey or Redis, the ledger."""
    hostname: str
    """What the gateway calls itself in SMTP."""
    listen: HostPort = "127.0.0.1:2587"
    """Where MailWizz connects."""
    tls: Literal["none", "starttls", "implicit"] = "none"
    """Of that listener."""
    certificate: str = ""
    """PEM file, with tls."""
    key: str = ""
    """Its key."""
    pmta: HostPort = ""
    """PowerMTA; empty: later."""
    api: HostPort = "127.0.0.1:8000"
    """Where control listens."""
    gateway_networks: tuple[str, ...] = ("127.0.0.1",)
    """Addresses of the gateways, as PowerMTA sees them."""
    workers: int = 0
    """Of the gateway; 0: one for each processor."""


class Question(msgspec.Struct, frozen=True):
    """One that is asked on a terminal."""

    field: str
    text: str
    default: str = ""
    hidden: bool = False


QUESTIONS = (
    Question("database_url", "PostgreSQL (postgresql://sendgate:PASSWORD@HOST:5432/sendgate)", "",
             hidden=True),
    Question("redis_url", "Valkey or Redis (redis://:PASSWORD@HOST:6379/0)",
             "redis://127.0.0.1:6379/0"),
    Question("hostname", "the gateway's own name (FQDN)"),
    Question("listen", "where MailWizz connects (HOST:PORT)", "127.0.0.1:2587"),
    Question("tls", "TLS there: none, starttls or implicit", "none"),
    Question("certificate", "PEM file of its certificate"),
    Question("key", "PEM file of its key"),
    Question("pmta", "PowerMTA (HOST:PORT; empty: later)"),
    Question("api", "where control's API listens (HOST:PORT)", "127.0.0.1:8000"),
)  # fmt: skip
_WITH_TLS = ("certificate", "key")


def from_file(file: Path) -> Answers:
    """Raises RefusedError, naming each field."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RefusedError(f"{file}: {error.strerror}", status=400) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file}: {error}", status=400) from error
    return _read(values, str(file))


def asked(ask: Callable[[Question], str]) -> Answers:
    """`ask` shows a question and gives what was typed. Raises RefusedError."""
    values: dict[str, str] = {}
    for question in QUESTIONS:
        if question.field in _WITH_TLS and values["tls"] == "none":
            continue
        values[question.field] = ask(question).strip()
    return _read({name: value for name, value in values.items() if value}, "the answers")


def _read(values: dict[str, object], source: str) -> Answers:
    try:
        found = msgspec.convert(values, Answers)
    except msgspec.ValidationError as error:
        wrong = [FieldProblem("", str(error))]
        raise RefusedError(f"{source}: {error}", status=400, errors=wrong) from error
    problems = [
        FieldProblem(field, f"{text!r} is no HOST:PORT")
        for field in ("listen", "api", "pmta")
        if (text := getattr(found, field)) and address(text) is None
    ]
    problems += [
        FieldProblem(field, "is empty: it cannot be guessed")
        for field in ("database_url", "hostname")
        if not getattr(found, field)
    ]
    if found.tls != "none":
        problems += [
            FieldProblem(field, f"tls = {found.tls} needs a PEM file")
            for field in _WITH_TLS
            if not getattr(found, field)
        ]
    if problems:
        said = "; ".join(f"{one.field}: {one.detail}" for one in problems)
        raise RefusedError(f"{source}: {said}", status=400, errors=problems)
    return found


def address(text: HostPort) -> tuple[str, int] | None:
    """(host, port); None for a text that is none."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (colon and host and port.isascii() and port.isdigit()) or int(port) > 65_535:
        return None
    return host, int(port)
