"""Searching what became of messages: what gateways told, and what only the hold knows."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

import msgspec

from control.held.filter import FilterText, address, message_id
from control.held.held import text_of
from control.messages.outcome import MessagePage, looked_for, message_view, normal, unkeyed
from control.problem import bad, quoted
from control.values.mailbox import RecipientFilter
from control.values.query import Limit
from control.values.time import TimeText, moment
from control.values.wanted import meant
from policy.address import recipient_spellings
from policy.model import Name
from settings.log import Log
from settings.statements import statements

_SQL = statements(__package__, "outcome")

_BEFORE = re.compile(r"([0-9]{1,15})\.(?:([0-9]{1,18})|h([0-9a-z]{1,80}))")
CursorText = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^(?:{_BEFORE.pattern})$"})]
_ROW = re.compile(r"(.+)x[0-9]{1,5}")


class MessageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    to: Annotated[RecipientFilter | None, meant("Only to this address, in any language.")] = None
    tenant: Annotated[Name | None, meant("Only of this tenant.")] = None
    message: Annotated[FilterText | None, meant("A message id or an envelope id.")] = None
    since: Annotated[TimeText | None, meant("ISO time, UTC when it names no zone.")] = None
    before: Annotated[CursorText | None, meant("The `before` of the page before.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The same with `to` in its one spelling and `since` in milliseconds."""

    to: str | None = None
    tenant: str | None = None
    message: str | None = None
    since: int | None = None
    before: str | None = None
    limit: int = 100


def filter_of(asked: MessageQuery) -> MessageFilter:
    """Raises RefusedError."""
    since = None if asked.since is None else moment(asked.since, "since")
    return MessageFilter(
        to=None if asked.to is None else address(asked.to, "to"),
        tenant=asked.tenant,
        message=None if asked.message is None else message_id(asked.message),
        since=None if since is None else round(since.timestamp() * 1000),
        before=asked.before,
        limit=asked.limit,
    )


Search = Callable[[MessageFilter], Awaitable[MessagePage]]
"""`search` of one database."""


async def search(pool: Any, wanted: MessageFilter, log: Log) -> MessagePage:
    """Newest first. The hold is looked through where a recipient or a message is asked for. Raises
    RefusedError."""
    told_to, spelt = None, None
    if wanted.to is not None:
        if unkeyed(log):
            raise bad(
                "to",
                "cannot be searched: gateways write digests of random keys (log.addresses is "
                "hashed); set log.key, the same for gateways and control",
            )
        told_to, spelt = looked_for(wanted.to, log.addresses, log.key), _spelt(wanted.to)
    at, number, row = _end(wanted.before)
    given = (wanted.tenant, wanted.message, wanted.since, at)
    rows = list(await pool.fetch(_SQL["search"], told_to, *given, number, wanted.limit + 1))
    if wanted.to is not None or wanted.message is not None:
        local, domains = spelt or (None, None)
        rows += await pool.fetch(_SQL["held"], local, *given, row, wanted.limit + 1, domains)
        rows.sort(key=_order, reverse=True)
    page = rows[: wanted.limit]
    waits = await _waits(pool, page, log)
    return MessagePage(
        messages=[message_view(row, state) for row, state in zip(page, waits, strict=True)],
        before=_cursor(page[-1]) if len(rows) > wanted.limit else None,
    )


def _spelt(to: str) -> tuple[bytes, list[bytes]]:
    found = recipient_spellings(to)
    if found is None:
        raise bad("to", f"{quoted(to)} is not a mail address")
    return found[0], list(found[1])


def _order(row: Any) -> tuple[int, bool, int | str]:
    """Of one moment, what was told comes before what the hold knows."""
    return row["at"], isinstance(row["id"], int), row["id"]


def _cursor(row: Any) -> str:
    name = row["id"]
    return f"{row['at']}.{name if isinstance(name, int) else f'h{name}'}"


def _end(before: str | None) -> tuple[int | None, int, str]:
    """(milliseconds, id of an outcome, id of a row of the hold) behind which a page begins."""
    if before is None:
        return None, 0, ""
    if (match := _BEFORE.fullmatch(before)) is None:
        raise bad("before", f"{quoted(before)} is not what a page before gave")
    if match[3] is None:
        # Above every id: all the hold has of that moment comes after.
        return int(match[1]), int(match[2]), "~"
    return int(match[1]), 0, match[3]


async def _waits(pool: Any, page: list[Any], log: Log) -> list[str]:
    """For each row the state of its recipient in the hold, empty where it is not there."""
    rows: dict[str, list[Any]] = {}
    for one in await pool.fetch(_SQL["states"], sorted({*_messages(page)})):
        rows.setdefault(one["body"], []).append(one)
    return [_state(told, rows, log) for told in page]


def _messages(page: Iterable[Any]) -> Iterable[str]:
    """Ids that may name a message of the hold."""
    for told in page:
        yield told["message"]
        if match := _ROW.fullmatch(told["message"]):
            yield match[1]


def _state(told: Any, rows: dict[str, list[Any]], log: Log) -> str:
    name = told["message"]
    row = _ROW.fullmatch(name)
    for one in rows.get(name, ()):
        whole = one["id"] == one["body"]
        if whole or _same(told["recipient"], normal(text_of(one["recipient"])), log):
            return str(one["state"])
    for one in rows.get(row[1], ()) if row else ():
        if one["id"] == name:
            return str(one["state"])
    return ""


def _same(told: str | bytes, held: str, log: Log) -> bool:
    """Whether an outcome's recipient is the one of a row."""
    if isinstance(told, bytes):
        return normal(text_of(told)) == held
    return told in (held, looked_for(held, log.addresses, log.key))
