"""What PowerMTA's hosts post and ask: the doors for agents, and versions of the configuration for
those who look after them."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from control.accounting.shipment import LOOK, STATUS
from control.api.agent import AgentApi, ConfigurationApi
from control.api.application import Raw
from control.api.imports import PART, PartsApi
from control.api.route import Route
from control.api.versions import VersionsApi
from control.api.webhook import Webhook
from control.parts import Parts
from control.plan.applying import Applying
from control.plan.configured import Configured
from control.pmta import draining, speaking, telling
from control.pmta.offer import APPLIED, OFFER, Applied, Asked
from control.pmta.offering import Offering
from control.pmta.told import Report


class Doors(NamedTuple):
    """Paths whose handlers read their requests themselves."""

    posted: Mapping[str, Raw]
    asked: Mapping[str, Raw]
    close: Callable[[object], Awaitable[None]]
    """Lets go of those that wait."""


def doors(parts: Parts, webhook: Webhook) -> Doors:
    """For agents; `webhook` lets in who may."""

    async def keep(report: Report) -> None:
        await telling.keep(parts.pool, report, await parts.calendar())

    bell = parts.publisher.agents.bell

    async def applied(said: Applied) -> Asked:
        now = round(time.time() * 1000)
        await speaking.keep(parts.pool, said, now)
        await draining.keep(parts.pool, said, now)
        bell.ring()
        return Asked(queues=await draining.idle(parts.pool, said.server))

    agents = AgentApi(webhook.parcel, parts.intake.shipments, keep, parts.settings.accounting)
    longest = parts.settings.control.pmta_agent_wait
    offering = Offering(parts.pool, bell, parts.seal, longest=longest, clock=time.time)
    configuration = ConfigurationApi(webhook.configured, offering.answer, applied, webhook.parcel)
    importing = PartsApi(parts.intake.imports, webhook.parcel)
    posted = {LOOK: agents.look, STATUS: agents.status, PART: importing.part}
    return Doors(
        {**posted, APPLIED: configuration.applied}, {OFFER: configuration.offer}, offering.close
    )


def version_routes(parts: Parts) -> list[Route]:
    """What the API answers of versions."""
    pool, publisher, settings = parts.pool, parts.publisher, parts.settings.control
    configured = Configured(pool, publisher, settings)
    return VersionsApi(publisher, configured, Applying(pool, publisher, settings)).routes()
