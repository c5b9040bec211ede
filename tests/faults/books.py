"""The books: what was offered and answered against what PowerMTA took, what waits and what the
log says. Pure: `close` decides, and its findings name every message that breaks a promise.

The invariants:
1. an acknowledged message was taken exactly once, or waits (held, claimed), or is in doubt with a
   reason, or ended with a report; or it went with a store that only had it (`unknowable`: an
   asynchronous standby took over), and then it is counted so and not as lost;
2. no message was taken twice, and none that was taken waits to be sent again;
3. no VirtualMTA, and no VirtualMTA with a provider, took more in a day than its quota;
4. a message its client was told is *not* sent was not taken, or the log names it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import msgspec

from policy.provider import provider_of
from tests.faults.load import Offer
from tests.faults.receipts import Receipt

OPEN = ("held", "claimed")
REPORTED = ("refused", "expired", "failed")
"""Endings that the sender's system is told of."""

MESSAGE_ID = 27
"""Characters of a message id (gateway/message/ids.py)."""


class Row(msgspec.Struct, frozen=True):
    """A row of the hold queue."""

    id: str
    recipient: str
    state: str
    reason: str
    ending: str = ""

    @property
    def message(self) -> str:
        """Its message id: a row of several recipients adds `x` and a number."""
        return _whole(self.id)


def _whole(name: str) -> str:
    """The message id that a row's id, or an envelope id's message, begins with."""
    return name[:MESSAGE_ID]


class Quota(msgspec.Struct, frozen=True):
    """The largest allowance a VirtualMTA had, in recipients a day."""

    daily: int
    ceilings: Mapping[str, int] = {}


class Findings(msgspec.Struct, kw_only=True):
    """Numbers for the table, and the messages that break a promise."""

    offered: int
    acknowledged: int
    refused: int
    deferred: int
    unheard: int
    delivered: int
    """Recipients taken once."""
    held: int
    doubt: int
    slowest: float
    """Seconds of the latest answer."""
    lost: list[str]
    unknowable: list[str]
    """Acknowledged, and only on a database that is gone."""
    twice: list[str]
    due_again: list[str]
    """Taken, and yet waiting to be sent."""
    excess: dict[str, int]
    """`DAY VMTA [PROVIDER]` to recipients above the quota."""
    denied_and_taken: list[str]
    """Clients were told 4xx or 5xx, PowerMTA has it, and no log line names it."""

    @property
    def problems(self) -> list[str]:
        """One sentence for each broken promise; empty when all were kept."""
        said = {
            "acknowledged and lost": self.lost,
            "taken twice": self.twice,
            "taken, and waiting to be sent again": self.due_again,
            "told not sent, taken, and not in the log": self.denied_and_taken,
            "above the quota": [f"{what} by {n}" for what, n in sorted(self.excess.items())],
        }
        return [f"{len(who)} {what}: {', '.join(who[:5])}" for what, who in said.items() if who]


def close(
    *,
    offers: Sequence[Offer],
    receipts: Sequence[Receipt],
    rows: Sequence[Row],
    named: set[str],
    quotas: Mapping[str, Quota],
    gone_with_primary: Set[str] = frozenset(),
) -> Findings:
    """`named`: recipients that a log line calls unknown or delivered late. `gone_with_primary`:
    those whose row the database that took over never had."""
    taken = Counter(receipt.recipient for receipt in receipts)
    kept = {row.recipient for row in rows if _kept(row)}
    gone = {(_whole(receipt.message), receipt.recipient) for receipt in receipts}
    acknowledged = {r for o in offers if o.acknowledged for r in o.mail.recipients}
    denied = {r for o in offers if o.deferred or o.refused for r in o.mail.recipients}
    denied -= acknowledged
    missing = {r for r in acknowledged if not taken[r] and r not in kept}
    return Findings(
        offered=len(offers),
        acknowledged=sum(o.acknowledged for o in offers),
        refused=sum(o.refused for o in offers),
        deferred=sum(o.deferred for o in offers),
        unheard=sum(o.unheard for o in offers),
        delivered=sum(count == 1 for count in taken.values()),
        held=sum(row.state in OPEN for row in rows),
        doubt=sum(row.state == "doubt" for row in rows),
        slowest=max((a.ended - a.began for o in offers for a in o.answers if a.code), default=0.0),
        lost=sorted(missing - gone_with_primary),
        unknowable=sorted(missing & gone_with_primary),
        twice=sorted(r for r, count in taken.items() if count > 1),
        due_again=sorted(
            row.recipient
            for row in rows
            if row.state == "held" and (row.message, row.recipient) in gone
        ),
        excess=_excess(receipts, quotas),
        denied_and_taken=sorted(r for r in denied if taken[r] and r not in named),
    )


def _kept(row: Row) -> bool:
    """Whether this row accounts for a message that PowerMTA has not taken."""
    if row.state == "doubt":
        return bool(row.reason)
    # Endings `relayed` and `duplicate` claim a delivery that is not there.
    return row.state in OPEN or row.ending in REPORTED


def _excess(receipts: Iterable[Receipt], quotas: Mapping[str, Quota]) -> dict[str, int]:
    days: Counter[tuple[int, str, str]] = Counter()
    for receipt in receipts:
        provider = provider_of(receipt.recipient.rpartition("@")[2])
        days[receipt.day, receipt.vmta, ""] += 1
        days[receipt.day, receipt.vmta, provider] += 1
    found = {}
    for (day, vmta, provider), count in days.items():
        quota = quotas.get(vmta, Quota(0))
        most = quota.ceilings.get(provider, count) if provider else quota.daily
        if count > most:
            found[f"{day} {vmta} {provider}".strip()] = count - most
    return found


def named_recipients(lines: Iterable[Mapping[str, Any]]) -> set[str]:
    """Recipients whose fate the gateway's log calls unknown, or taken and not acknowledged."""
    events = {"late_reply", "relay_unknown"}
    return {
        recipient
        for line in lines
        if line.get("event") in events
        or line.get("outcome") == "unknown"
        # Nobody knew whether the hold had it: deferred, and perhaps released later.
        or (line.get("outcome") == "deferred" and "(unsure)" in line.get("why", ""))
        for recipient in line.get("recipients", ())
    }
