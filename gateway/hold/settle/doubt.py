"""Settles doubt by proof, as policy/README.md has it.

Owns: what counts as proof. Delivery: any accounting record with the attempt's envelope id.
Absence: two probes of that server far enough apart, both accepted after the dot, the second
one's receipt read, no gap in the stream since. A copy behind another message: that message's row
or entry. Nothing else, however long it takes; where no stream is read an operator decides.
Failure: a doubt that cannot be settled stays.
"""

from collections.abc import Callable, Sequence

import msgspec

from gateway.hold.database import Database
from gateway.hold.held import WITHDRAWN, Settlement
from gateway.hold.settle.firsts import fates, fates_by_recipient
from gateway.hold.settle.proof import Doubt, Firsts, Named, Proof
from gateway.hold.settle.settling import Settler
from gateway.ledger.reserve import Reserver
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.denial import Denied
from policy.ledger_port import ENDED, Change, EntryState
from settings.statements import statements

_SQL = statements("gateway.hold.settle", "settle")
_DOUBTS = _SQL["doubts"]
_RECEIPTS = _SQL["receipts"]
_PROVEN = _SQL["proven"]

_PAGE = 500
_TIMEOUT = 30.0


SETTLED = metrics.counters(
    "sendgate_doubts_settled_total",
    "Doubts settled, by verdict: delivered, absent, duplicate, goes.",
    {"verdict": ("delivered", "absent", "duplicate", "goes")},
)


