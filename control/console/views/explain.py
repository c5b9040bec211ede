"""Explain: what became of a message or of what went to an address, and whether one would go now.

Rule: questions are asked by links: they change nothing, charge nothing, and an answer can be shown
to somebody else. What is refused is said beside the question, with what was typed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from control.console.binding import Link, Of, binding
from control.console.page import Page
from control.console.reach import within_reach
from control.console.visit import Visit
from control.explain.explanation import Explanation
from control.explain.fate import Fate
from control.messages.outcome import MessagePage
from control.problem import RefusedError
from control.suppressions.entry import SuppressionView
from control.suppressions.suppressions import SuppressionPage

EXPLAIN = "/api/v2/explain"
MESSAGES = "/api/v2/messages"
SUPPRESSIONS = "/api/v2/suppressions"
PART = 50
WOULD = ("tenant", "from", "to", "size")


@dataclass(frozen=True)
class Answered:
    """One question."""

    found: Any = None
    wrong: str = ""
    """Why there is no answer; one sentence."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """By field, what is wrong with it."""
    binds: Link | None = None


async def view(visit: Visit) -> Mapping[str, Any]:
    """`q`: a message id, an envelope id or an address; `would=1`: the other question."""
    asked = {name: visit.query.get(name, "").strip() for name in ("q", *WOULD)}
    would = visit.query.get("would", "") == "1"
    await within_reach(visit)
    given: dict[str, Any] = {"asked": asked, "would": None, "fate": None, "found": None}
    given |= {"after": "", "suppressed": ()}
    if would:
        given["would"] = await _would(visit, asked)
    elif asked["q"]:
        address = _address(asked["q"])
        if not address:
            given["fate"] = await _fate(visit, asked["q"])
        given["found"], given["after"] = await _messages(visit, asked["q"], address=address)
        if address and not given["found"].wrong:
            given["suppressed"] = await _suppressed(visit, asked["q"])
    return given


def _address(text: str) -> bool:
    """Ids of ours and PowerMTA's have no at sign; `<...@...>` of a header is none of them."""
    return "@" in text


async def _would(visit: Visit, asked: Mapping[str, str]) -> Answered:
    body: dict[str, Any] = {name: asked[name] for name in WOULD if asked[name]}
    size = asked["size"]
    if size.isascii() and size.isdigit():
        body["size"] = int(size)
    try:
        found: Explanation = await visit.ask("POST", EXPLAIN, body=body)
    except RefusedError as error:
        return refused(error)
    of = Of(asked["tenant"] or visit.tenant or "", found.pool, found.mailbox)
    return Answered(found=found, binds=binding(visit, found.limit, of))


async def _fate(visit: Visit, text: str) -> Answered:
    try:
        found: Fate = await visit.ask("GET", f"{EXPLAIN}/{{message}}", names={"message": text})
    except RefusedError as error:
        return refused(error)
    held = found.held
    if held is None or found.found != "waits":
        return Answered(found=found)
    of = Of(held.tenant, held.pool, held.mailbox, held.campaign, held.message)
    reason = "paused" if held.paused else held.reason
    if found.sentence == f"campaign {held.campaign} is paused":
        reason = "campaign_paused"
    return Answered(found=found, binds=binding(visit, reason, of))


async def _messages(visit: Visit, text: str, *, address: bool) -> tuple[Answered, str]:
    query = {"to" if address else "message": text, "limit": PART, "after": visit.query.get("after")}
    try:
        found, after = await visit.listed("GET", MESSAGES, query=query)
    except RefusedError as error:
        return refused(error), ""
    page: MessagePage = found
    return Answered(found=page.messages), after


async def _suppressed(visit: Visit, address: str) -> Sequence[SuppressionView]:
    """What keeps mail from it now."""
    page: SuppressionPage
    page, _ = await visit.listed("GET", SUPPRESSIONS, query={"address": address, "limit": 10})
    return page.suppressions


def refused(error: RefusedError) -> Answered:
    """What is wrong with a question. Raises what is no word about it."""
    if error.status in (401, 403, 429):
        raise error
    fields = {one.field: one.detail for one in error.errors if one.field}
    return Answered(wrong=error.line(), fields=fields)


PAGE = Page(
    path="/explain",
    title="Explain",
    menu="Explain",
    template="explain.html",
    view=view,
    needs=("GET", f"{EXPLAIN}/{{message}}"),
)
