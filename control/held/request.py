"""Asking the releasers: pause, resume, release, drop, settle, forget; the rows are theirs."""

import hashlib
import hmac
from collections import Counter
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from control.held.filter import FIELDS, HoldFilter, address, arguments, some
from control.held.requestview import HoldAnswer, HoldRequest, request_view
from control.problem import RefusedError, bad, missing
from control.store.change import Act
from control.store.database import Connection
from control.values.wanted import meant
from settings.hold import LONGEST_UNDO
from settings.statements import statements

_SQL = statements(__package__, "hold")

Action = Literal["pause", "resume", "release", "drop", "settle"]


UNDOABLE = ("drop", "release")

IN_DOUBT = (
    "mail in doubt may have been sent, and is neither released nor dropped: say what became of it "
    "by `sendgate hold settle --delivered` or `--absent`"
)


class HoldOrder(HoldFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with the messages that match."""

    action: Action
    force: Annotated[
        Annotated[bool, msgspec.Meta(extra_json_schema={"const": False})],
        meant("Was for mail in doubt, and is refused: settle says what became of it."),
    ] = False
    outcome: Annotated[
        Literal["delivered", "absent"] | None,
        meant(
            "settle: what became of the messages in doubt. delivered ends them, and their copies; "
            "absent lets them go again (delivered all the same, they come twice)."
        ),
    ] = None
    confirm: Annotated[
        bool, meant("drop: they are gone for good, once it cannot be undone any more.")
    ] = False
    undo: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=LONGEST_UNDO)] | None,
        meant(
            "drop, release: seconds for which it can be undone, from when all that matches was "
            "reached; 0: not at all. Left out: `hold.undo`."
        ),
    ] = None
    one_of: ClassVar = FIELDS


class Forget(HoldFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose address is to be forgotten: `recipient`, and `tenant` unless for all of them."""

    one_of: ClassVar = ("recipient",)
    none_of: ClassVar = ("campaign", "reason", "message")


def order(wanted: HoldOrder, *, dry: bool) -> HoldOrder:
    """The order with its filters in one spelling. Raises RefusedError."""
    found = some(wanted)
    if wanted.force:
        raise bad("force", IN_DOUBT)
    if wanted.action == "settle" and wanted.outcome is None:
        raise bad("outcome", "is missing: delivered or absent")
    if wanted.action != "settle" and wanted.outcome is not None:
        raise bad("outcome", f"has no meaning for {wanted.action}: only settle has one")
    if wanted.undo and wanted.action not in UNDOABLE:
        raise bad("undo", f"has no meaning for {wanted.action}: only drop and release have one")
    if wanted.action == "drop" and not wanted.confirm and not dry:
        raise bad("confirm", "must be true: what is dropped is gone (see it with dry_run first)")
    if wanted.action in ("pause", "resume") and found.campaign and not found.tenant:
        raise bad("tenant", "is missing: campaign ids belong to a tenant")
    return HoldOrder(
        **{field: getattr(found, field) for field in FIELDS},
        action=wanted.action,
        outcome=wanted.outcome,
        confirm=wanted.confirm,
        undo=wanted.undo,
    )


def concerns_campaign(wanted: HoldOrder) -> bool:
    """Whether new mail is meant too: a whole campaign is paused or resumed, not a part of it."""
    narrower = (wanted.recipient, wanted.reason, wanted.message)
    return wanted.action in ("pause", "resume") and bool(wanted.campaign) and not any(narrower)


async def ask(act: Act, wanted: HoldOrder, *, dry: bool, undo: int) -> HoldAnswer:
    """Write the request down (not with `dry`), and the campaign's pause. `undo`: seconds for which
    it can be undone where the order does not say. Raises RefusedError."""
    if concerns_campaign(wanted):
        await _set_campaign(act, wanted)
    matching, notes = await would_change(act.connection, wanted, wanted.action)
    if wanted.action not in UNDOABLE:
        undo = 0
    elif wanted.undo is not None:
        undo = wanted.undo
    record = await _add(act, wanted.action, wanted, outcome=wanted.outcome or "", undo=undo)
    filters = {f: v for f in FIELDS if (v := getattr(wanted, f)) is not None and f != "recipient"}
    if wanted.recipient is not None:
        # The audit log outlives what it tells of; an address forgotten later must not stay in it.
        filters["recipient"] = wanted.recipient.rpartition("@")[2]
    after = {**filters, "matching": matching}
    if wanted.outcome is not None:
        after["outcome"] = wanted.outcome
    if undo:
        after["undo"] = undo
    await act.audit(f"hold.{wanted.action}", _subject(wanted), None, after, tenant=wanted.tenant)
    return HoldAnswer(request=record, matching=matching, dry_run=dry, notes=notes)


async def undo(act: Act, number: int, tenant: str | None) -> HoldRequest:
    """What a drop marked is as it was; what a release let go and has not gone waits as before. An
    order that is being undone, or was, stays so. Raises RefusedError."""
    at = round(act.now.timestamp() * 1000)
    record = await act.connection.fetchrow(_SQL["undo"], number, tenant, at)
    if record is None:
        found = await act.connection.fetchrow(_SQL["request"], number, tenant)
        if found is None:
            raise missing("request", str(number))
        if found["state"] not in ("undoing", "undone"):
            raise RefusedError(_too_late(found))
        return request_view(found)
    after = {"request": number, "action": record["action"], "changed": record["changed"]}
    subject = f"request={number}"
    await act.audit("hold.undo", subject, None, after, tenant=record["tenant"])
    return request_view(record)


def _too_late(record: Any) -> str:
    number, action = record["id"], record["action"]
    if not record["undo"]:
        return f"request {number}, {action}, cannot be undone"
    return f"request {number}, {action}, cannot be undone any more: its {record['undo']} s are over"


async def forget(act: Act, wanted: Forget, *, key: bytes, dry: bool) -> HoldAnswer:
    """Ask for a recipient to be forgotten. Raises RefusedError."""
    if wanted.recipient is None:
        raise bad("recipient", "is missing")
    for field in wanted.none_of:
        if getattr(wanted, field) is not None:
            raise bad(field, "an address is forgotten as a whole: leave it out")
    whom = HoldFilter(tenant=wanted.tenant, recipient=address(wanted.recipient, "recipient"))
    assert whom.recipient is not None
    matching, notes = await would_change(act.connection, whom, "forget")
    await act.connection.execute(_SQL["forget_requests"], whom.recipient, whom.tenant)
    # Doubt too: whoever is to be forgotten is not kept for the sake of a count.
    record = await _add(act, "forget", whom, force=True)
    subject = digest(key, whom.recipient)
    after = {"tenant": whom.tenant, "matching": matching}
    await act.audit("hold.forget", subject, None, after, tenant=whom.tenant)
    return HoldAnswer(request=record, matching=matching, dry_run=dry, notes=notes)


def digest(key: bytes, text: str) -> str:
    """A keyed digest of an address: whoever has the key can check a guess, nobody can read it."""
    return "address:" + hmac.digest(key, text.encode(), hashlib.sha256).hex()[:32]


async def would_change(
    connection: Connection, filters: HoldFilter, action: str
) -> tuple[int, list[str]]:
    """(messages a request would change now, what it leaves alone and why). Raises RefusedError for
    one message that is not here: who mistypes its id must not read that all is done."""
    rows = await connection.fetch(_SQL["matching"], *arguments(filters))
    if filters.message is not None and not rows:
        raise RefusedError(f"no message {filters.message} is held", status=404)
    counted: Counter[str] = Counter()
    held = [0, 0]
    by_hand = dropping = 0
    for row in rows:
        if row["dropping"] and action != "forget":
            dropping += row["messages"]
            continue
        counted[row["state"]] += row["messages"]
        if row["state"] == "held":
            held[row["paused"]] += row["messages"]
            by_hand += row["messages"] * (row["paused"] and not row["by_campaign"])
    doubt, claimed = counted["doubt"], counted["claimed"]
    matching = {"pause": held[0], "release": held[0], "resume": held[1], "settle": doubt}.get(
        action, sum(held)
    )
    notes = []
    if dropping:
        notes.append(
            f"{dropping} are being dropped already and stay so; `sendgate hold undo` with the "
            "number of that order (`hold requests`) puts them back"
        )
    if claimed:
        notes.append(f"{claimed} are being sent this moment and stay as they are")
    if action == "forget":
        matching += doubt
    elif action == "settle":
        if sum(held):
            notes.append(f"{sum(held)} are not in doubt and stay as they are")
    elif doubt and action in ("release", "drop"):
        notes.append(f"{doubt} are left alone: {IN_DOUBT}")
    if action == "pause" and held[1]:
        notes.append(f"{held[1]} are paused already")
    if action == "release" and by_hand:
        notes.append(
            f"{by_hand} are paused by hand and stay: `sendgate hold resume`, with the same "
            "options, lets them go"
        )
    if action in ("release", "resume"):
        notes += [
            _stays(row) for row in await connection.fetch(_SQL["stopped"], *arguments(filters))
        ]
    return matching, notes


def _stays(row: Any) -> str:
    """Why released or resumed mail stays all the same, and what lets it go."""
    what, tenant, name = row["by"], row["tenant"], row["name"]
    resume = f"{what} resume {name}"
    if what == "campaign":
        resume = f"hold resume --tenant {tenant} --campaign {name}"
    return (
        f"{row['messages']} stay all the same: {what} {name} is paused; `sendgate {resume}` lets "
        "them go"
    )


async def _add(
    act: Act,
    action: str,
    filters: HoldFilter,
    *,
    force: bool = False,
    outcome: str = "",
    undo: int = 0,
) -> HoldRequest:
    columns = (filters.tenant, filters.campaign, filters.recipient, filters.reason, filters.message)
    record = await act.connection.fetchrow(
        _SQL["add_request"], act.now, act.who, action, *columns, force, outcome, undo
    )
    return request_view(record)


async def _set_campaign(act: Act, wanted: HoldOrder) -> None:
    row = await act.connection.fetchrow(_SQL["lock_campaigns"], wanted.tenant)
    if row is None:
        raise missing("tenant", wanted.tenant or "")
    before: list[str] = row["paused_campaigns"]
    campaign = wanted.campaign or ""
    after = sorted({*before} - {campaign})
    if wanted.action == "pause":
        after = sorted({*before, campaign})
    if len(after) > MOST_CAMPAIGNS:
        raise RefusedError(
            f"tenant {wanted.tenant} has {MOST_CAMPAIGNS} paused campaigns: resume those that ended"
        )
    if after == before:
        state = "paused" if wanted.action == "pause" else "not paused"
        act.note(f"new mail of campaign {campaign} is {state} already")
        return
    await act.connection.execute(_SQL["set_campaigns"], wanted.tenant, after)
    subject = f"{wanted.tenant}/{campaign}"
    await act.audit(f"campaign.{wanted.action}", subject, tenant=wanted.tenant)


MOST_CAMPAIGNS = 1_000
"""Paused campaigns of a tenant: every gateway carries them in its plan."""


def _subject(wanted: HoldOrder) -> str:
    named = {f: getattr(wanted, f) for f in FIELDS if f != "recipient"}
    words = [f"{field}={value}" for field, value in named.items() if value is not None]
    if wanted.recipient is not None:
        words.append("recipient")
    return " ".join(words)
