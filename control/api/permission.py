"""Who may ask what: the table of routes and roles, looked at once, at the door; for tokens and for
people.

Rule: what the table does not name is for admins of all tenants. Who is of some tenants sees and
changes those alone: routes that concern all are closed to it (403), and names of others are not
there (404). A request is about one tenant; who is of several says which, where what it names does
not.
"""

from typing import Any

import msgspec

from control import kinds
from control.problem import RefusedError
from control.users.desk import Proof
from control.users.role import ROLES, Holder, Role


class Permission(msgspec.Struct, frozen=True):
    """What a route asks for."""

    role: Role
    """The least that will do."""
    own: bool = False
    """Whether who is of some tenants may ask it, of one of those."""
    mine: bool = False
    """Whether it is about who asks, or about people and tokens as far as it reaches
    (control/users/reach.py), and so about no tenant."""


CLOSED = Permission("admin")

_READ, _CHANGE, _OWNER = (
    Permission("read", own=True),
    Permission("operator", own=True),
    Permission("admin", own=True),
)
_MINE = Permission("read", own=True, mine=True)
_ADMIN = Permission("admin", own=True, mine=True)
_READ_ALL = Permission("read")
_CHANGE_ALL = Permission("operator")

PERMISSIONS: dict[tuple[str, str], Permission] = {
    # What somebody changes here is its own password, which each of them wants to be told.
    ("GET", "/api/v1/auth/me"): _MINE,
    ("POST", "/api/v1/auth/password"): _MINE,
    ("POST", "/api/v1/auth/codes"): _MINE,
    ("POST", "/api/v1/auth/codes/confirm"): _MINE,
    ("POST", "/api/v1/auth/codes/off"): _MINE,
    # An admin of some tenants has the people and tokens of those.
    ("GET", "/api/v2/users"): _ADMIN,
    ("POST", "/api/v2/users"): _ADMIN,
    ("GET", "/api/v2/users/{user}"): _ADMIN,
    ("PATCH", "/api/v2/users/{user}"): _ADMIN,
    ("DELETE", "/api/v2/users/{user}"): _ADMIN,
    ("POST", "/api/v2/users/{user}/reset"): _ADMIN,
    ("DELETE", "/api/v2/users/{user}/sessions"): _ADMIN,
    ("GET", "/api/v2/tokens"): _ADMIN,
    ("POST", "/api/v2/tokens"): _ADMIN,
    ("GET", "/api/v2/tokens/{token}"): _ADMIN,
    ("PATCH", "/api/v2/tokens/{token}"): _ADMIN,
    ("DELETE", "/api/v2/tokens/{token}"): _ADMIN,
    ("GET", "/api/v2/tenants"): _READ,
    ("POST", "/api/v2/tenants"): CLOSED,
    ("GET", "/api/v2/tenants/{tenant}"): _READ,
    ("PATCH", "/api/v2/tenants/{tenant}"): _CHANGE,
    ("DELETE", "/api/v2/tenants/{tenant}"): CLOSED,
    ("POST", "/api/v2/tenants/{tenant}/pause"): _CHANGE,
    ("POST", "/api/v2/tenants/{tenant}/resume"): _CHANGE,
    ("POST", "/api/v2/tenants/{tenant}/password"): _OWNER,
    ("GET", "/api/v2/tenants/{tenant}/logins"): _READ,
    ("POST", "/api/v2/tenants/{tenant}/logins"): _OWNER,
    ("DELETE", "/api/v2/tenants/{tenant}/logins"): _OWNER,
    ("GET", "/api/v2/tenants/{tenant}/login"): _READ,
    ("POST", "/api/v2/tenants/{tenant}/login/rotation"): _OWNER,
    ("DELETE", "/api/v2/tenants/{tenant}/login/rotation"): _OWNER,
    ("POST", "/api/v2/tenants/{tenant}/login/rotation/finish"): _OWNER,
    ("GET", "/api/v2/tenants/{tenant}/networks"): _READ,
    # A network is a way in without a password: whose it is, is not for the tenant to say.
    ("POST", "/api/v2/tenants/{tenant}/networks"): CLOSED,
    ("DELETE", "/api/v2/tenants/{tenant}/networks"): _OWNER,
    ("GET", "/api/v2/tenants/{tenant}/mailboxes"): _READ,
    ("GET", "/api/v2/tenants/{tenant}/mailboxes/discovered"): _READ,
    ("POST", "/api/v2/tenants/{tenant}/mailboxes/import"): _CHANGE,
    ("GET", "/api/v2/tenants/{tenant}/mailboxes/{address}"): _READ,
    ("PUT", "/api/v2/tenants/{tenant}/mailboxes/{address}"): _CHANGE,
    ("DELETE", "/api/v2/tenants/{tenant}/mailboxes/{address}"): _CHANGE,
    ("GET", "/api/v2/domains"): _READ,
    # It takes an IP and its quota, as the next ones do: how much an IP may send is not for those to
    # say whose mail it carries.
    ("POST", "/api/v2/domains"): _CHANGE_ALL,
    ("GET", "/api/v2/domains/{domain}"): _READ,
    ("DELETE", "/api/v2/domains/{domain}"): _CHANGE,
    ("GET", "/api/v2/domains/{domain}/check"): _READ,
    ("POST", "/api/v2/domains/{domain}/rotation"): _CHANGE,
    ("DELETE", "/api/v2/domains/{domain}/rotation"): _CHANGE,
    ("POST", "/api/v2/domains/{domain}/rotation/finish"): _CHANGE,
    ("POST", "/api/v2/domains/{domain}/move"): _CHANGE,
    ("GET", "/api/v2/ips"): _READ,
    ("GET", "/api/v2/ips/{ip}"): _READ,
    ("PATCH", "/api/v2/ips/{ip}"): _CHANGE_ALL,
    ("DELETE", "/api/v2/ips/{ip}"): _CHANGE_ALL,
    ("POST", "/api/v2/ips/{ip}/move"): _CHANGE,
    ("POST", "/api/v2/ips/{ip}/server"): _CHANGE_ALL,
    ("GET", "/api/v2/quota"): _READ,
    ("GET", "/api/v2/traffic"): _READ,
    ("GET", "/api/v1/ips/{ip}"): _READ,
    ("GET", "/api/warmup/quota"): _READ,
    ("GET", "/api/warmup/mailbox"): _READ,
    # What `/metrics` says, too; a scraper that knows this path has the token of one.
    ("GET", "/api/warmup/metrics"): Permission("scrape", own=True),
    ("GET", "/api/warmup/control"): _READ,
    # All tenants' mail at once.
    ("POST", "/api/warmup/control"): CLOSED,
    ("GET", "/api/v2/pools"): _READ,
    ("POST", "/api/v2/pools"): _CHANGE,
    ("GET", "/api/v2/pools/{pool}"): _READ,
    ("PATCH", "/api/v2/pools/{pool}"): _CHANGE,
    ("DELETE", "/api/v2/pools/{pool}"): _CHANGE,
    ("POST", "/api/v2/pools/{pool}/pause"): _CHANGE,
    ("POST", "/api/v2/pools/{pool}/resume"): _CHANGE,
    ("GET", "/api/v2/hold"): _READ,
    ("GET", "/api/v2/hold/messages"): _READ,
    ("GET", "/api/v2/hold/messages/{message}"): _READ,
    # Somebody's mail: each look is written down.
    ("GET", "/api/v2/hold/messages/{message}/content"): _CHANGE,
    ("GET", "/api/v2/hold/forecast"): _READ,
    ("GET", "/api/v2/hold/shortfall"): _READ,
    ("GET", "/api/v2/hold/events"): _READ,
    ("GET", "/api/v2/hold/requests"): _READ,
    ("POST", "/api/v2/hold/requests"): _CHANGE,
    ("GET", "/api/v2/hold/requests/{request}"): _READ,
    ("POST", "/api/v2/hold/requests/{request}/undo"): _CHANGE,
    ("POST", "/api/v2/hold/forget"): _CHANGE,
    ("POST", "/api/v2/explain"): _READ,
    ("GET", "/api/v2/explain/{message}"): _READ,
    ("GET", "/api/v2/messages"): _READ,
    # Whose IPs are in bad repute is for those who run them.
    ("GET", "/api/v2/blocklists"): _READ_ALL,
    ("GET", "/api/v2/blocklists/zones"): _READ_ALL,
    ("POST", "/api/v2/blocklists/{subject}/check"): _CHANGE_ALL,
    ("GET", "/api/v2/suppressions"): _READ,
    ("POST", "/api/v2/suppressions"): _CHANGE,
    ("DELETE", "/api/v2/suppressions"): _CHANGE,
    ("POST", "/api/v2/suppressions/import"): _CHANGE,
    ("GET", "/api/v2/statistics"): _READ,
    ("GET", "/api/v2/warmup"): _READ,
    ("GET", "/api/v2/warmup/decisions"): _READ,
    ("GET", "/api/v2/warmup/ips/{ip}"): _READ,
    ("POST", "/api/v2/warmup/ips/{ip}"): _CHANGE_ALL,
    ("GET", "/api/v2/warmup/plans"): _READ_ALL,
    ("POST", "/api/v2/warmup/plans"): _CHANGE_ALL,
    ("GET", "/api/v2/warmup/plans/{name}"): _READ_ALL,
    ("DELETE", "/api/v2/warmup/plans/{name}"): _CHANGE_ALL,
    ("POST", "/api/v2/warmup/import"): _CHANGE_ALL,
    # Questions: they change nothing.
    ("POST", "/api/v2/warmup/simulation"): _READ,
    ("POST", "/api/v2/warmup/growth"): _READ_ALL,
    ("GET", "/api/v1/warmup"): _READ,
    ("GET", "/api/v1/warmup/plans"): _READ,
    ("GET", "/api/v2/status"): _READ_ALL,
    ("GET", "/api/v1/audit"): _CHANGE_ALL,
    ("GET", "/api/v2/audit"): _CHANGE,
    ("GET", "/api/v2/clock"): _READ_ALL,
    ("POST", "/api/v2/clock"): CLOSED,
    ("GET", "/api/v2/generation"): _READ_ALL,
    ("POST", "/api/v2/generation"): CLOSED,
    # With reasons, as the audit log has them.
    ("GET", "/api/v2/plans"): _CHANGE_ALL,
    ("GET", "/api/v2/plans/{plan}"): _CHANGE_ALL,
    # All tenants' at once.
    ("POST", "/api/v2/plans/{plan}/rollback"): CLOSED,
    ("GET", "/api/v2/ledger"): _READ_ALL,
    ("POST", "/api/v2/ledger"): CLOSED,
    ("GET", "/api/v2/providers"): _READ_ALL,
    ("GET", "/api/v2/providers/{recipient}"): _READ_ALL,
    ("GET", "/api/v2/accounting"): _READ_ALL,
    ("GET", "/api/v2/accounting/bypass"): _READ_ALL,
    # What could not be read may hold anybody's addresses.
    ("GET", "/api/v2/accounting/rejected"): _CHANGE_ALL,
    ("POST", "/api/v2/accounting/rejected/again"): _CHANGE_ALL,
    ("GET", "/api/v2/accounting/inbox"): _READ_ALL,
    ("GET", "/api/v2/accounting/imports"): _READ_ALL,
    ("POST", "/api/v2/accounting/imports"): _CHANGE_ALL,
    ("GET", "/api/v2/accounting/imports/{import}"): _READ_ALL,
    ("GET", "/api/v2/accounting/forgetting"): _READ,
    ("GET", "/api/v2/accounting/forgetting/{request}"): _READ,
    ("GET", "/api/v2/circuits"): _READ_ALL,
    ("GET", "/api/v2/servers"): _READ_ALL,
    ("POST", "/api/v2/servers"): CLOSED,
    ("GET", "/api/v2/servers/{server}"): _READ_ALL,
    ("DELETE", "/api/v2/servers/{server}"): CLOSED,
    ("DELETE", "/api/v2/servers/{server}/agent"): CLOSED,
    ("GET", "/api/v2/powermta/config"): _READ_ALL,
    ("GET", "/api/v2/powermta/diff"): _READ_ALL,
    ("GET", "/api/v2/powermta/validate"): _READ_ALL,
    ("GET", "/api/v2/powermta/versions"): _READ_ALL,
    ("GET", "/api/v2/powermta/standing"): _READ_ALL,
    # Of all tenants' mail at once.
    ("POST", "/api/v2/powermta/apply"): CLOSED,
    ("POST", "/api/v2/powermta/rollback"): CLOSED,
    ("GET", "/api/v2/powermta/status"): _READ_ALL,
    # Private keys.
    ("GET", "/api/v2/powermta/keys"): CLOSED,
    ("POST", "/api/v2/powermta/import"): CLOSED,
    # A line of PowerMTA's may reach beyond its block.
    ("GET", "/api/v2/powermta/own"): _READ_ALL,
    ("GET", "/api/v2/powermta/own/{name}"): _READ_ALL,
    ("PUT", "/api/v2/powermta/own/{name}"): CLOSED,
    ("GET", "/api/v2/alerts"): _READ_ALL,
    ("POST", "/api/v2/alerts/mute"): _CHANGE_ALL,
    ("POST", "/api/v2/alerts/test"): _CHANGE_ALL,
    ("POST", "/api/v2/alerts/{alert}/ack"): _CHANGE_ALL,
    ("GET", "/api/v2/days"): _READ_ALL,
    ("GET", "/api/v2/days/{day}"): _READ_ALL,
    ("POST", "/api/v2/days/consolidate"): _CHANGE_ALL,
    ("GET", "/api/v2/jobs"): _READ_ALL,
    ("GET", "/api/v2/jobs/{job}"): _READ_ALL,
    ("POST", "/api/v2/jobs/{job}/run"): _CHANGE_ALL,
    ("GET", "/metrics"): Permission("scrape"),
}


