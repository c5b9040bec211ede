"""How records count: one row of counters for each kind of record. Pure.

A recipient is relayed once (r), and ends once: delivered (d), bounced or expired (b). A bounce that
comes back after the delivery (rb) is a bounce, too, but no second end: `late` takes it out again.
"""

from control.accounting.fact import Fact
from policy.bounce import CATEGORIES, category_of
from policy.identity import PROBE
from policy.limits import day_of

COLUMNS = (
    *("relayed", "delivered", "bounced", "bounced_address", "bounced_block", "bounced_full"),
    *("late", "expired", "deferred", "complaints", "ended"),
)
"""Counters in the order of the tables' columns. `ended`: recipients of the gateway's grants that
PowerMTA has done with; of the rest the gateway knows no grant."""

WIDTH = len(COLUMNS)

Increments = list[int]
"""One number a column."""

KINDS = frozenset({"r", "d", "b", "t", "rb", "f"})
"""Types of records that count; tq and rs are of no recipient's end."""

ATTEMPTS = frozenset({"d", "b", "t"})
"""Types that tell how an attempt ended: of a server that writes them, what ended is known."""

_NO_COMPLAINTS = frozenset({"not-spam", "opt-out", "opt-out-list"})
"""Feedback that is none (RFC 6430; RFC 5965 section 7.3)."""

_ONE = {"r": "relayed", "d": "delivered", "t": "deferred", "f": "complaints"}


def counts(fact: Fact) -> bool:
    """Whether it is counted at all."""
    return fact.kind in KINDS and not (
        fact.envid.startswith(PROBE)
        or (fact.kind == "f" and fact.feedback.strip().lower() in _NO_COMPLAINTS)
    )


def day_counted(fact: Fact, latest: int) -> int:
    """Of its grant; of what the gateway did not grant, of the time PowerMTA took it. What claims to
    be of a day behind `latest` counts on the one it was written."""
    day = day_of(fact.queued or fact.at) if fact.envelope is None else fact.envelope.day
    return day if day <= latest else day_of(fact.at)


def outcome_of(fact: Fact) -> str:
    """Its type, or of a bounce `b:` or `rb:` and the category."""
    if fact.kind in _ONE:
        return fact.kind
    return f"{fact.kind}:{category_of(fact.category, fact.status, fact.diagnosis).name}"


def increments_of(outcome: str, *, ours: bool) -> Increments:
    """What one record adds. `outcome` from `outcome_of`; `ours`: of a grant of the gateway."""
    kind, _, name = outcome.partition(":")
    if kind in _ONE:
        added = {_ONE[kind]}
    else:
        found = CATEGORIES[name].kind
        if found == "expired" and kind == "b":
            added = {"expired"}
        else:
            added = {"bounced", f"bounced_{found}"}
        if kind == "rb":
            added.add("late")
    if ours and kind in ("d", "b"):
        added.add("ended")
    return [int(column in added) for column in COLUMNS]


def category_in(outcome: str) -> str:
    """The category of a bounce that counts as one, '' for anything else."""
    kind, _, name = outcome.partition(":")
    return "" if kind == "b" and name and CATEGORIES[name].kind == "expired" else name