class Doubts:
    """Looks at all open doubts."""

    def __init__(
        self,
        database: Database,
        settler: Settler,
        reserver: Reserver,
        *,
        probe_gap: float,
        before: float,
        servers: Callable[[], Sequence[str]],
        log: Log,
    ) -> None:
        """`probe_gap` in calendar seconds; `before`: most seconds between a handing over and its
        doubt; `servers`: names of the generation's."""
        self._database = database
        self._settler = settler
        self._reserver = reserver
        self._gap = round(probe_gap * 1000)
        self._before = round(before * 1000)
        self._servers = servers
        self._log = log

    async def settle(self) -> dict[str, int]:
        """One look at every doubt. Returns, by server, since when the newest one there waits.

        Raises AwayError, UnknownError, RefusedError."""
        newest: dict[str, int] = {}
        after: tuple[int, str] = (-1, "")
        while True:
            async with self._database.connection() as link:
                rows = await link.fetch(_DOUBTS, *after, _PAGE, timeout=_TIMEOUT)
                doubts = [msgspec.convert(dict(row), Doubt) for row in rows]
                if not doubts:
                    return newest
                proofs = {
                    row["server"]: Proof(row["proven"] or 0, row["gap_at"])
                    for row in await link.fetch(_PROVEN, self._gap, timeout=_TIMEOUT)
                }
                asked = {named for doubt in doubts for named in doubt.asked}
                columns = [list(column) for column in zip(*asked, strict=True)] or [[]] * 3
                found = await link.fetch(_RECEIPTS, *columns, timeout=_TIMEOUT)
                delivered = {(r["message"], r["attempt"], r["recipient"]) for r in found}
                behind = list({doubt.behind for doubt in doubts if doubt.behind})
                parts = list({d.behind for d in doubts if d.behind and d.several})
                firsts = Firsts(
                    await fates(link, behind, _TIMEOUT),
                    await fates_by_recipient(link, parts, _TIMEOUT),
                )
            for doubt in doubts:
                if not await self._one(doubt, delivered, proofs, firsts):
                    for server in self._of(doubt):
                        newest[server] = max(newest.get(server, 0), doubt.since)
            after = (doubts[-1].since, doubts[-1].id)

    def _of(self, doubt: Doubt) -> Sequence[str]:
        """The servers it may have gone to: one put in doubt by a restored backup to any."""
        return (doubt.server,) if doubt.server else self._servers()

    async def _one(
        self, doubt: Doubt, delivered: set[Named], proofs: dict[str, Proof], firsts: Firsts
    ) -> bool:
        """Settle one; False: it waits on."""
        if self._settler.waits(doubt.bucket, doubt.id):
            return True
        if doubt.alone in delivered or doubt.together in delivered:
            self._done(doubt, "an accounting record names it", ending="relayed")
            return True
        if doubt.first in delivered:
            self._change(doubt, doubt.behind, EntryState.SENT)
            self._done(doubt, "an accounting record names the first one")
            return True
        if doubt.together is not None and (*doubt.together[:2], 0) in delivered:
            # PowerMTA has the message, and no record of this recipient yet: neither proves it.
            return False
        own = doubt.alone is not None or doubt.together is not None
        servers = self._of(doubt)
        absent = all(
            proofs.get(server, Proof(0, 0)).covers(doubt.since, self._before) for server in servers
        )
        if own and not (servers and absent):
            return False
        if not doubt.behind:
            self._goes(doubt, "absent")
            return True
        if known := await self._behind(doubt, firsts.of(doubt)):
            return known != "waits"
        nowhere = not own and not doubt.server  # nothing was granted to the first one
        if nowhere or (servers and absent):
            self._change(doubt, doubt.behind, EntryState.FREE)
            self._goes(doubt, "absent")
            return True
        return False

    async def _behind(self, doubt: Doubt, first: tuple[str, str] | None) -> str:
        """What the first one's row or entry says: 'settled', 'waits', or '' when neither knows."""
        if first is not None:
            state, ending = first
            if state in ("doubt", "claimed"):
                return "waits"
            if state == "held" or (state == "done" and ending != WITHDRAWN):
                if state == "done":
                    # Its entry may be one that was rebuilt from this copy, and know no better.
                    self._change(doubt, doubt.behind, EntryState.SENT)
                self._done(doubt, f"copy of {doubt.behind}")
            else:
                self._change(doubt, doubt.behind, EntryState.FREE)
                self._goes(doubt, f"goes: the first one was {ending or state}")
            return "settled"
        entry = await self._reserver.look(doubt.key)
        if entry is None and doubt.whole:
            return await self._whole(doubt)
        if isinstance(entry, Denied):
            return "waits"
        if entry is None or entry.owner != doubt.behind:
            # Gone, or somebody else's by now: whose, the reserve will say.
            if entry is None:
                return ""
            self._goes(doubt, "goes: the first one gave its place up")
            return "settled"
        if entry.state in (EntryState.SENT, EntryState.HELD):
            self._done(doubt, f"copy of {doubt.behind}")
            return "settled"
        if entry.state is EntryState.FREE:
            self._goes(doubt, "goes: the first one was freed")
            return "settled"
        return "waits" if entry.state is EntryState.TRYING else ""

    async def _whole(self, doubt: Doubt) -> str:
        """As `_behind`, for a message with several recipients of which this one has no entry: what
        the entry of the whole message says."""
        entry = await self._reserver.look(doubt.whole)
        if entry is None:
            return ""
        if isinstance(entry, Denied) or entry.state is EntryState.TRYING:
            return "waits"
        if entry.state is EntryState.SENT:
            self._done(doubt, f"copy of {entry.owner}")
            return "settled"
        theirs = entry.owner != doubt.behind
        if entry.state is EntryState.FREE or (theirs and entry.state is EntryState.HELD):
            # Held by another: both go by the entry of this recipient, so one of them.
            self._goes(doubt, "goes: the first one gave its place up")
            return "settled"
        return "waits" if theirs else ""

    def _done(self, doubt: Doubt, verdict: str, *, ending: str = "duplicate") -> None:
        SETTLED.labels("delivered" if ending == "relayed" else ending).inc()
        self._tell(doubt, verdict)
        self._settler.settle(
            [
                Settlement(
                    bucket=doubt.bucket, id=doubt.id, attempt=doubt.attempt, state="done",
                    ending=ending, verdict=verdict,
                )
            ]
        )  # fmt: skip

    def _goes(self, doubt: Doubt, verdict: str) -> None:
        SETTLED.labels("goes" if doubt.behind else "absent").inc()
        self._tell(doubt, verdict)
        if doubt.whole and doubt.behind:
            # If nobody has the place of the whole message any more: a copy must not go live.
            self._reserver.change(
                Change(doubt.whole, doubt.message, doubt.attempt, EntryState.HELD)
            )
        self._settler.settle(
            [
                Settlement(
                    bucket=doubt.bucket, id=doubt.id, attempt=doubt.attempt, state="held",
                    reason="absent", detail="it was proved not to have been sent",
                )
            ]
        )  # fmt: skip

    def _change(self, doubt: Doubt, owner: str, state: EntryState) -> None:
        if doubt.key:
            # The proof outranks every attempt of an owner that is gone.
            self._reserver.change(Change(doubt.key, owner, ENDED, state))

    def _tell(self, doubt: Doubt, verdict: str) -> None:
        self._log.info(
            "doubt_settled", message=doubt.id, tenant=doubt.tenant, server=doubt.server,
            envelope=doubt.envelope, why=verdict,
        )  # fmt: skip
