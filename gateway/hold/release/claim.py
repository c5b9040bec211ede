"""Claims: held rows become attempts, in one committed group before the first byte of MAIL.

Owns: the transaction (lock, check again, reserve, write attempt and owner, commit), and giving
back what a commit nobody answered may have claimed. Not here: which rows (`releaser`), sending
them (`release`).
Rules (policy/README.md: hold): the attempt is in PostgreSQL before PowerMTA hears of it; no
transaction stays open while relaying; a commit that failed or is unknown sends nothing, is undone,
then refunded.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.delivery.attempt import Attempts
from gateway.hold.database import AwayError, Database, RefusedError, UnknownError
from gateway.hold.held import Held, held
from gateway.hold.release.left import Left, apart, denied, domain_of, looking, tell
from gateway.hold.release.suppression import Suppressions
from gateway.message.message import Message, Recipient, Sender
from gateway.message.outgoing import Outgoing
from gateway.message.routing import allowed, pool_of
from gateway.watch.log import Log
from policy.denial import MAILBOX_LIMITS, Denied, Limit
from policy.fairness import Row
from policy.identity import envelope_id
from policy.ledger_port import ENDED, Change, Duplicate, EntryState, Granted
from policy.model import Tenant
from policy.plan import Generation
from policy.provider import OTHER, provider_of
from policy.reply import Reply
from settings.statements import statements

_SQL = statements("gateway.hold.release", "release")
_LOCK = _SQL["lock"]
_CLAIM = _SQL["claim"]
_LEAVE = _SQL["leave"]
_UNCLAIM = _SQL["unclaim"]
_AWAIT = _SQL["await_rows"]

_PATIENCE = 10.0
_PAUSE = 0.5
_LOOK_AGAIN = 5_000
"""Milliseconds until a row is looked at again whose copy is being sent by somebody else."""

_NOT_KNOWN = "which recipients are suppressed is not known yet"


class Claimed(msgspec.Struct, frozen=True):
    """A row that is ours to send."""

    row: Held
    outgoing: Outgoing
    grant: Granted
    number: int
    asked: float


class Claims:
    """Makes claims for one process."""

    def __init__(
        self,
        database: Database,
        attempts: Attempts,
        *,
        claimant: str,
        generation: Callable[[], Generation | None],
        suppressions: Suppressions,
        mailbox_look: float,
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`claimant` names this process, this start of it; `mailbox_look` in seconds, as in the
        settings; `now` in ledger milliseconds."""
        self._database = database
        self._attempts = attempts
        self._claimant = claimant
        self._generation = generation
        self._suppressions = suppressions
        self._mailbox_look = round(mailbox_look * 1000)
        self._now = now
        self._log = log
        self._undoing: set[asyncio.Task[None]] = set()
        self._count = 0

    async def claim(self, picks: Sequence[Row]) -> tuple[list[Claimed], list[Left]]:
        """Claim what may go. Raises AwayError, UnknownError, RefusedError: nothing was claimed
        then, or it is being undone."""
        granted: list[Claimed] = []
        # Each claim has an owner of its own: undoing one must not undo the next, of the same rows.
        self._count += 1
        token = f"{self._claimant}/{self._count}"
        try:
            async with self._database.connection() as link:
                await link.execute("BEGIN", timeout=_PATIENCE)
                records = await link.fetch(
                    _LOCK, [p[0] for p in picks], [p[2] for p in picks], timeout=_PATIENCE
                )
                places = {pick[2]: place for place, pick in enumerate(picks)}
                # Locking has an order of its own; allowance goes in the order asked for.
                rows = sorted((held(r) for r in records), key=lambda row: places[row.id])
                decided = await asyncio.gather(*(self._decide(row, granted) for row in rows))
                left = looking(
                    [d for d in decided if isinstance(d, Left)], self._now() + self._mailbox_look
                )
                await self._write(link, token, granted, left)
                await link.execute("COMMIT", timeout=_PATIENCE)
        except (AwayError, UnknownError, RefusedError, asyncio.CancelledError):
            self._undo(token, granted)
            raise
        self._free(left)
        tell(left, self._log)
        return granted, left

    async def _decide(self, row: Held, granted: list[Claimed]) -> Claimed | Left:
        """What may go is in `granted` as soon as it is charged: should another row's decision
        break off the whole, it is given back."""
        generation = self._generation()
        tenant = generation.tenant.get(row.tenant) if generation else None
        if generation is None or tenant is None:
            return denied(row, Denied(Limit.UNKNOWN_POOL, row.pool, 0, 0, 0))
        if row.campaign in tenant.paused_campaigns:
            return denied(row, Denied(Limit.CAMPAIGN_PAUSED, row.campaign, 0, 0, 0), paused=True)
        pool = pool_of(tenant, row.mailbox)
        if isinstance(pool, Reply) or not allowed(tenant, row.mailbox):
            return _refused(row, f"{row.mailbox} may not be used by this tenant any more")
        recipient = row.recipient
        state = self._suppressions.known(row.tenant, recipient, domain_of(recipient), self._now())
        if state == "unknown":
            due = self._now() + _LOOK_AGAIN
            return Left(row=row, reason="suppressions_unknown", detail=_NOT_KNOWN, due=due)
        if state:
            return _refused(row, f"the recipient is suppressed: {state}", suppressed=True)
        provider = provider_of(domain_of(recipient))
        # What is not known any more, or not yet, stays under what was: its ceilings are the lower.
        learnt = provider not in (row.provider, OTHER)
        if pool[0] != row.pool or learnt:
            return Left(
                row=row, reason=row.reason, pool=pool[0], provider=provider if learnt else "",
                detail="its provider is known now" if learnt else "its pool changed",
            )  # fmt: skip
        decision = await self._reserve(row, tenant)
        if isinstance(decision, Claimed):
            granted.append(decision)
        return decision

    async def _reserve(self, row: Held, tenant: Tenant) -> Claimed | Left:
        outgoing = _outgoing(row)
        away, broken = self._attempts.relay.blocked(row.id)
        asked = self._attempts.clock()
        number = row.attempt + 1
        decision = await self._attempts.reserver.reserve(outgoing.reserve(number, away, broken))
        if isinstance(decision, Granted):
            return Claimed(row, outgoing, decision, number, asked)
        if isinstance(decision, Denied):
            if decision.limit is Limit.MAILBOX_UNKNOWN:
                return _refused(row, decision.sentence())
            due = decision.until if decision.limit in MAILBOX_LIMITS else 0
            step = apart(decision, tenant, row.mailbox)
            return denied(row, decision, until=decision.until, due=due, apart=step)
        return self._copy(row, decision)

    def _copy(self, row: Held, first: Duplicate) -> Left:
        """Another message has the key: it decides."""
        if first.state in (EntryState.SENT, EntryState.HELD):
            return Left(row=row, state="done", ending="duplicate", verdict=f"copy of {first.owner}")
        if first.state is EntryState.DOUBT:
            return Left(
                row=row, state="doubt", reason="duplicate", detail=f"behind {first.owner}",
                behind=first.owner, server=first.server,
            )  # fmt: skip
        due = self._now() + _LOOK_AGAIN
        return Left(row=row, reason="duplicate", detail="a copy is being sent", due=due)

    async def _write(self, link: Any, token: str, granted: list[Claimed], left: list[Left]) -> None:
        now = self._now()
        if granted:
            columns = zip(
                *(
                    (c.row.bucket, c.row.id, c.number, c.grant.server, c.grant.vmta, envelope(c))
                    for c in granted
                ),
                strict=True,
            )
            await link.execute(_CLAIM, now, token, *map(list, columns), timeout=_PATIENCE)
        changed = [entry for entry in left if _changes(entry, now)]
        if changed:
            columns = zip(
                *(
                    (
                        e.row.bucket,
                        e.row.id,
                        e.reason,
                        e.detail,
                        e.until,
                        e.due,
                        e.pool or e.row.pool,
                        e.provider or e.row.provider,
                        e.paused,
                        e.state,
                        e.ending,
                        e.verdict,
                        e.behind,
                        e.server,
                    )
                    for e in changed
                ),
                strict=True,
            )
            await link.execute(_LEAVE, now, *map(list, columns), timeout=_PATIENCE)

    def _free(self, left: list[Left]) -> None:
        for entry in left:
            if entry.row.key and entry.state == "refused":
                self._attempts.reserver.change(
                    Change(entry.row.key, entry.row.id, ENDED, EntryState.FREE)
                )

    def _undo(self, token: str, granted: list[Claimed]) -> None:
        if granted:
            task = asyncio.get_running_loop().create_task(self._unclaim(token, granted))
            self._undoing.add(task)
            task.add_done_callback(self._undoing.discard)

    async def _unclaim(self, token: str, granted: list[Claimed]) -> None:
        """First the rows, then the charges: nothing was sent, and nobody else may send before."""
        ids = [claimed.row.id for claimed in granted]
        days = [claimed.row.bucket for claimed in granted]
        while True:
            try:
                async with self._database.connection() as link, link.transaction():
                    # Waits for the commit that nobody answered, and sees what it did.
                    await link.execute(_AWAIT, days, ids, timeout=_PATIENCE)
                    await link.execute(_UNCLAIM, token, days, ids, self._now(), timeout=_PATIENCE)
                break
            except (AwayError, UnknownError, RefusedError) as error:
                self._log.warning("unclaim_waits", why=str(error), count=len(ids))
                await asyncio.sleep(_PAUSE)
        for claimed in granted:
            self._attempts.reserver.refund(claimed.grant)

    async def drain(self, patience: float) -> None:
        """Wait for claims that are being undone."""
        if self._undoing:
            await asyncio.wait(self._undoing, timeout=patience)