def allow(holder: Holder, method: str, path: str) -> Permission:
    """`path` as the route has it; what it asks for. Raises RefusedError (403)."""
    wanted = PERMISSIONS.get((method, path), CLOSED)
    if holder.role not in ROLES or ROLES.index(holder.role) < ROLES.index(wanted.role):
        raise RefusedError(
            f"{holder.said} has the role {holder.known_as}: this needs {wanted.role}",
            kind=kinds.ROLE_TOO_LOW,
        )
    if holder.tenants is not None and not (wanted.mine or (wanted.own and holder.tenants)):
        raise RefusedError(
            f"{holder.said} is {holder.owns}: this concerns all tenants", kind=kinds.ALL_TENANTS
        )
    return wanted


WAYS_IN = ("networks",)
"""Fields of a body that say who sends as the tenant without a password."""


def allow_body(holder: Holder | None, body: Any) -> None:
    """Raises RefusedError (403) for a field that is not the tenant's own to change."""
    # Networks of a token bind it: they are no way in for mail.
    if holder is None or holder.tenants is None or isinstance(body, Proof):
        return
    for field in WAYS_IN:
        if getattr(body, field, None):
            raise RefusedError(
                f"{field}: {holder.said} is {holder.owns}: networks are given by who sees all "
                "tenants",
                kind=kinds.OUT_OF_REACH,
                field=field,
            )
