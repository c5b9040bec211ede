"""Which recipients went around the gateways, by what their records say. Pure.

A record counts that has no envelope id of ours and is of a VirtualMTA of ours, or left from an IP
of ours: whatever PowerMTA calls its VirtualMTA, a receiver sees the IP.
One message has several records and nothing numbers it, so messages are counted by recipient, IP
and the day they were handed in: there were as many as receipts, or as final records where those
are more (no receipts are configured, or they are read later), and at least one where there is a
transient record. So a receipt and its delivery are one message, in either order, and two messages
to one recipient are two. Nothing else is compared: which columns a receipt has is the
configuration's.
Limit: messages to one recipient that PowerMTA tries again and again, without receipts, are one
until their final records come; one handed in within a second of midnight may be two. An envelope
id of our form, made by somebody else, hides a message here.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from control.accounting.columns import ALIASES, storable
from control.accounting.fact import FINAL, Fact
from policy.address import recipient_name, split_address
from policy.limits import day_of
from policy.plan import SYSTEM_VIRTUAL_MTA
from policy.provider import OTHER, provider_of

KINDS = frozenset("rdbt")
"""Types of records that show a message on its way out."""

LONGEST = 200
"""Characters of a login, source or job that are kept."""

_OCTETS = 16

Asked = tuple[int, str, str]
"""Day, VirtualMTA in lower case, source IP: as records name them."""


class Source(NamedTuple):
    """What by-passing mail is told apart by."""

    day: int
    """On which it was handed in."""
    server: str
    vmta: str
    """As the record has it."""
    ip: str
    """Of ours."""
    login: str
    source: str
    """Who handed it in (srcMta)."""
    job: str


class Recipient(NamedTuple):
    """One recipient that a record shows, with what it would count for."""

    id: bytes
    kind: str
    at: int
    provider: str
    source: Source


class Ours(NamedTuple):
    """An IP that a record is of."""

    ip: str
    server: str
    left_from: bool
    """The record names the IP itself."""


def shown(facts: Iterable[Fact]) -> list[Fact]:
    """Those that no gateway handed in. Where no record says what its envelope id is, nobody can
    know: none."""
    batch = list(facts)
    columns = {name.lower() for names in {fact.names for fact in batch} for name in names}
    if not any(ALIASES.get(name, name) == "envid" for name in columns):
        return []
    return [
        fact
        for fact in batch
        if fact.kind in KINDS and not fact.is_ours and fact.vmta != SYSTEM_VIRTUAL_MTA
    ]


def asked(fact: Fact) -> Asked:
    """What to look its IP up by."""
    return (
        day_of(fact.queued or fact.at),
        storable(fact.vmta.strip().lower()),
        storable(fact.source_ip.strip()),
    )


def recipients(facts: Iterable[Fact], known: Mapping[Asked, list[Ours]]) -> list[Recipient]:
    """One for each record and IP of ours that it is of: the one it left from, else each that the
    VirtualMTA was on that day (too high, never too low)."""
    return [_recipient(fact, own) for fact in facts for own in _own(known.get(asked(fact), []))]


def _own(ips: list[Ours]) -> list[Ours]:
    return [one for one in ips if one.left_from] or ips


def _recipient(fact: Fact, own: Ours) -> Recipient:
    day = day_of(fact.queued or fact.at)
    raw = f"{own.ip}\x1f{recipient_name(fact.rcpt)}".encode("utf-8", "surrogateescape")
    address = split_address(fact.rcpt)
    return Recipient(
        id=hashlib.blake2b(raw, digest_size=_OCTETS).digest(),
        kind=fact.kind,
        at=fact.at,
        provider=OTHER if address is None else provider_of(address[1]),
        source=Source(
            day=day,
            server=own.server,
            vmta=_short(fact.vmta),
            ip=own.ip,
            login=_short(fact.login),
            source=_short(fact.feeder),
            job=_short(fact.job),
        ),
    )


def _short(text: str) -> str:
    return storable(text.strip())[:LONGEST]


class Counts(NamedTuple):
    """Records of one recipient in a batch."""

    receipts: int
    finals: int
    others: int


def counts(kinds: Iterable[str]) -> Counts:
    """Of one recipient's records in a batch."""
    every = list(kinds)
    final = sum(kind in FINAL for kind in every)
    receipts = every.count("r")
    return Counts(receipts, final, int(len(every) > final + receipts))
