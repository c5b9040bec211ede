"""One message from its first reserve to its answer.

Owns: attempts, what every outcome means for the client, the hold and the duplicate entry. Not
here: screening (`delivery.screening`), one attempt (`delivery.attempt`).
Rules: a message whose fate is unknown is held in doubt, for every profile; what is not committed
is never answered 250, each recipient by itself; every deferral frees the duplicate entry, or the
client's next try would be taken for a copy of a message that is nowhere.
"""

import asyncio
from collections.abc import Callable

import msgspec

from gateway.delivery.attempt import Attempt, Attempts
from gateway.delivery.division import Division
from gateway.delivery.telling import Telling
from gateway.hold_port import Hold, Keeping, Kept, State, keeping
from gateway.message.outgoing import Outgoing
from gateway.watch.log import Log
from policy.denial import Denied, Limit
from policy.ledger_port import Change, Duplicate, EntryState
from policy.model import Profile, Tenant
from policy.outcome import Failed, Outcome, Refused, Relayed, Scope, Unknown
from policy.reply import Reply, deferral, forbidden, trouble
from settings.model import Settings

_ATTEMPTS = 3
_LOOK_AGAIN = 0.25
"""Seconds between two looks at a message that another session is trying."""
_TO_ANSWER = 1.0
"""Seconds of the answer budget that no delay may use."""

_OURS = frozenset({Limit.LEDGER_AWAY, Limit.LEDGER_CLOSED, Limit.SERVER_AWAY})


