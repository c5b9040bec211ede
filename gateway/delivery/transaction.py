"""A complete message: screened (`delivery.screening`), then delivered (`delivery.delivery`).

Owns: what is under way. Not here: the decisions (`policy`), the sockets (`gateway.session`,
`gateway.relay`). Rule: the generation is read once.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from gateway.delivery.attempt import Attempts
from gateway.delivery.delivery import Delivery
from gateway.delivery.screening import screen
from gateway.hold_port import Hold
from gateway.message.message import Message
from gateway.message.outcomes import rejected, suppressed
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.denial import Denied, Limit
from policy.plan import Generation
from policy.reply import Reply, trouble
from policy.selection import biggest_day
from settings.model import Settings

_SECONDS: Final = metrics.histogram(
    "sendgate_message_seconds", "From the final dot of a message to our reply."
)


class Transactions:
    """Handles complete messages. One instance a worker."""

    def __init__(
        self,
        *,
        generation: Callable[[], Generation | None],
        attempts: Attempts,
        hold: Hold | None,
        settings: Settings,
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`hold` None: what may not go is deferred; `now`: ledger milliseconds."""
        self._generation = generation
        self._attempts = attempts
        self._hold = hold
        self._settings = settings
        self._now = now
        self._log = log
        self._loop = asyncio.get_running_loop()
        self.under_way = 0

    async def handle(self, message: Message) -> Reply:
        """The reply to the final dot."""
        self.under_way += 1
        started = time.perf_counter()
        try:
            return await self._handle(message)
        finally:
            self.under_way -= 1
            _SECONDS.observe(time.perf_counter() - started)

    async def _handle(self, message: Message) -> Reply:
        generation = self._generation()
        tenant = generation.tenant.get(message.tenant) if generation else None
        if generation is None or tenant is None:
            unknown = trouble("this gateway does not know the tenant now")
            return rejected(self._log, message, unknown)
        if message.tenant_id != tenant.id and message.tenant_id and tenant.id:
            # Its tenant was removed, and the name given again, while its content came.
            former = trouble("the tenant that this message began for is gone")
            return rejected(self._log, message, former)
        if not (tenant.logins or tenant.networks):
            # The message began by a way in that is gone by now; the tenant may be about to go, too.
            closed = trouble("this tenant takes no mail now")
            return rejected(self._log, message, closed)
        if message.suppressed:
            suppressed(self._log, message)
            if not message.recipients:
                return Reply(250, "2.0.0", f"OK {message.id} (suppressed)")
        outgoing = screen(message, tenant, self._settings.gateway)
        if isinstance(outgoing, Reply):
            return rejected(self._log, message, outgoing)
        delivery = Delivery(
            outgoing,
            tenant,
            self._loop,
            self._attempts,
            self._hold,
            self._settings,
            self._now,
            self._log,
        )
        if too_many := _never_fits(generation, outgoing.pool, message):
            return await delivery.too_many(too_many)
        campaign = outgoing.campaign
        if campaign in tenant.paused_campaigns:
            return await delivery.denied(Denied(Limit.CAMPAIGN_PAUSED, campaign, 0, 0, 0))
        return await delivery.deliver()


def _never_fits(generation: Generation, pool: str, message: Message) -> Denied | None:
    count = len(message.recipients)
    if count == 1:
        return None
    most = biggest_day(generation.pool[pool], generation.pool, generation.vmta)
    if most is None or count <= most or not most:
        return None
    return Denied(Limit.TOO_MANY, pool, 0, most, count)
