"""What PowerMTA's records suppress: addresses that will never take mail, those who complain.

Owns: which record is about whom, and whose mail it was. Not here: which bounces are hard
(`policy/bounces.toml`), writing (`control.suppressions.change`).
Rules: it is suppressed for the tenant whose mail it was: who had its IP or its VirtualMTA on the
day of the mail, else by the message its envelope id names. What names no tenant is mail that was
not ours and suppresses nobody, but for the small form `{"email", "reason"}`, which names none ever
and tells hard bounces alone: for everybody. What somebody took away is not brought back by an older
record.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from control.accounting.columns import storable
from control.accounting.door import Batch
from control.accounting.fact import Fact
from control.accounting.payload import BAD_ADDRESS
from control.problem import RefusedError
from control.statistics.counts import day_counted
from control.statistics.owner import Owners, address_of, owners
from control.store.database import Connection
from control.suppressions.change import SQL, write
from control.suppressions.entry import NOTE, Entry
from policy.address import LONGEST
from policy.bounce import category_of
from policy.limits import day_of
from policy.suppression import EVERYBODY, Reason, canonical

log = logging.getLogger(__name__)

WHO = "accounting"
"""In the column and in the table of who did it."""

_FEEDBACK: dict[str, Reason | None] = {
    "not-spam": None,  # RFC 6430: the opposite of a complaint
    "opt-out": "unsubscribe",
    "opt-out-list": "unsubscribe",
}
"""By feedbackType; any other is a complaint (RFC 5965 section 7.3)."""


class Said(msgspec.Struct, frozen=True):
    """A record that suppresses somebody."""

    fact: Fact
    reason: Reason
    note: str


def said(facts: Sequence[Fact]) -> Iterator[Said]:
    """Of these those that suppress."""
    for fact in facts:
        kind = fact.kind
        if kind in ("b", "rb"):
            found = category_of(fact.category, fact.status, fact.diagnosis)
            if found.hard and found.kind == "address":
                yield Said(fact, "bounce", fact.diagnosis or fact.status or found.name)
        elif kind == BAD_ADDRESS:
            found = category_of(fact.diagnosis, "", fact.diagnosis)
            # Its words are its own: one that no rule knows is what the form is for.
            if found.name == "other" or (found.hard and found.kind == "address"):
                yield Said(fact, "bounce", fact.diagnosis)
        elif kind == "f":
            reason = _FEEDBACK.get(fact.feedback.strip().lower(), "complaint")
            if reason is not None:
                yield Said(fact, reason, fact.feedback)


class Rule:
    """A consumer of the door. Comes behind every consumer that changes rows of its own: it locks
    what others wait for until their commits."""

    def __init__(self, most: int) -> None:
        """`most`: `suppressions.most`."""
        self._most = most

    async def take(self, connection: Connection, batch: Batch, now: int) -> None:
        found = list(said(batch.facts))
        if not found:
            return
        entries = await self._entries(connection, found, now)

        async def put(change: int, digests: list[bytes], places: list[int]) -> Any:
            chosen = [entries[place] for place in places]
            return await connection.fetchrow(
                SQL["put_by_rule"],
                *(change, "rule", WHO, digests),
                [one.tenant for one in chosen],
                [one.address for one in chosen],
                [one.reason for one in chosen],
                [one.note for one in chosen],
                [one.since for one in chosen],
            )

        try:
            async with connection.transaction():
                names = [(one.tenant, one.address) for one in entries]
                await write(connection, names, self._most, put)
        except RefusedError as error:
            log.error("recipients of hard bounces and complaints are not suppressed: %s", error)

    async def _entries(self, connection: Connection, found: list[Said], now: int) -> list[Entry]:
        senders = await _senders(connection, [one.fact for one in found], now)
        entries = []
        for one in found:
            fact = one.fact
            tenant, told = senders.of(fact)
            address = canonical(_bare(fact.rcpt or told))
            if tenant is None and fact.kind == BAD_ADDRESS:
                tenant = EVERYBODY
            if tenant is None or address is None or len(address.encode()) > LONGEST:
                continue
            note = "".join(c if c.isprintable() else " " for c in one.note)[:NOTE]
            entries.append(Entry(tenant, address, one.reason, note, since=min(fact.at, now)))
        return entries


class _Senders(msgspec.Struct, frozen=True):
    """Whose mail records are about. What names neither IP nor VirtualMTA of ours is looked up by
    its message."""

    owners: Owners
    latest: int
    """The last day that mail can be of."""
    messages: dict[str, tuple[str, str]]
    """Message id to (tenant, its only recipient or '')."""

    def tenant(self, fact: Fact) -> str:
        """Who had its IP on the day of the mail, not on that of the record: '' for nobody known."""
        day = day_counted(fact, self.latest)
        return self.owners.of(day, storable(fact.vmta), address_of(fact.source_ip)).tenant

    def of(self, fact: Fact) -> tuple[str | None, str]:
        """(tenant or None, the recipient its message had, if that is known)."""
        message = self.messages.get(fact.envelope.message) if fact.envelope else None
        known, recipient = message or (None, "")
        return self.tenant(fact) or known, recipient


async def _senders(connection: Connection, facts: list[Fact], now: int) -> _Senders:
    vmtas = {storable(fact.vmta) for fact in facts if fact.vmta}
    ips = {address for fact in facts if (address := address_of(fact.source_ip))}
    known = await owners(connection, vmtas, ips)
    found = _Senders(known, day_of(now) + 1, {})
    # Messages are looked for where the record alone does not say it.
    unsure = sorted(
        {f.envelope.message for f in facts if f.envelope and (not found.tenant(f) or not f.rcpt)}
    )
    rows = await connection.fetch(SQL["by_message"], unsure) if unsure else []
    told = {row["message"]: (row["tenant"], row["recipient"] or "") for row in rows}
    return _Senders(known, found.latest, told)


def _bare(address: str) -> str:
    """As loops write it: `<anna@gmail.com>`, `rfc822;anna@gmail.com`."""
    text = address.strip()
    if text.lower().startswith("rfc822;"):
        text = text[7:].strip()
    return text.removeprefix("<").removesuffix(">")
