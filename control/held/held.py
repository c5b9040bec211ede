"""Held messages as the API shows them."""

from datetime import datetime
from typing import Any

import msgspec

from policy.isotime import instant, instant_of, not_before

OPEN = ("held", "claimed", "doubt")
"""States of messages that have not ended."""

STATES = (*OPEN, "done", "refused")

CAMPAIGNS = 100
"""That are counted one by one, the largest first."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A share of what waits."""

    by: str
    """`all`, `tenant`, `campaign`, `pool`, `provider`, `reason` or `state`."""
    name: str
    """Empty: mail without a campaign."""
    tenant: str
    """Of a campaign: whose; else empty."""
    messages: int
    octets: int
    oldest: str
    """When its oldest message came; empty without one."""
    age: float
    """Seconds since then."""
    next: str
    """Earliest time at which a message may go, never before now; empty when nobody knows one."""
    paused: int
    """Of the messages, those an operator stopped."""


class HoldSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the filters match."""

    now: str
    all: Part
    parts: list[Part]
    """Of campaigns the hundred with most mail."""


class HeldView(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient of a held message."""

    id: str
    message: str
    """Id of the message; the same for each of its recipients."""
    tenant: str
    pool: str
    provider: str
    mailbox: str
    bulk: bool
    recipient: str
    campaign: str
    message_id: str
    """Its Message-ID header."""
    size: int
    arrived: str
    state: str
    since: str
    """When it entered the state."""
    reason: str
    detail: str
    until: str
    """Until when the limit binds; empty when nobody knows."""
    due: str
    """It waits by itself until then; empty: it does not."""
    paused: bool
    attempt: int
    server: str
    vmta: str
    envelope: str
    failures: int
    """It waits longer after each."""
    blamed: int
    """Those after which another message had passed on its path; too many of them end it."""
    behind: str
    """In doubt behind that message, whose fate decides."""
    ending: str
    """How it ended: relayed, duplicate, refused, expired, failed, dropped, forgotten."""
    verdict: str


class Recipient(msgspec.Struct, frozen=True):
    """Another recipient of the message."""

    id: str
    recipient: str
    state: str
    ending: str


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of the message itself; never the message."""

    sender: str
    body_8bit: bool
    smtputf8: bool
    ret: str
    codec: str
    octets: int
    """As kept, compressed."""


class HeldDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one message."""

    held: HeldView
    key: str
    """Digest of its duplicate key; empty: it has none."""
    notify: str
    orcpt: str
    content: Content | None
    """null: gone, which it is soon after a message ended."""
    recipients: list[Recipient]


class HeldPage(msgspec.Struct, frozen=True, kw_only=True):
    """Messages by arrival."""

    now: str
    """What a message waited for until then is over."""
    messages: list[HeldView]
    after: str
    """To be given as `after` for the next page; empty: this is the last."""


def text_of(octets: bytes) -> str:
    """Octets of an address for people; what is no UTF-8 stays visible."""
    return octets.decode("utf-8", "backslashreplace")


def moment(milliseconds: int | None) -> str:
    """ISO time of an instant, empty for none."""
    return instant(milliseconds) if milliseconds else ""


def promised(milliseconds: int | None) -> str:
    """ISO time before which nothing happens, empty for none."""
    return not_before(milliseconds) if milliseconds else ""


def stamp(at: datetime | None) -> str:
    """ISO time of a column that PostgreSQL has as a time, as `moment` gives it."""
    return instant_of(at) if at else ""


_MASKS = {
    63: "all",
    31: "tenant",
    15: "campaign",
    55: "pool",
    59: "provider",
    61: "reason",
    62: "state",
}
"""PostgreSQL's grouping(): a bit is 1 where the column is not what was grouped by."""


def summary(records: list[Any], now: int) -> HoldSummary:
    """From the rows of statement `summary`; `now` in milliseconds."""
    parts = [
        Part(
            by=_MASKS[r["mask"]],
            name=r["name"],
            tenant=r["whose"],
            messages=r["messages"],
            octets=r["octets"],
            oldest=moment(r["oldest"]),
            age=max(0, now - r["oldest"]) / 1000 if r["oldest"] is not None else 0.0,
            next=moment(now) if r["next"] and r["next"] <= now else promised(r["next"]),
            paused=r["paused"],
        )
        for r in records
    ]
    return HoldSummary(now=moment(now), all=parts[0], parts=parts[1:])


def held_view(record: Any) -> HeldView:
    """From a row of `held`."""
    times = {name: moment(record[name]) for name in ("arrived", "since")}
    times["until"] = promised(record["until"])
    plain: dict[str, Any] = {
        name: record[name]
        for name in HeldView.__struct_fields__
        if name not in ("message", "recipient", "due", *times)
    }
    return HeldView(
        message=record["body"],
        recipient=text_of(record["recipient"]),
        due=promised(record["due"]) if record["waiting"] else "",
        **(plain | times),
    )


def content(record: Any) -> Content | None:
    """From a row of `held_body`."""
    if record is None:
        return None
    return Content(
        sender=text_of(record["sender"]),
        body_8bit=bool(record["flags"] & 1),
        smtputf8=bool(record["flags"] & 2),
        ret=text_of(record["ret"]),
        codec=record["codec"],
        octets=record["octets"],
    )


def recipients(records: list[Any]) -> list[Recipient]:
    """From the rows of statement `siblings`."""
    return [Recipient(r["id"], text_of(r["recipient"]), r["state"], r["ending"]) for r in records]
