"""Does what operators ask for by rows of `hold_request`: pause, resume, release, drop, settle,
forget.

Rules: small transactions, counted in the request; claimed rows are never touched, doubt only
to settle or to forget it; a dropped message frees its duplicate entry, so that the campaign may be
sent again.
"""

from collections.abc import Callable
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

_CHUNK = 500
_TIMEOUT = 60.0
_ENDINGS = {"drop": ("dropped", "dropped by an operator"), "forget": ("forgotten", "forgotten")}


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
            request = await link.fetchrow(_TAKE)
            if request is None:
                return False
            action = request["action"]
            local, domains = _spellings(request["recipient"])
            rows = await link.fetch(
                _ROWS, request["tenant"], request["campaign"], local, request["reason"],
                request["message"], action, _CHUNK, domains, timeout=_TIMEOUT,
            )  # fmt: skip
            keys = [row["bucket"] for row in rows], [row["id"] for row in rows]
            if action in ("pause", "resume"):
                await link.execute(_PAUSE, *keys, action == "pause")
            elif action == "release":
                await link.execute(_RELEASE, *keys)
            elif action == "settle":
                found = "done" if request["outcome"] == "delivered" else "held"
                await link.execute(_SETTLE, *keys, self._now(), found)
            else:
                await link.execute(_END, *keys, self._now(), *_ENDINGS[action])
            state = "running" if len(rows) == _CHUNK else "done"
            if action == "forget":
                who = (local, request["tenant"], domains)
                await link.execute(_FORGET, *who, timeout=_TIMEOUT)
                if rows or await link.fetchval(_BUSY, *who, timeout=_TIMEOUT):
                    state = "running"
            await link.execute(_DONE, request["id"], len(rows), state, "", self._now())
        if action in _ENDINGS:
            GIVEN_UP.labels(_ENDINGS[action][0]).inc(len(rows))
        if action == "settle":
            SETTLED.labels(request["outcome"]).inc(len(rows))
        for row in rows:
            self._follow(request["outcome"] or action, row)
        self._log.info("hold_request", request=request["id"], action=action, changed=len(rows))
        return bool(rows) or state == "done"

    def _follow(self, action: str, row: Any) -> None:
        """The duplicate entry goes with the row; of a copy, that of the first one too."""
        key, first = row["key"], row["behind"]
        if not key or action in ("pause", "resume", "release"):
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
