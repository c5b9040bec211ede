"""All of it, by the doors that it comes in by: the API, gateways' rows, records of PowerMTA.

Rule: what anybody outside chooses (replies, reasons, campaigns, notes, texts of DNS and of lists)
goes through `written` first, so that a test can have somebody hostile write it.
"""

from collections.abc import Callable
from typing import Any

from control.parts import Parts
from policy.limits import day_of
from tests.support.control.core import Api
from tests.support.control.filled import mail, plan, told

Written = Callable[[str], str]
"""A plain text to what is put in its place."""

NAMES: dict[str, str] = {
    "ip": "192.0.2.11",
    "job": "blocklists",
    "user": "erika@example.org",
    "tenant": "acme",
    "domain": "news.acme.example",
    "address": "anna@news.acme.example",
    "server": "pmta2",
}
"""What the parts of paths in braces stand for."""


def plain(text: str) -> str:
    """As somebody writes who means no harm."""
    return text


async def fill(api: Api, core: Parts, written: Written = plain) -> None:
    """Tenants and their domains, IPs at several stages, held mail, what became of the rest, people,
    jobs, alerts, blocklists, servers of PowerMTA and what they say."""
    now = await core.calendar()
    await plan.put(api)
    await told.put(core, written, now)
    await mail.put(core, written, day_of(now))


def path_of(path: str, **names: str) -> str:
    """`/ips/{ip}` with its names."""
    for name, value in (NAMES | names).items():
        path = path.replace(f"{{{name}}}", value)
    return path


def asked(path: str) -> dict[str, Any]:
    """The query with which a page shows most; without one many wait to be asked."""
    return {
        "/explain": {"q": "anna@gmail.com"},
        "/domains/{domain}": {"tenant": "acme"},
        "/mailboxes/{address}": {"tenant": "acme"},
        "/alerts": {"ended": "1"},
        "/virtualmtas": {"days": "14", "by": "ip,provider"},
        "/virtualmtas/{ip}": {"days": "14"},
        "/powermta/{server}": {"from": "1", "to": "2"},
        "/ips/{ip}/plan": {"days": "60", "a_day": "2000"},
    }.get(path, {})