def envelope(claimed: Claimed) -> str:
    """The envelope id its attempt will carry."""
    row = claimed.row
    return envelope_id(claimed.grant.at, row.id, claimed.number, row.key)


def _changes(left: Left, now: int) -> bool:
    """Whether there is something to write: a row that just waits on is left alone. What people are
    told it waits for is renewed when it is over; not a pace's, which is over every few seconds."""
    row = left.row
    return bool(
        left.state != "held"
        or left.due
        or left.paused
        or (left.pool and left.pool != row.pool)
        or left.provider
        or left.reason != row.reason
        or (row.until <= now < left.until and left.reason != Limit.IP_PACE.value)
    )


def _refused(row: Held, why: str, *, suppressed: bool = False) -> Left:
    return Left(row=row, state="refused", ending="refused", verdict=why, suppressed=suppressed)


def _outgoing(row: Held) -> Outgoing:
    """Without its content, which is read after the claim."""
    message = Message(
        id=row.id,
        tenant=row.tenant,
        sender=Sender(b""),
        recipients=(Recipient(row.recipient, domain_of(row.recipient), row.notify, row.orcpt),),
        head=b"",
        body=b"",
        peer="hold",
    )
    return Outgoing(
        message=message,
        head=b"",
        pool=row.pool,
        mailbox=row.mailbox,
        providers=((row.provider, 1),),
        campaign=row.campaign,
        key=row.key,
        held=True,
    )
