"""What operators put in: tenants, domains with their IPs, mailboxes, people, tokens."""

from collections.abc import Mapping
from typing import Any

from tests.support.control.core import Api

TENANTS: Mapping[str, tuple[str, ...]] = {
    "acme": ("news.acme.example", "mail.acme.example", "offers.acme.example"),
    "globex": ("globex.example",),
    "initech": ("initech.example", "reports.initech.example"),
}
MAILBOXES = ("anna", "ben", "carla", "deals", "info", "office", "shop", "welcome")


async def put(api: Api) -> None:
    """By the API, as an admin does."""

    async def ask(method: str, path: str, body: Mapping[str, Any], *wanted: int) -> None:
        status, found = await api(method, path, body)
        assert status in (wanted or (200, 201, 202)), (path, found)

    await ask(
        *("POST", "/api/v2/servers"),
        {"name": "pmta2", "addresses": [{"host": "10.0.0.12", "port": 25}]},
    )
    for number, (tenant, domains) in enumerate(TENANTS.items()):
        new = {"name": tenant, "login": f"{tenant}-smtp", "password": "correct horse"}
        await ask("POST", "/api/v2/tenants", new)
        for at, domain in enumerate(domains):
            for more in range(2):
                ip = f"192.0.2.{10 * number + 2 * at + more + 11}"
                source = {"tenant": tenant, "domain": domain, "ip": ip, "server": "pmta1"}
                await ask("POST", "/api/v2/domains", source)
        of = f"/api/v2/tenants/{tenant}/mailboxes"
        for least, name in enumerate(MAILBOXES, 10):
            limits = {"daily_max": 4 * least, "daily_min": least}
            await ask("PUT", f"{of}/{name}@{domains[0]}", limits)
        await ask("POST", f"/api/v2/tenants/{tenant}/networks", {"network": f"10.{number}.0.0/16"})
    warm = "/api/v2/warmup/ips"
    for ip, stage in (("192.0.2.11", 5), ("192.0.2.12", 4), ("192.0.2.13", 3), ("192.0.2.21", 6)):
        act = {"action": "advance", "stage": stage, "reason": "warm before it came here"}
        await ask("POST", f"{warm}/{ip}", act)
    act = {"action": "pause", "reason": "listed; waiting for the list's operator", "days": 3}
    await ask("POST", f"{warm}/192.0.2.14", act)
    act = {"action": "override", "reason": "a campaign is under way", "days": 2}
    await ask("POST", f"{warm}/192.0.2.15", act)
    await ask("POST", "/api/v2/pools", {"name": "acme-spare", "tenant": "acme"})
    login = "/api/v2/tenants/acme/login/rotation?login=acme-smtp"
    await ask("POST", login, {"password": "another horse"})
    rotation = {"selector": "next1", "reason": "once a year"}
    await ask("POST", "/api/v2/domains/mail.acme.example/rotation", rotation)
    for name, role in (("erika@example.org", "operator"), ("max", "viewer"), ("robot", "admin")):
        await ask("POST", "/api/v2/users", {"name": name, "role": role})
    for name, scope in (("panel", "read"), ("mailwizz", "accounting")):
        await ask("POST", "/api/v2/tokens", {"name": name, "scope": scope})
    await ask("POST", "/api/v2/tenants/initech/pause", {"reason": "its contract ended"})
