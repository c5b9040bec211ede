"""What binds a message, as a link: the page where one sees it, and may change it.

Rule: each word that a message waits for leads somewhere, or is a setting that no page has. A link
that who looks may not follow is not there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from control.console.page import Needs
from control.console.visit import Visit
from control.held.reason import WaitReason

_TENANT: Needs = ("GET", "/api/v2/tenants/{tenant}")
_MAILBOX: Needs = ("GET", "/api/v2/tenants/{tenant}/mailboxes/{address}")
_HELD: Needs = ("GET", "/api/v2/hold")
_SERVERS: Needs = ("GET", "/api/v2/servers")
_STATUS: Needs = ("GET", "/api/v2/status")
_SUPPRESSIONS: Needs = ("GET", "/api/v2/suppressions")


@dataclass(frozen=True)
class Of:
    """A message, as far as it is known; empty: not."""

    tenant: str
    pool: str = ""
    mailbox: str = ""
    campaign: str = ""
    message: str = ""


@dataclass(frozen=True)
class Link:
    """Where to look."""

    text: str
    path: str


def binding(visit: Visit, reason: str, of: Of) -> Link | None:
    """None: nothing binds, or no page that who looks may see has it."""
    found = _OF.get(reason)
    if found is None or not visit.may(*found[0]):
        return None
    return found[1](of)


def tenant(name: str, part: str = "") -> str:
    """Path of its page."""
    return f"/tenants/{quote(name, safe='')}{part}"


def mailbox(owner: str, address: str) -> str:
    """Path of its page."""
    return f"/mailboxes/{quote(address, safe='')}?{urlencode({'tenant': owner})}"


def _tenant(of: Of) -> Link:
    return Link(f"tenant {of.tenant}", tenant(of.tenant))


def _pool(of: Of) -> Link:
    return Link(f"pool {of.pool} of tenant {of.tenant}", tenant(of.tenant, "#pools"))


def _mailbox(of: Of) -> Link:
    return Link(f"mailbox {of.mailbox}", mailbox(of.tenant, of.mailbox))


def _campaign(of: Of) -> Link:
    asked = {"tenant": of.tenant, **({"campaign": of.campaign} if of.campaign else {})}
    return Link("its campaign", f"/held?{urlencode(asked)}")


def _message(of: Of) -> Link:
    if not of.message:
        return Link("held mail", f"/held?{urlencode({'tenant': of.tenant})}")
    return Link("the message", f"/held?{urlencode({'message': of.message})}")


def _servers(_: Of) -> Link:
    return Link("PowerMTA", "/powermta")


def _now(_: Of) -> Link:
    return Link("how everything stands", "/")


def _suppressions(of: Of) -> Link:
    return Link("suppressions", f"/suppressions?{urlencode({'tenant': of.tenant})}")


Made = tuple[Needs, Callable[[Of], Link]]
_BY: dict[Made, tuple[WaitReason, ...]] = {
    (_TENANT, _pool): (
        *("ip_quota", "ip_provider", "ip_pace", "ip_minute", "ip_hour"),
        *("pool_minute", "pool_hour", "pool_paused", "no_ip", "unknown_pool"),
    ),
    (_TENANT, _tenant): ("window", "tenant_minute", "tenant_hour", "tenant_paused", "too_many"),
    (_MAILBOX, _mailbox): (
        *("mailbox_max", "mailbox_ramp", "mailbox_spacing", "mailbox_unknown"),
        *("mailbox_minute", "mailbox_hour"),
    ),
    (_HELD, _campaign): ("campaign_paused",),
    (_HELD, _message): (
        *("held_first", "failed", "unknown", "duplicate", "dividing", "absent", "restored"),
        *("paused", "dropping"),
    ),
    (_SERVERS, _servers): ("server_away",),
    # Of provider and all mail the settings say it: no page has them, this one says how it stands.
    (_STATUS, _now): (
        *("provider_minute", "provider_hour", "global_minute", "global_hour"),
        *("stopped", "ledger_closed", "ledger_away"),
    ),
    (_SUPPRESSIONS, _suppressions): ("suppressions_unknown",),
}
_OF: dict[str, Made] = {word: made for made, words in _BY.items() for word in words}
