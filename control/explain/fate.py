"""What became of a message: why it waits, how it ended, and what PowerMTA's records prove."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from control.explain.explanation import CHANGE
from control.held.held import OPEN, HeldView, moment
from control.ledger.status import CLOSED, OPENS
from control.messages.outcome import MessageView
from policy.denial import Limit

KINDS = {
    "r": "PowerMTA took it",
    "d": "delivered",
    "b": "bounced",
    "t": "deferred by the recipient's server",
    "q": "its queue was put off",
    "f": "the recipient complained",
}
"""PowerMTA's record types, by letter (`tq` is two)."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """PowerMTA's records of one attempt."""

    day: str
    """Day of the grant (UTC), whose quota it was charged to."""
    message: str
    attempt: int
    server: str
    kinds: str
    """Record types in order of arrival: r, d, b, t, tq, f."""
    means: str
    at: str


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """The answer about one message."""

    message: str
    found: str
    """`waits`, `ended`, `sent` (live, never held) or `unknown`."""
    sentence: str
    change: str = ""
    """What would change it."""
    held: HeldView | None = None
    before: int | None = None
    """Messages of its pool and provider that go first."""
    forecast: str = ""
    """When its turn comes at today's allowances; empty: nothing to say."""
    proofs: list[Proof] = []


_OTHER_REASONS = {
    "failed": "see detail: PowerMTA or the way to it; it is tried again by itself, or at once by "
    "`sendgate hold release --message {id}`",
    "restored": "accounting written since the back-up settles it; see deploy/RECOVERY.md",
}


def proved(records: list[Any]) -> list[Proof]:
    """From the rows of statement `receipts`."""
    return [
        Proof(
            day=(datetime.fromtimestamp(0, UTC) + timedelta(days=r["day"])).date().isoformat(),
            message=r["message"],
            attempt=r["attempt"],
            server=r["server"],
            kinds=r["kinds"],
            means=", ".join(dict.fromkeys(KINDS[k] for k in r["kinds"] if k in KINDS)),
            at=moment(r["at"]),
        )
        for r in records
    ]


def fate(
    asked: str,
    held: HeldView | None,
    proofs: list[Proof],
    *,
    now: str = "",
    closed: Sequence[str] = (),
    campaign_paused: bool = False,
    before: int | None = None,
    forecast: str = "",
) -> Fate:
    """In words. `now` as the message's times are written, `closed`: IPs of its pool
    whose quota only looks used up."""
    if held is None:
        return _never_held(asked, proofs)
    if held.state not in OPEN:
        return Fate(message=asked, found="ended", sentence=_ending(held), held=held, proofs=proofs)
    sentence, change = _waiting(held, campaign_paused, now)
    if closed and held.reason in (Limit.IP_QUOTA, Limit.IP_PROVIDER):
        sentence, change = f"waits: {', '.join(closed)}: {CLOSED}", OPENS
    return Fate(
        message=asked,
        found="waits",
        sentence=sentence,
        change=change,
        held=held,
        before=before,
        forecast=forecast,
        proofs=proofs,
    )


def told(asked: str, outcomes: Sequence[MessageView]) -> Fate:
    """Of a message that neither the hold nor the accounting knows, by what gateways said of it,
    newest first."""
    last = outcomes[0]
    words = [f"{last.outcome} {last.at}, to {last.recipient or '(forgotten)'}"]
    if last.vmta:
        words.append(f"by {last.vmta} ({last.server}), {last.envelope}")
    if last.why:
        words.append(last.why)
    found = "sent" if last.outcome == "relayed" else "ended"
    return Fate(message=asked, found=found, sentence="; ".join(words))


def _never_held(asked: str, proofs: list[Proof]) -> Fate:
    if proofs:
        last = proofs[-1]
        sentence = (
            f"never held: sent live on {last.day}, attempt {last.attempt}, through PowerMTA server "
            f"{last.server}: {last.means}"
        )
        return Fate(message=asked, found="sent", sentence=sentence, proofs=proofs)
    sentence = (
        "neither the hold nor the accounting that was read knows it: it was sent live or refused, "
        "or is older than they keep; only the gateway's log has it (search for the id)"
    )
    return Fate(message=asked, found="unknown", sentence=sentence)


def _ending(held: HeldView) -> str:
    words = [f"ended {held.since}: {held.ending or held.state}"]
    if held.vmta:
        words.append(f"attempt {held.attempt} by {held.vmta} ({held.server}), {held.envelope}")
    if held.verdict:
        words.append(held.verdict)
    return "; ".join(words)


def _waiting(held: HeldView, campaign_paused: bool, now: str) -> tuple[str, str]:
    """(why, what would change it)."""
    if held.state == "claimed":
        return f"is being sent this moment (attempt {held.attempt})", ""
    if held.state == "doubt":
        behind = f"behind {held.behind}, which is in doubt" if held.behind else "in doubt"
        why = (
            f"{behind}: attempt {held.attempt} through {held.server or 'PowerMTA'} had no final "
            f"answer ({held.detail or held.reason}); it may have been sent"
        )
        change = (
            "accounting settles it; without, look for the envelope id in PowerMTA's records, then "
            f"`sendgate hold settle --message {held.id} --delivered` or `--absent`"
        )
        return why, change
    if held.reason == "dropping":
        return (
            "is being dropped, by an order that can be undone still",
            "`sendgate hold requests` has its number, `sendgate hold undo NUMBER` puts it back",
        )
    if held.paused:
        return "paused by an operator", f"`sendgate hold resume --message {held.id}`"
    if campaign_paused:
        return (
            f"campaign {held.campaign} is paused",
            f"`sendgate hold resume --tenant {held.tenant} --campaign {held.campaign}`",
        )
    why = f"waits: {held.reason}"
    if held.detail:
        why += f": {held.detail}"
    until = held.until or held.due
    if until and until <= now:
        why += f"; that ended {until}, it goes in its turn"
    elif until and until not in why:
        why += f", until {until}"
    try:
        change = CHANGE[Limit(held.reason)]
    except ValueError:
        change = _OTHER_REASONS.get(held.reason, "").format(id=held.id)
    return why, change
