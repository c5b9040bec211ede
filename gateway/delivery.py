"""One message from its first reserve to its answer.

Owns: attempts, what every outcome means for the client, the hold and the duplicate entry. Not
here: screening (`gateway.transaction`), one attempt (`gateway.attempt`).
Rules: a message whose fate is unknown is held in doubt, for every profile; what is not committed
is never answered 250; every deferral frees the duplicate entry, or the client's next try would
be taken for a copy of a message that is nowhere.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

import msgspec

from gateway import metrics
from gateway.attempt import Attempt
from gateway.headers import Header
from gateway.keeping import Keeping, Kept
from gateway.log import Value
from gateway.means import Means
from gateway.outgoing import Outgoing
from policy.denial import MAILBOX_LIMITS, Denied, Limit
from policy.model import Profile, Tenant
from policy.outcome import Failed, Outcome, Refused, Relayed, Scope, Unknown
from policy.ports import Change, Duplicate, EntryState
from policy.provider import provider_of
from policy.reply import Reply, deferral, trouble

_ATTEMPTS = 3
_LOOK_AGAIN = 0.25
"""Seconds between two looks at a message that another session is trying."""
_TO_ANSWER = 1.0
"""Seconds of the answer budget that no delay may use."""

_OURS = frozenset({Limit.LEDGER_AWAY, Limit.LEDGER_CLOSED, Limit.SERVER_AWAY})


class Delivery:
    """One message."""

    def __init__(
        self,
        means: Means,
        tenant: Tenant,
        outgoing: Outgoing,
        header: Header,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        now = loop.time()
        self._loop = loop
        self._means = means
        self._settings = means.settings
        self._tenant = tenant
        self._outgoing = outgoing
        self._message = outgoing.message
        self._header = header
        self._number = 0
        self._deadline = now + self._settings.relay.budget
        self._answer_by = now + self._settings.gateway.answer_budget
        self._late: Outcome | None = None
        self._acknowledged: bool | None = None

    async def deliver(self) -> Reply:
        """Attempts until one outcome stands."""
        loop = self._loop
        failure: Failed | None = None
        servers, vmtas = tuple[str, ...](), tuple[str, ...]()
        attempts = self._means.attempts
        while self._number < _ATTEMPTS:
            away, broken = attempts.relay.blocked(self._message.id)
            asked = attempts.clock()
            decision = await attempts.reserver.reserve(
                self._outgoing.reserve(self._number + 1, (*away, *servers), (*broken, *vmtas)),
                self._deadline,
            )
            if isinstance(decision, Duplicate):
                if decision.state is EntryState.TRYING and loop.time() < self._deadline:
                    await asyncio.sleep(_LOOK_AGAIN)
                    continue
                return await self._duplicate(decision)
            self._number += 1
            if isinstance(decision, Denied):
                if failure is not None and decision.limit in (Limit.SERVER_AWAY, Limit.NO_IP):
                    break
                return await self.denied(decision)
            attempt = attempts.attempt(self._outgoing, decision, self._number, asked)
            outcome = await attempt.relay(self._deadline, self._answered_late)
            if not isinstance(outcome, Failed):
                return await self._settled(attempt, outcome)
            failure = outcome
            self._means.log.warning("relay_failed", **self._fields(attempt), why=failure.why)
            if failure.own or loop.time() >= self._deadline:
                break
            if failure.scope is Scope.SERVER:
                servers += (decision.server,)
            elif failure.scope is Scope.VMTA:
                vmtas += (decision.vmta,)
        assert failure is not None
        return await self._failed(failure)

    # What becomes of it

    async def _settled(self, attempt: Attempt, outcome: Relayed | Refused | Unknown) -> Reply:
        if isinstance(outcome, Unknown):
            return await self._unknown(attempt, outcome)
        if isinstance(outcome, Relayed):
            self._tell_of(attempt, "relayed", outcome.reply)
            return Reply(250, "2.0.0", f"OK {attempt.envelope}")
        self._change(EntryState.FREE)
        self._tell_of(attempt, "refused", outcome.reply)
        return outcome.reply

    async def denied(self, denied: Denied) -> Reply:
        """A limit binds: hold it, or say until when."""
        metrics.denials_by(denied.limit.value).inc()
        sentence = denied.sentence()
        if self._holds:
            due = denied.until if denied.limit in MAILBOX_LIMITS else 0
            return await self._hold(denied.limit.value, sentence, until=denied.until, due=due)
        self._tell("denied", limit=denied.limit.value, until=denied.until, why=sentence)
        return self._deferred(trouble if denied.limit in _OURS else deferral, sentence)

    async def too_many(self, denied: Denied) -> Reply:
        """More than an IP may have in a day: from the hold each row goes alone."""
        if self._holds:
            return await self._hold(denied.limit.value, denied.sentence())
        return self._means.rejected(self._message, Reply(554, "5.5.3", denied.sentence()))

    async def _failed(self, failure: Failed) -> Reply:
        if self._holds and failure.rests:
            return await self._hold(Limit.SERVER_AWAY.value, failure.why)
        if self._holds:
            due = self._means.now() + round(self._settings.hold.retry_first * 1000)
            return await self._hold("failed", failure.why, due=due, failures=1)
        self._tell("failed", why=failure.why)
        text = "the message could not be handed to the mail server, please try again"
        return self._deferred(trouble, text)

    async def _unknown(self, attempt: Attempt, outcome: Unknown) -> Reply:
        """The dot was sent: doubt is held, and acknowledged, for every profile."""
        means = self._means
        means.log.error("relay_unknown", **self._fields(attempt), why=outcome.why)
        unsaid = trouble(f"no final answer from the mail server ({attempt.envelope})")
        if means.hold is None:
            return self._unacknowledged(attempt.envelope, unsaid)
        keeping = self._keeping("doubt", "unknown", outcome.why, attempt=attempt)
        kept = await means.hold.keep(keeping, self._left)
        if kept is not Kept.KEPT:
            self._acknowledged = False
            self._settle_late()
            return self._unacknowledged(attempt.envelope, unsaid)
        self._acknowledged = True
        self._settle_late()
        self._tell("doubt", envelope=attempt.envelope, why=outcome.why)
        return Reply(250, "2.0.0", f"OK {attempt.envelope} (to be confirmed)")

    def _unacknowledged(self, envelope: str, reply: Reply) -> Reply:
        """The client hears no 250 although PowerMTA may have the message: named here, so that an
        operator can find every message that may arrive without having been acknowledged."""
        metrics.unacknowledged.inc()
        self._tell("unknown", envelope=envelope, acknowledged=False)
        return reply

    async def _duplicate(self, first: Duplicate) -> Reply:
        metrics.duplicates.labels(self._message.tenant).inc()
        if first.state in (EntryState.SENT, EntryState.HELD):
            self._tell("duplicate", first=first.owner, state=first.state.name.lower())
            return Reply(250, "2.0.0", f"OK {first.owner} (received before)")
        if self._means.hold is None:
            self._tell("deferred", first=first.owner, why="the first copy is in doubt")
            return trouble("the same message is being handled already, please try again")
        keeping = self._keeping("doubt", "duplicate", f"behind {first.owner}")
        return await self._keep(
            msgspec.structs.replace(keeping, behind=first.owner, server=first.server), entry=False
        )

    # Holding

    @property
    def _left(self) -> float:
        """Seconds of the answer budget that a commit may use."""
        return max(self._answer_by - self._loop.time() - _TO_ANSWER, 0.0)

    @property
    def _holds(self) -> bool:
        return self._means.hold is not None and self._tenant.profile is Profile.MAILWIZZ

    async def _hold(
        self, reason: str, detail: str, *, until: int = 0, due: int = 0, failures: int = 0
    ) -> Reply:
        hold, outgoing = self._means.hold, self._outgoing
        assert hold is not None
        admission = hold.admit(self._message, outgoing.pool, [p for p, _ in outgoing.providers])
        if not admission.accept:
            self._tell("deferred", limit="hold", why=admission.sentence)
            metrics.denials_by("hold").inc()
            return self._deferred(deferral, admission.sentence)
        keeping = self._keeping("held", reason, detail, until=until, due=due, failures=failures)
        return await self._keep(keeping, delay=admission.delay)

    async def _keep(self, keeping: Keeping, *, delay: float = 0.0, entry: bool = True) -> Reply:
        hold = self._means.hold
        assert hold is not None
        kept = await hold.keep(keeping, self._left)
        if kept is Kept.KEPT:
            if entry:
                self._change(EntryState.HELD)
            self._tell(
                keeping.state, reason=keeping.reason, until=keeping.until, why=keeping.detail,
                pool=keeping.pool,
            )  # fmt: skip
            if delay:
                await asyncio.sleep(min(delay, self._left))
            return Reply(250, "2.0.0", f"OK {self._message.id} queued")
        if entry:
            self._change(EntryState.DOUBT if kept is Kept.UNSURE else EntryState.FREE)
        self._tell("deferred", why=f"the hold could not keep it ({kept.value})")
        return trouble("the message could not be stored, please try again")

    def _keeping(
        self,
        state: Literal["held", "doubt"],
        reason: str,
        detail: str,
        *,
        until: int = 0,
        due: int = 0,
        failures: int = 0,
        attempt: Attempt | None = None,
    ) -> Keeping:
        outgoing, header = self._outgoing, self._header
        return Keeping(
            message=self._message,
            head=outgoing.head,
            pool=outgoing.pool,
            providers=tuple(provider_of(r.domain) for r in self._message.recipients),
            mailbox=outgoing.mailbox,
            bulk=bool(outgoing.campaign or header.bulk),
            campaign=outgoing.campaign,
            key=outgoing.key,
            message_id=header.message_id,
            state=state,
            reason=reason,
            detail=detail,
            until=until,
            due=due,
            attempt=self._number,
            failures=failures,
            server=attempt.grant.server if attempt else "",
            vmta=attempt.grant.vmta if attempt else "",
            envelope=attempt.envelope if attempt else "",
        )

    def _answered_late(self, outcome: Outcome) -> None:
        """PowerMTA answered the dot after we had stopped waiting."""
        verdict = type(outcome).__name__.lower()
        self._means.log.warning("late_reply", **self._means.about(self._message), verdict=verdict)
        self._late = outcome
        self._settle_late()

    def _settle_late(self) -> None:
        """Both are known now: what PowerMTA said late, and whether the hold has the message."""
        if self._late is None or self._acknowledged is None:
            return
        if self._acknowledged:
            assert self._means.hold is not None
            self._means.hold.settle(self._message, self._number, self._late)
        elif isinstance(self._late, Refused | Failed):
            self._change(EntryState.FREE)

    # Answers

    def _change(self, state: EntryState) -> None:
        key = self._outgoing.key
        if key:
            change = Change(key, self._message.id, self._number, state)
            self._means.attempts.reserver.change(change)

    def _deferred(self, reply: Callable[[str], Reply], text: str) -> Reply:
        self._change(EntryState.FREE)
        return reply(text)

    def _fields(self, attempt: Attempt) -> dict[str, Value]:
        grant, job = attempt.grant, self._outgoing.campaign
        fields = self._means.about(self._message)
        fields.update(envelope=attempt.envelope, vmta=grant.vmta, server=grant.server, job=job)
        return fields

    def _tell_of(self, attempt: Attempt, outcome: str, reply: Reply) -> None:
        """PowerMTA's verdict, in the log and the metrics."""
        metrics.messages_of(self._message.tenant, outcome).inc()
        fields = self._fields(attempt)
        fields.update(outcome=outcome, reply=str(reply))
        self._means.log.message(fields)

    def _tell(self, outcome: str, **fields: Value) -> None:
        metrics.messages_of(self._message.tenant, outcome).inc()
        about = self._means.about(self._message)
        self._means.log.message({**about, **fields, "outcome": outcome})
