"""Does what operators ask for by rows of `hold_request`: pause, resume, release, drop, settle,
forget.

Rules: small transactions, counted in the request; claimed rows are never touched, doubt only
to settle or to forget it; a dropped message frees its duplicate entry, so that the campaign may be
sent again.

A drop or a release that can be undone (`undo` seconds) first marks what it takes: what is to be
dropped is paused and ends when that time is over; what is released may go at once. Undone, what is
marked and has not gone is as it was. Either way no mark is left. Each step says in the transaction
of its rows how far the request is, so that who goes on with it after a crash neither ends nor puts
back anything twice:

    waiting → running → open → ending → done
          └────────┴──────┴→ undoing → undone
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.hold.database import Database
from gateway.hold.settle.doubt import SETTLED
from gateway.hold.settle.settling import GIVEN_UP
from gateway.watch.log import Log
from policy.address import recipient_spellings
from policy.ledger_port import ENDED, Change, EntryState
from settings.statements import statements

_SQL = statements("gateway.hold.upkeep", "upkeep")
_TAKE = _SQL["request_take"]
_ROWS = _SQL["request_rows"]
_PAUSE = _SQL["request_pause"]
_RELEASE = _SQL["request_release"]
_END = _SQL["request_end"]
_SETTLE = _SQL["request_settle"]
_DONE = _SQL["request_done"]
_FORGET = _SQL["forget"]
_BUSY = _SQL["request_busy"]
_MARK = _SQL["mark"]
_UNMARK = _SQL["unmark"]
_DROPPING = _SQL["request_dropping"]
_DROPPING_ROWS = _SQL["dropping_rows"]
_PUT_BACK = _SQL["put_back"]
_HOLD_BACK = _SQL["hold_back"]

_CHUNK = 500
_TIMEOUT = 60.0
_SOON = 1_000
"""Milliseconds: what is due within is not put back. Another releaser may have looked for what is
due by a clock that is ahead, and would not find it again."""
_ENDINGS = {"drop": ("dropped", "dropped by an operator"), "forget": ("forgotten", "forgotten")}


@dataclass(frozen=True)
class _Step:
    """What one did."""

    state: str
    """Of the request, from now on."""
    changed: int = 0
    undone: int = 0
    ended: Sequence[Any] = ()
    """Rows whose duplicate entries go with them."""


class Requests:
    """Takes requests one at a time, a chunk a transaction."""

    def __init__(
        self,
        database: Database,
        *,
        change: Callable[[Change], None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`change` takes changes of duplicate entries; `now` in ledger milliseconds."""
        self._database = database
        self._change = change
        self._now = now
        self._log = log

    async def step(self) -> bool:
        """One chunk; False when nothing is asked for, or it has to wait for mail being sent.

        Raises AwayError, UnknownError, RefusedError."""
        async with self._database.connection() as link, link.transaction():
            request = await link.fetchrow(_TAKE, self._now())
            if request is None:
                return False
            if request["state"] in ("waiting", "running"):
                done = await self._change_rows(link, request)
            elif request["state"] == "undoing":
                done = await self._undo(link, request)
            else:
                done = await self._make_final(link, request)
            until = self._now() + 1000 * request["undo"] if done.state == "open" else 0
            given = request["id"], done.changed, done.state, "", self._now(), done.undone, until
            await link.execute(_DONE, *given)
        action, ended = request["action"], done.ended
        if action in _ENDINGS:
            GIVEN_UP.labels(_ENDINGS[action][0]).inc(len(ended))
        if action == "settle":
            SETTLED.labels(request["outcome"]).inc(len(ended))
        for row in ended:
            self._follow(request["outcome"] or action, row)
        said = {"changed": done.changed, "undone": done.undone, "ended": len(ended)}
        self._log.info(
            "hold_request", request=request["id"], action=action, state=done.state, **said
        )
        return done.state != "running" or done.changed > 0

    async def _change_rows(self, link: Any, request: Any) -> _Step:
        action = request["action"]
        local, domains = _spellings(request["recipient"])
        rows = await link.fetch(
            _ROWS, request["tenant"], request["campaign"], local, request["reason"],
            request["message"], action, _CHUNK, domains, request["id"], timeout=_TIMEOUT,
        )  # fmt: skip
        keys = [row["bucket"] for row in rows], [row["id"] for row in rows]
        if request["undo"]:
            await link.execute(_MARK, request["id"], *keys)
        ended = []
        if action in ("pause", "resume"):
            await link.execute(_PAUSE, *keys, action == "pause")
        elif action == "release":
            await link.execute(_RELEASE, *keys)
        elif action == "drop" and request["undo"]:
            await link.execute(_DROPPING, *keys)
        else:
            ended = rows
            if action == "settle":
                found = "done" if request["outcome"] == "delivered" else "held"
                await link.execute(_SETTLE, *keys, self._now(), found)
            else:
                await link.execute(_END, *keys, self._now(), *_ENDINGS[action])
        state = "running" if len(rows) == _CHUNK else "done"
        if state == "done" and request["undo"] and request["changed"] + len(rows):
            state = "open"
        if action == "forget":
            who = (local, request["tenant"], domains)
            await link.execute(_FORGET, *who, timeout=_TIMEOUT)
            if rows or await link.fetchval(_BUSY, *who, timeout=_TIMEOUT):
                state = "running"
        return _Step(state, changed=len(rows), ended=ended)

    async def _make_final(self, link: Any, request: Any) -> _Step:
        """The time to undo it is over."""
        marks = await link.fetch(_UNMARK, request["id"], _CHUNK, timeout=_TIMEOUT)
        ended: list[Any] = []
        if request["action"] == "drop":
            keys = [mark["bucket"] for mark in marks], [mark["id"] for mark in marks]
            ended = await link.fetch(_DROPPING_ROWS, *keys, timeout=_TIMEOUT)
            keys = [row["bucket"] for row in ended], [row["id"] for row in ended]
            await link.execute(_END, *keys, self._now(), *_ENDINGS["drop"])
        return _Step("ending" if len(marks) == _CHUNK else "done", ended=ended)

    async def _undo(self, link: Any, request: Any) -> _Step:
        """What has not gone, and was not changed by somebody else, is as it was."""
        marks = await link.fetch(_UNMARK, request["id"], _CHUNK, timeout=_TIMEOUT)
        keys = [mark["bucket"] for mark in marks], [mark["id"] for mark in marks]
        if request["action"] == "drop":
            were = [mark["paused"] for mark in marks], [mark["reason"] for mark in marks]
            said = await link.execute(_PUT_BACK, *keys, *were, timeout=_TIMEOUT)
        else:
            due = [mark["due"] for mark in marks]
            given = *keys, due, self._now() + _SOON, request["id"]
            said = await link.execute(_HOLD_BACK, *given, timeout=_TIMEOUT)
        state = "undoing" if len(marks) == _CHUNK else "undone"
        return _Step(state, undone=int(said.rpartition(" ")[2]))

    def _follow(self, action: str, row: Any) -> None:
        """The duplicate entry goes with the row; of a copy, that of the first one too."""
        key, first = row["key"], row["behind"]
        if not key:
            return
        if action in _ENDINGS:
            self._change(Change(key, row["id"], ENDED, EntryState.FREE))
        elif action == "delivered":
            attempt = ENDED if first else row["attempt"]
            self._change(Change(key, first or row["id"], attempt, EntryState.SENT))
        else:
            if first:
                self._change(Change(key, first, ENDED, EntryState.FREE))
            if first and row["whole"]:
                self._change(Change(row["whole"], row["body"], row["attempt"], EntryState.HELD))
            self._change(Change(key, row["id"], row["attempt"], EntryState.HELD))


def _spellings(address: str | None) -> tuple[bytes | None, list[bytes]]:
    """How a recipient may be written in rows; what is no address matches nothing."""
    if address is None:
        return None, []
    found = recipient_spellings(address)
    return (found[0], list(found[1])) if found else (address.encode(), [])
