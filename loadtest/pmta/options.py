"""What a run of the stand-in can be told, on the command line or by a test."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

from loadtest.pmta.delivery import DEFAULT_RETRY_AFTER
from loadtest.pmta.server import MAX_SESSIONS
from loadtest.pmta.spool import Store


class Address(NamedTuple):
    """Where to listen; port 0 takes any free one."""

    host: str
    port: int


SMTP = Address("127.0.0.1", 2525)
HTTP = Address("127.0.0.1", 8525)


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of one run; sizes in bytes, times in seconds."""

    listen: tuple[Address, ...] = (SMTP,)
    http: Address = HTTP
    config: Path | None = None
    accounting: Path | None = None
    accounting_max_size: int = 0
    """0: as the configuration has it."""
    store: Store = Store.ALL
    login: tuple[str, str] | None = None
    tls: tuple[Path, Path] | None = None
    source: str = ""
    max_sessions: int = MAX_SESSIONS
    max_size: int = 0
    retry_after: float = DEFAULT_RETRY_AFTER


def parse(arguments: Sequence[str]) -> Options:
    """The options in `arguments`. Exits with status 2 and one clear line for a bad one."""
    parser = _OneLine(
        prog="python -m loadtest.pmta",
        description="A stand-in for PowerMTA: SMTP in, accounting out, nothing delivered.",
    )
    add = parser.add_argument
    add("--listen", type=_address, action="append", metavar="HOST:PORT", help="SMTP; repeatable")
    add("--http", type=_address, default=HTTP, metavar="HOST:PORT", help="report, switches")
    add("--config", type=Path, help="PowerMTA configuration; without it any VirtualMTA exists")
    add("--accounting", type=Path, metavar="DIR", help="write the <acct-file> there, else acct.csv")
    add("--accounting-max-size", type=_count, default=0, metavar="BYTES")
    add("--store", type=Store, choices=list(Store), default=Store.ALL, help="kept of a message")
    add("--require-auth", type=_login, metavar="USER:PASS", help="refuse MAIL without this login")
    add("--tls", type=Path, nargs=2, metavar=("CERT", "KEY"), help="offer STARTTLS")
    add("--source", default="", metavar="NAME", help="the listeners' source, as in smtp-listener")
    add("--max-sessions", type=_count, default=MAX_SESSIONS, help="over it: 421 and close")
    add("--max-size", type=_count, default=0, metavar="BYTES", help="largest message, 0 = any")
    add("--retry-after", type=float, default=DEFAULT_RETRY_AFTER, metavar="SECONDS")
    given = parser.parse_args(arguments)
    return Options(
        listen=tuple(given.listen or [SMTP]),
        http=given.http,
        config=given.config,
        accounting=given.accounting,
        accounting_max_size=given.accounting_max_size,
        store=given.store,
        login=given.require_auth,
        tls=tuple(given.tls) if given.tls else None,
        source=given.source,
        max_sessions=given.max_sessions,
        max_size=given.max_size,
        retry_after=given.retry_after,
    )


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse puts its whole usage in front; the mistake would drown in it.
        self.exit(2, f"pmta stand-in: {message}\n")


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise argparse.ArgumentTypeError(f"'{text}' is not HOST:PORT, such as 127.0.0.1:2525")
    return Address(host.strip("[]"), int(port))


def _login(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("write USER:PASS")
    return user, password


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    return int(text)
