"""Sets the world up by the API: plan, tenants, IPs with their domains in bulk. A mailbox is
discovered with its first message, and its tenant's terms are its own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from loadtest.laboratory.api import Api
from loadtest.laboratory.world import PLAN, World

_ROWS = 50
"""IPs of one import: a DKIM key each."""

Told = Callable[[str, int, int], None]
"""What is made, how many are, of how many."""


async def furnish(world: World, api: Api, told: Told) -> None:
    """All of it. Raises ApiError."""
    plan = world.scenario.plan
    await api.post(
        "/api/v2/warmup/plans",
        {"name": PLAN, "quotas": plan.quotas, "shares": world.shares},
    )
    for done, tenant in enumerate(world.tenants, 1):
        login, password = tenant.login
        kind = tenant.kind
        await api.post(
            "/api/v2/tenants",
            {
                "name": tenant.name, "login": login, "password": password,
                "mailbox_max": kind.mailbox_max, "mailbox_min": kind.mailbox_min or 0,
                "per_minute": kind.per_minute, "per_hour": kind.per_hour,
                "mailbox_minute": kind.mailbox_minute, "mailbox_hour": kind.mailbox_hour,
            },
        )  # fmt: skip
        told("tenants", done, len(world.tenants))
    rows = [
        {
            "tenant": world.tenants[ip.tenant].name, "domain": world.tenants[ip.tenant].domain,
            "ip": ip.address, "stage": ip.stage, "plan": PLAN,
        }
        for ip in world.ips
    ]  # fmt: skip
    done = 0
    for part in _parts(rows):
        await api.post("/api/v2/warmup/import", {"rows": part, "reason": "the laboratory"})
        done += len(part)
        told("IPs", done, len(rows))
    await _limits(world, api)


async def _limits(world: World, api: Api) -> None:
    for tenant in world.tenants:
        kind = tenant.kind
        if kind.pool_minute is not None or kind.pool_hour is not None:
            limits = {"per_minute": kind.pool_minute, "per_hour": kind.pool_hour}
            await api.patch(f"/api/v2/pools/{tenant.name}", limits)
    for ip in world.ips:
        kind = world.tenants[ip.tenant].kind
        if kind.ip_minute is not None or kind.ip_hour is not None:
            limits = {"per_minute": kind.ip_minute, "per_hour": kind.ip_hour}
            await api.patch(f"/api/v2/ips/{ip.address}", limits)


def _parts(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    return (rows[n : n + _ROWS] for n in range(0, len(rows), _ROWS))
