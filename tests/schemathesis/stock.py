"""One of everything, so that what is asked for is there, and a token of everybody."""

from control.parts import Parts
from tests.integration.control.test_roles import token
from tests.support.control.core import TOKEN, Api
from tests.support.control.people import joined
from tests.support.hold.held import hold

PASSWORD = "correct horse"


async def stocked(api: Api, core: Parts) -> dict[str, str]:
    """Role to its token."""
    for name, ip in (("acme", "192.0.2.10"), ("globex", "203.0.113.77")):
        new = {"name": name, "login": name, "password": PASSWORD}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        domain = {"tenant": name, "domain": f"mail.{name}.example", "ip": ip}
        assert (await api("POST", "/api/v2/domains", domain))[0] == 201
        path = f"/api/v2/tenants/{name}/mailboxes/news@mail.{name}.example"
        assert (await api("PUT", path, {"spacing": 1}))[0] == 200
        mailbox = f"news@mail.{name}.example"
        await hold(core.pool, f"1{name[:4]}", tenant=name, pool=name, mailbox=mailbox)
        order = {"tenant": name, "action": "pause"}
        assert (await api("POST", "/api/v2/hold/requests", order))[0] == 202
    for path, body in (
        ("/api/v2/pools", {"tenant": "acme", "name": "fast"}),
        ("/api/v2/users", {"name": "ben"}),
        ("/api/v2/tokens", {"name": "panel", "scope": "read"}),
        ("/api/v2/warmup/plans", {"name": "steady", "quotas": [50, 100]}),
        ("/api/v2/suppressions", {"address": "anna@gmail.com", "tenant": "acme"}),
        ("/api/v2/alerts/mute", {"key": "bypass", "seconds": 3600}),
    ):
        status, answer = await api("POST", path, body)
        assert status in (200, 201), (path, answer)
    viewer = await joined(core, api, "eve", "viewer")
    return {
        "admin": TOKEN,
        "operator": await token(core, "operator"),
        "viewer": viewer["access_token"],
        "read": await token(core, "read"),
        "scrape": await token(core, "scrape"),
        "tenant": await token(core, "operator", "acme"),
        "nobody": "",
    }
