"""Sends what was claimed: body, attempt, settlement. The attempt is the live path's own.

Rule: a claim ends in a settlement that names its attempt, whatever happens; if this process dies
before, the row is in doubt (policy/README.md: hold).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from gateway.delivery.attempt import Attempts
from gateway.hold.database import AwayError, Database, RefusedError, UnknownError
from gateway.hold.held import Backoff, settlement
from gateway.hold.keep.content import Contents, UnreadableError
from gateway.hold.keep.packing import BODY_8BIT, BODY_UTF8
from gateway.hold.release.claim import Claimed, envelope
from gateway.hold.release.left import RELEASED
from gateway.hold.settle.settling import Settler
from gateway.message.message import Sender
from gateway.message.outgoing import Outgoing
from gateway.watch.log import Log, Value
from policy.outcome import Asked, Failed, Outcome, Scope, Unknown
from policy.plan import Generation
from settings.statements import statements

_SQL = statements("gateway.hold.release", "release")
_BODIES = _SQL["bodies"]
_PATIENCE = 10.0
_LARGE = 262_144
_SMALLEST = 8


class Release:
    """Sends claims for one process."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        attempts: Attempts,
        settler: Settler,
        *,
        backoff: Backoff,
        budget: float,
        most: int | None,
        passed: Callable[[str, str], Awaitable[int]],
        generation: Callable[[], Generation | None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`budget`: seconds for one relay; `most`: that may be under way; `passed`: when mail last
        passed by a server and a VirtualMTA, and `now`, in ledger milliseconds."""
        self._database = database
        self._contents = contents
        self._attempts = attempts
        self._settler = settler
        self._backoff = backoff
        self._budget = budget
        self._most = most
        self._passed = passed
        self._generation = generation
        self._now = now
        self._log = log
        self.under_way = 0
        """Claims that have no settlement yet."""

    @property
    def room(self) -> int:
        """How many more may be claimed: twice what the sessions take, so that none of them waits
        for a claim, and little is in doubt if this process dies."""
        return max(self._bound - self.under_way, 0)

    @property
    def _bound(self) -> int:
        bound = 2 * self._attempts.relay.capacity
        return bound if self._most is None else min(bound, self._most)

    @property
    def worth(self) -> int:
        """Claims worth a commit while others are under way: with few sessions, one for each."""
        return max(min(_SMALLEST, self._attempts.relay.capacity, self._bound), 1)

    async def send(self, claims: Sequence[Claimed]) -> None:
        """Relay them side by side; returns when each has its settlement on the way."""
        self.under_way += len(claims)
        try:
            bodies = await self._bodies(claims)
        except (AwayError, UnknownError, RefusedError) as error:
            self.under_way -= len(claims)
            for claimed in claims:
                self._rest(claimed, f"its content could not be read: {error}")
            return
        await asyncio.gather(*(self._one(claimed, bodies) for claimed in claims))

    async def _bodies(self, claims: Sequence[Claimed]) -> dict[str, Any]:
        wanted = {(c.row.bucket, c.row.body) for c in claims}
        async with self._database.connection() as link:
            found = await link.fetch(
                _BODIES, [b for b, _ in wanted], [i for _, i in wanted], timeout=_PATIENCE
            )
        return {row["id"]: row for row in found}

    async def _one(self, claimed: Claimed, bodies: dict[str, Any]) -> None:
        try:
            await self._relay(claimed, bodies)
        except Exception as error:  # noqa: BLE001 - a bug costs one message's certainty, no more
            self._log.error("release_crashed", message=claimed.row.id, why=repr(error))
            self._settle(claimed, Unknown(f"internal error: {error!r}"))
        finally:
            self.under_way -= 1

    async def _relay(self, claimed: Claimed, bodies: dict[str, Any]) -> None:
        row = claimed.row
        try:
            outgoing = await self._filled(claimed, bodies.get(row.body))
        except UnreadableError as error:
            self._log.error("held_unreadable", message=row.id, why=str(error))
            self._unreadable(claimed, f"its content cannot be opened: {error}")
            return
        attempt = self._attempts.attempt(outgoing, claimed.grant, claimed.number, claimed.asked)
        deadline = asyncio.get_running_loop().time() + self._budget
        outcome = await attempt.relay(deadline, lambda late: self._settle(claimed, late, late=True))
        self._settle(claimed, outcome, own=await self._own(claimed, outcome))

    async def _filled(self, claimed: Claimed, body: Any) -> Outgoing:
        if body is None:
            raise UnreadableError("it is not there")
        message = claimed.outgoing.message
        arguments = (claimed.row.body, body["codec"], body["content"])
        if len(body["content"]) > _LARGE:
            head, content = await asyncio.to_thread(self._contents.open, *arguments)
        else:
            head, content = self._contents.open(*arguments)
        flags = body["flags"]
        sender = Sender(
            body["sender"],
            body8=bool(flags & BODY_8BIT),
            utf8=bool(flags & BODY_UTF8),
            ret=body["ret"],
            envid=body["envid"],
        )
        message = msgspec.structs.replace(message, sender=sender, head=head, body=content)
        return msgspec.structs.replace(claimed.outgoing, message=message, head=head)

    def _rest(self, claimed: Claimed, why: str) -> None:
        """Not begun, for no reason of its own: the charge goes back."""
        self._attempts.reserver.refund(claimed.grant)
        self._settle(claimed, Failed(why, Scope.MESSAGE, asked=Asked.NOTHING))

    def _unreadable(self, claimed: Claimed, why: str) -> None:
        """Not begun: the charge goes back, and the row waits longer each time, for a key to come
        back."""
        self._attempts.reserver.refund(claimed.grant)
        self._settle(claimed, Failed(why, Scope.MESSAGE, asked=Asked.SESSION))

    async def _own(self, claimed: Claimed, outcome: Outcome) -> bool:
        """Whether a failure counts against the message."""
        if not isinstance(outcome, Failed) or outcome.asked is not Asked.MESSAGE:
            return False
        grant = claimed.grant
        return claimed.row.blames(await self._passed(grant.server, grant.vmta))

    def _settle(
        self, claimed: Claimed, outcome: Outcome, *, own: bool = False, late: bool = False
    ) -> None:
        row, grant = claimed.row, claimed.grant
        rests = isinstance(outcome, Failed) and outcome.rests
        verdict = "rested" if rests else type(outcome).__name__.lower()
        RELEASED.labels(verdict).inc()
        generation = self._generation()
        tenant = generation.tenant.get(row.tenant) if generation else None
        settled = settlement(
            row.bucket,
            row.id,
            claimed.number,
            outcome,
            now=self._now(),
            failures=row.failures,
            blamed=row.blamed,
            own=own,
            backoff=self._backoff,
            dsn=tenant is not None and tenant.dsn,
        )
        self._settler.settle([settled])
        tell = self._log.info if verdict in ("relayed", "refused") else self._log.warning
        fields: dict[str, Value] = {
            "message": row.id,
            "tenant": row.tenant,
            "envelope": envelope(claimed),
            "vmta": grant.vmta,
            "server": grant.server,
            "recipients": [self._log.address(row.recipient)],
            "outcome": verdict,
            "why": settled.verdict or settled.detail,
        }
        tell("late_reply" if late else "released", **fields)
        if not rests:
            self._log.hear({**fields, "job": row.campaign, "mailbox": row.mailbox})
