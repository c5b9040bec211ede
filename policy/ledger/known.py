"""What control knows of a ledger's contents from elsewhere, to write it back after a loss."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import msgspec

from policy.ledger_port import EntryState

CHUNK = 500
"""Counters or entries in one call: a ledger is one thread, and other ledgers may share it."""

T = TypeVar("T")


class Counters(msgspec.Struct, frozen=True):
    """What is known of an IP's day, in recipients."""

    ip: str
    day: int
    total: int
    by_provider: dict[str, int]
    bypass: dict[str, int] = {}
    """Of `by_provider`, what went around the gateways (`LedgerAdmin.charge_bypass`)."""


class Entry(msgspec.Struct, frozen=True):
    """A duplicate entry to be written back."""

    key: str
    owner: str
    """Message id."""
    attempt: int
    state: EntryState
    """HELD, DOUBT or SENT."""
    since: int
    """Calendar milliseconds."""
    server: str = ""
    """Where the attempt went, if anywhere."""


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in lists of `CHUNK`, the last one shorter."""
    iterator = iter(values)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
