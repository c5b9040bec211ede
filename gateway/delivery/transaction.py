"""A complete message: screened here, then delivered (`delivery.delivery`).

Owns: what is refused whatever limits say. Not here: the decisions (`policy`), the sockets
(`gateway.session`, `gateway.relay`). Rule: the generation is read once.
"""

import asyncio
import time
from collections.abc import Callable

from gateway.delivery.delivery import Delivery
from gateway.delivery.means import Means
from gateway.message.headers import scan
from gateway.message.message import Message
from gateway.message.outgoing import Outgoing
from gateway.message.routing import allowed, mailbox, pool_of, providers_of
from gateway.watch import metrics
from policy.denial import Denied, Limit
from policy.duplicate import identify
from policy.plan import Generation
from policy.reply import Reply, trouble
from policy.selection import biggest_day


class Transactions:
    """Handles complete messages. One instance a worker."""

    def __init__(self, means: Means, generation: Callable[[], Generation | None]) -> None:
        self._means = means
        self._generation = generation
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
            metrics.message_seconds.observe(time.perf_counter() - started)

    async def _handle(self, message: Message) -> Reply:
        generation = self._generation()
        tenant = generation.tenant.get(message.tenant) if generation else None
        if generation is None or tenant is None:
            return self._means.rejected(
                message, trouble("this gateway does not know the tenant now")
            )
        header = scan(message.head, self._means.settings.gateway.max_header_size)
        if isinstance(header, Reply):
            return self._means.rejected(message, header)
        if header.hops >= self._means.settings.gateway.max_hops:
            looping = Reply(554, "5.4.6", f"the message goes in circles ({header.hops} Received:)")
            return self._means.rejected(message, looping)
        sender = mailbox(tenant, message, header)
        if isinstance(sender, Reply):
            return self._means.rejected(message, sender)
        if not allowed(tenant, sender):
            refusal = Reply(550, "5.7.1", f"this login may not send as {sender}")
            return self._means.rejected(message, refusal)
        pool = pool_of(tenant, sender)
        if isinstance(pool, Reply):
            return self._means.rejected(message, pool)
        identity = identify(
            tenant.duplicates,
            tenant.name,
            [recipient.address for recipient in message.recipients],
            header.key_fields,
            lambda: message.body,
        )
        outgoing = Outgoing(
            message=message,
            head=message.received + header.kept,
            pool=pool[0],
            mailbox=sender,
            providers=providers_of(message),
            campaign=identity.campaign,
            key=identity.key,
        )
        delivery = Delivery(self._means, tenant, outgoing, header, self._loop)
        if too_many := _never_fits(generation, pool[0], message):
            return await delivery.too_many(too_many)
        if identity.campaign in tenant.paused_campaigns:
            return await delivery.denied(Denied(Limit.CAMPAIGN_PAUSED, identity.campaign, 0, 0, 0))
        return await delivery.deliver()


def _never_fits(generation: Generation, pool: str, message: Message) -> Denied | None:
    count = len(message.recipients)
    if count == 1:
        return None
    most = biggest_day(generation.pool[pool], generation.pool, generation.vmta)
    if most is None or count <= most or not most:
        return None
    return Denied(Limit.TOO_MANY, pool, 0, most, count)
