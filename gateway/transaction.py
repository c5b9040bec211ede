"""The life of one message: screen, reserve, stamp, relay, settle, answer.

Owns: the order of these steps and the reply for every outcome. Not here: the decisions
(`policy`), the sockets (`gateway.listener`, `gateway.relay`).
Rules: the generation is read once; every grant ends in exactly one of relayed (stays charged),
unknown (stays charged) or refunded; 250 is said only after PowerMTA said it.
Failure: whatever is ours is a deferral and an alarm in the log, never a bounce.
"""

import asyncio
import time
from collections.abc import Callable

from gateway import metrics
from gateway.envelope import Message
from gateway.headers import Header, scan
from gateway.log import Log
from gateway.parcel import parcel, unsupported
from gateway.relay.relay import Relay
from gateway.relay.wire import Parcel, Session
from gateway.reserve import Reserver
from gateway.routing import allowed, mailbox, pool_of, providers_of
from gateway.stamp import stamp
from policy.campaign import campaign_of
from policy.denial import Denied, Limit
from policy.identity import envelope_id
from policy.model import Tenant
from policy.outcome import Failed, Outcome, Refused, Relayed, Scope, Unknown
from policy.plan import Generation
from policy.ports import Granted, Reserve
from policy.reply import Reply, deferral, trouble
from policy.selection import biggest_day
from settings.model import Settings

_ATTEMPTS = 3