class Delivery:
    """One message. Without a hold what may not go is deferred; `now` is ledger milliseconds."""

    def __init__(
        self,
        outgoing: Outgoing,
        tenant: Tenant,
        loop: asyncio.AbstractEventLoop,
        attempts: Attempts,
        hold: Hold | None,
        settings: Settings,
        now: Callable[[], int],
        log: Log,
    ) -> None:
        started = loop.time()
        self._loop = loop
        self._attempts = attempts
        self._settings = settings
        self._now = now
        self._hold = hold
        self._holds = hold is not None and tenant.profile is Profile.MAILWIZZ
        self._outgoing = outgoing
        self._message = outgoing.message
        self._telling = Telling(log, outgoing)
        self._number = 0
        self._deadline = started + settings.relay.budget
        self._answer_by = started + settings.gateway.answer_budget
        self._late: Outcome | None = None
        self._acknowledged: bool | None = None
        self._division: Division | None = None

    async def deliver(self) -> Reply:
        """Attempts until one outcome stands."""
        loop = self._loop
        failure: Failed | None = None
        servers, vmtas = tuple[str, ...](), tuple[str, ...]()
        attempts = self._attempts
        while self._number < _ATTEMPTS:
            away, broken = attempts.relay.blocked(self._message.id)
            asked = attempts.clock()
            decision = await attempts.reserver.reserve(
                self._outgoing.reserve(self._number + 1, (*away, *servers), (*broken, *vmtas)),
                self._deadline,
            )
            if isinstance(decision, Duplicate):
                left = self._deadline - loop.time()  # the next look's answer needs some of it, too
                if decision.state is EntryState.TRYING and left > 2 * _LOOK_AGAIN:
                    await asyncio.sleep(_LOOK_AGAIN)
                    continue
                return await self._duplicate(decision)
            self._number += 1
            if isinstance(decision, Denied):
                if failure is not None and decision.limit in (Limit.SERVER_AWAY, Limit.NO_IP):
                    break
                return await self.denied(decision)
            attempt = attempts.attempt(self._outgoing, decision, self._number, asked)
            self._division = division = self._divisible(attempt)
            outcome = await attempt.relay(
                self._deadline, self._answered_late, division.divided if division else None
            )
            self._telling.trouble(attempt, outcome)
            if division is not None and division.asked:
                return await self._divided(attempt, division, outcome)
            if not isinstance(outcome, Failed):
                return await self._settled(attempt, outcome)
            failure = outcome
            if failure.own or loop.time() >= self._deadline:
                break
            if failure.scope is Scope.SERVER:
                servers += (decision.server,)
            elif failure.scope is Scope.VMTA:
                vmtas += (decision.vmta,)
        assert failure is not None
        return await self._failed(failure)

    # What becomes of it

    def _divisible(self, attempt: Attempt) -> Division | None:
        hold = self._hold
        if hold is None or len(self._message.recipients) == 1:
            return None
        doubt = self._doubt(attempt, "some of the recipients were not accepted")
        return Division(hold, attempt, doubt, lambda: self._left)

    async def _divided(self, attempt: Attempt, division: Division, outcome: Outcome) -> Reply:
        """Only some recipients were accepted, and `outcome` is theirs."""
        kept = await division.kept()
        if kept is not Kept.KEPT:
            # Those who were not accepted are not certainly stored, so nobody got it.
            return self._unkept(kept)
        if isinstance(outcome, Refused):
            # A verdict about the content is everybody's: nobody got it.
            if await division.withdraw(outcome):
                return await self._settled(attempt, outcome)
            self._change(EntryState.FREE)
            said = {"envelope": attempt.envelope, "why": str(outcome.reply)}
            self._telling.ending("refused", acknowledged=True, **said)
            return Reply(250, "2.0.0", f"OK {self._message.id} queued")
        division.settle(outcome)
        for refusal in division.refusals():
            self._telling.refusal(attempt, *refusal)
        if isinstance(outcome, Unknown):
            return self._doubted(attempt, outcome)
        if isinstance(outcome, Relayed):
            self._telling.verdict(attempt, "relayed", outcome.reply)
            return Reply(250, "2.0.0", f"OK {attempt.envelope} ({division.sentence()})")
        self._change(EntryState.HELD)
        self._telling.ending("held", reason="failed", why=outcome.why, pool=self._outgoing.pool)
        return Reply(250, "2.0.0", f"OK {self._message.id} queued")

    async def _settled(self, attempt: Attempt, outcome: Relayed | Refused | Unknown) -> Reply:
        if isinstance(outcome, Unknown):
            return await self._unknown(attempt, outcome)
        if isinstance(outcome, Relayed):
            self._telling.verdict(attempt, "relayed", outcome.reply)
            return Reply(250, "2.0.0", f"OK {attempt.envelope}")
        self._change(EntryState.FREE)
        self._telling.verdict(attempt, "refused", outcome.reply)
        return outcome.reply

    async def denied(self, denied: Denied) -> Reply:
        """A limit binds: hold it, or say until when."""
        self._telling.denial(denied.limit.value)
        sentence = denied.sentence()
        if denied.limit is Limit.MAILBOX_UNKNOWN:
            return self._telling.rejected(self._deferred(forbidden, sentence))
        if self._holds:
            due = denied.rests(self._now() + round(self._settings.hold.mailbox_look * 1000))
            return await self._wait(denied.limit.value, sentence, until=denied.until, due=due)
        self._telling.ending("denied", limit=denied.limit.value, until=denied.until, why=sentence)
        return self._deferred(trouble if denied.limit in _OURS else deferral, sentence)

    async def too_many(self, denied: Denied) -> Reply:
        """More than an IP may have in a day: from the hold each row goes alone."""
        if self._holds:
            return await self._wait(denied.limit.value, denied.sentence())
        return self._telling.rejected(Reply(554, "5.5.3", denied.sentence()))

    async def _failed(self, failure: Failed) -> Reply:
        if self._holds and failure.rests:
            return await self._wait(Limit.SERVER_AWAY.value, failure.why)
        if self._holds:
            due = self._now() + round(self._settings.hold.retry_first * 1000)
            return await self._wait("failed", failure.why, due=due, failures=1)
        self._telling.ending("failed", why=failure.why)
        text = "the message could not be handed to the mail server, please try again"
        return self._deferred(trouble, text)

    async def _unknown(self, attempt: Attempt, outcome: Unknown) -> Reply:
        """The dot was sent: doubt is held, and acknowledged, for every profile."""
        hold, kept = self._hold, Kept.NOT_KEPT
        if hold is not None:
            kept = await hold.keep(self._doubt(attempt, outcome.why), self._left)
        if kept is not Kept.KEPT:
            self._acknowledged = False
            self._settle_late()
            self._telling.unacknowledged(attempt)
            return trouble(f"no final answer from the mail server ({attempt.envelope})")
        return self._doubted(attempt, outcome)

    def _doubt(self, attempt: Attempt, why: str) -> Keeping:
        grant = attempt.grant
        return msgspec.structs.replace(
            self._keeping("doubt", "unknown", why),
            server=grant.server, vmta=grant.vmta, envelope=attempt.envelope,
        )  # fmt: skip

    def _doubted(self, attempt: Attempt, outcome: Unknown) -> Reply:
        """It is in the hold: a late reply may settle it from now on."""
        self._acknowledged = True
        self._settle_late()
        self._telling.ending("doubt", envelope=attempt.envelope, why=outcome.why)
        return Reply(250, "2.0.0", f"OK {attempt.envelope} (to be confirmed)")

    async def _duplicate(self, first: Duplicate) -> Reply:
        self._telling.duplicate()
        known = first.state in (EntryState.SENT, EntryState.HELD)
        before = Reply(250, "2.0.0", f"OK {first.owner} (received before)")
        if known and (self._hold is None or len(self._message.recipients) == 1):
            self._telling.ending("duplicate", first=first.owner, state=first.state.name.lower())
            return before
        if self._hold is None:
            self._telling.ending("deferred", first=first.owner, why="the first copy is in doubt")
            return trouble("the same message is being handled already, please try again")
        # Of several recipients the first one may have reached some.
        copy = self._keeping("doubt", "duplicate", f"behind {first.owner}")
        server = "" if known else first.server
        copy = msgspec.structs.replace(copy, behind=first.owner, server=server)
        reply = await self._keep(copy, entry=False)
        return before if known and reply.code == 250 else reply

    # Holding

    @property
    def _left(self) -> float:
        """Seconds of the answer budget that a commit may use."""
        return max(self._answer_by - self._loop.time() - _TO_ANSWER, 0.0)

    async def _wait(
        self, reason: str, detail: str, *, until: int = 0, due: int = 0, failures: int = 0
    ) -> Reply:
        hold, outgoing = self._hold, self._outgoing
        assert hold is not None
        admission = hold.admit(self._message, outgoing.pool, [p for p, _ in outgoing.providers])
        if not admission.accept:
            self._telling.ending("deferred", limit="hold", why=admission.sentence)
            self._telling.denial("hold")
            return self._deferred(deferral, admission.sentence)
        waiting = self._keeping("held", reason, detail)
        waiting = msgspec.structs.replace(waiting, until=until, due=due, failures=failures)
        return await self._keep(waiting, delay=admission.delay)

    async def _keep(self, what: Keeping, *, delay: float = 0.0, entry: bool = True) -> Reply:
        hold = self._hold
        assert hold is not None
        kept = await hold.keep(what, self._left)
        if kept is Kept.KEPT:
            if entry:
                self._change(EntryState.HELD)
            said = {"reason": what.reason, "why": what.detail, "pool": what.pool}
            self._telling.ending(what.state, until=what.until, **said)
            if delay:
                await asyncio.sleep(min(delay, self._left))
            return Reply(250, "2.0.0", f"OK {self._message.id} queued")
        return self._unkept(kept, entry=entry)

    def _unkept(self, kept: Kept, *, entry: bool = True) -> Reply:
        if entry:
            self._change(EntryState.DOUBT if kept is Kept.UNSURE else EntryState.FREE)
        self._telling.ending("deferred", why=f"the hold could not keep it ({kept.value})")
        return trouble("the message could not be stored, please try again")

    def _keeping(self, state: State, reason: str, detail: str) -> Keeping:
        return keeping(self._outgoing, self._number, state, reason, detail)

    def _answered_late(self, outcome: Outcome) -> None:
        self._telling.late(outcome)
        self._late = outcome
        self._settle_late()

    def _settle_late(self) -> None:
        """Both are known now: what PowerMTA said late, and whether the hold has the message."""
        if self._late is None or self._acknowledged is None:
            return
        if self._acknowledged:
            assert self._hold is not None
            outcomes: tuple[Outcome | None, ...] = (self._late,) * len(self._message.recipients)
            if self._division is not None and self._division.asked:
                outcomes = self._division.later(self._late)
            self._hold.settle(self._message, self._number, outcomes)
        elif isinstance(self._late, Refused | Failed):
            self._change(EntryState.FREE)

    # Answers

    def _change(self, state: EntryState) -> None:
        key = self._outgoing.key
        if key:
            change = Change(key, self._message.id, self._number, state)
            self._attempts.reserver.change(change)

    def _deferred(self, reply: Callable[[str], Reply], text: str) -> Reply:
        self._change(EntryState.FREE)
        return reply(text)