class Transactions:
    """Handles complete messages. One instance a worker."""

    def __init__(
        self,
        *,
        settings: Settings,
        generation: Callable[[], Generation | None],
        reserver: Reserver,
        relay: Relay,
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: real elapsed seconds that go on while the machine sleeps."""
        self._settings = settings
        self._generation = generation
        self._reserver = reserver
        self._relay = relay
        self._log = log
        self._clock = clock
        self.under_way = 0

    async def handle(self, message: Message) -> Reply:
        """The reply to the final dot."""
        self.under_way += 1
        started = time.perf_counter()
        try:
            return await self._handle(message)
        finally:
            self.under_way -= 1
            metrics.message_seconds.observe(time.perf_counter() - started)

    async def _handle(self, message: Message) -> Reply:
        generation = self._generation()
        tenant = generation.tenant.get(message.tenant) if generation else None
        if generation is None or tenant is None:
            return self._rejected(message, trouble("this gateway does not know the tenant now"))
        header = scan(message.head, self._settings.gateway.max_header_size)
        if isinstance(header, Reply):
            return self._rejected(message, header)
        sender = mailbox(tenant, message, header)
        if isinstance(sender, Reply):
            return self._rejected(message, sender)
        if not allowed(tenant, sender):
            refusal = Reply(550, "5.7.1", f"this login may not send as {sender}")
            return self._rejected(message, refusal)
        pool = pool_of(tenant, sender)
        if isinstance(pool, Reply):
            return self._rejected(message, pool)
        if too_many := self._never_fits(generation, pool[0], message):
            return self._rejected(message, too_many)
        return await self._attempts(message, header, tenant, sender, pool)

    def _never_fits(self, generation: Generation, pool: str, message: Message) -> Reply | None:
        count = len(message.recipients)
        if count == 1:
            return None
        most = biggest_day(generation.pool[pool], generation.pool, generation.vmta)
        if most is None or count <= most or not most:
            return None
        denied = Denied(Limit.TOO_MANY, pool, 0, most, count)
        return Reply(554, "5.5.3", denied.sentence())

    async def _attempts(
        self, message: Message, header: Header, tenant: Tenant, sender: str, pool: tuple[str, bool]
    ) -> Reply:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.relay.budget
        providers = providers_of(message)
        failure: Failed | None = None
        tried_servers: tuple[str, ...] = ()
        tried_vmtas: tuple[str, ...] = ()
        for number in range(1, _ATTEMPTS + 1):
            away, broken = self._relay.blocked(message.id)
            asked = self._clock()
            away, broken = (*away, *tried_servers), (*broken, *tried_vmtas)
            decision = await self._reserver.reserve(
                Reserve(tenant.name, pool[0], sender, providers, away, broken)
            )
            if isinstance(decision, Denied):
                return self._denied(message, pool, decision, failure)
            attempt = _Attempt(self, message, header, decision, number, asked)
            outcome = await attempt.relay(deadline)
            if not isinstance(outcome, Failed):
                return attempt.settled(outcome)
            attempt.refund()
            failure = outcome
            self._log.warning("relay_failed", **attempt.fields(), why=failure.why)
            if failure.scope is Scope.MESSAGE or loop.time() >= deadline:
                break
            if failure.scope is Scope.SERVER:
                tried_servers += (decision.server,)
            else:
                tried_vmtas += (decision.vmta,)
        assert failure is not None
        return self._failed(message, failure)

    def _rejected(self, message: Message, reply: Reply) -> Reply:
        metrics.messages.labels(message.tenant, "rejected").inc()
        self._log.info("message", **self._about(message), outcome="rejected", reply=str(reply))
        return reply

    def _denied(
        self, message: Message, pool: tuple[str, bool], denied: Denied, failure: Failed | None
    ) -> Reply:
        if failure is not None and denied.limit in (Limit.SERVER_AWAY, Limit.NO_IP):
            return self._failed(message, failure)
        metrics.messages.labels(message.tenant, "denied").inc()
        metrics.denials.labels(denied.limit.value).inc()
        sentence = denied.sentence()
        self._log.info(
            "message", **self._about(message), outcome="denied", pool=pool[0],
            limit=denied.limit.value, until=denied.until, why=sentence,
        )  # fmt: skip
        if denied.limit in (Limit.LEDGER_AWAY, Limit.LEDGER_CLOSED, Limit.SERVER_AWAY):
            return trouble(sentence)
        return deferral(sentence)

    def _failed(self, message: Message, failure: Failed) -> Reply:
        metrics.messages.labels(message.tenant, "failed").inc()
        self._log.warning("message", **self._about(message), outcome="failed", why=failure.why)
        return trouble("the message could not be handed to the mail server, please try again")

    def _about(self, message: Message) -> dict[str, str | int | list[str]]:
        return {
            "message": message.id,
            "tenant": message.tenant,
            "peer": message.peer,
            "sender": self._log.address(message.sender.address),
            "recipients": [self._log.address(r.address) for r in message.recipients],
            "size": message.size,
        }


class _Attempt:
    """One grant on its way; ends settled or refunded."""

    def __init__(
        self,
        owner: Transactions,
        message: Message,
        header: Header,
        grant: Granted,
        number: int,
        asked: float,
    ) -> None:
        self._owner = owner
        self._message = message
        self._grant = grant
        self._asked = asked
        self._envelope = envelope_id(grant.at, message.id, number)
        self._job = campaign_of(header.feedback_id)
        self._head = stamp(header.kept, vmta=grant.vmta, job=self._job, envelope=self._envelope)

    def fields(self) -> dict[str, str | int | list[str]]:
        return {
            **self._owner._about(self._message),
            "envelope": self._envelope,
            "vmta": self._grant.vmta,
            "server": self._grant.server,
            "job": self._job,
        }

    async def relay(self, deadline: float) -> Outcome:
        owner, grant = self._owner, self._grant
        started = time.perf_counter()
        outcome = await owner._relay.send(
            grant.server,
            grant.vmta,
            self._parcel,
            message=self._message.id,
            deadline=deadline,
            fresh=self._fresh,
            late=self._late,
        )
        metrics.relay_seconds.observe(time.perf_counter() - started)
        return outcome

    def _parcel(self, session: Session) -> Parcel | Reply:
        refusal = unsupported(self._message, session.extensions)
        return refusal or parcel(self._message, self._head, self._envelope, session.extensions)

    def _fresh(self) -> bool:
        age = self._owner._clock() - self._asked
        return age < self._owner._settings.relay.grant_lifetime

    def settled(self, outcome: Relayed | Refused | Unknown) -> Reply:
        owner, message, grant = self._owner, self._message, self._grant
        if isinstance(outcome, Unknown):
            metrics.messages.labels(message.tenant, "unknown").inc()
            owner._log.error("message", **self.fields(), outcome="unknown", why=outcome.why)
            return trouble(f"no final answer from the mail server ({self._envelope})")
        reply = outcome.reply
        if isinstance(outcome, Relayed):
            metrics.messages.labels(message.tenant, "relayed").inc()
            for provider, count in grant.providers:
                metrics.recipients.labels(grant.vmta, provider).inc(count)
            owner._log.info("message", **self.fields(), outcome="relayed", reply=str(reply))
            return Reply(250, "2.0.0", f"OK {self._envelope}")
        self.refund()
        metrics.messages.labels(message.tenant, "refused").inc()
        owner._log.info("message", **self.fields(), outcome="refused", reply=str(reply))
        return reply

    def refund(self) -> None:
        metrics.refunds.inc()
        self._owner._reserver.refund(self._grant)

    def _late(self, outcome: Outcome) -> None:
        """PowerMTA answered the dot after we told the client that we do not know."""
        verdict = type(outcome).__name__.lower()
        metrics.late_replies.labels(verdict).inc()
        if isinstance(outcome, Relayed):
            # The client was told 451: this one is delivered and unacknowledged.
            self._owner._log.warning("late_reply", **self.fields(), verdict=verdict)
            return
        self._owner._log.info("late_reply", **self.fields(), verdict=verdict)
        if isinstance(outcome, Refused | Failed):
            self.refund()
