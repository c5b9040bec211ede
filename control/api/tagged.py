"""Which changes are of a thing that GET shows with an `ETag`, and which must say that they saw it.

Rule: each method that changes something stands in one of the two tables; a test holds that. What
the first names takes `If-Match` and `If-None-Match`, compared under the lock of the change
(control/api/precondition.py). A change that sets what it names, and leaves the rest, may come
without: it undoes nobody's. One that puts a whole text in the place of another must not: what
somebody else wrote into it since would be gone without a word (RFC 6585, 3).
"""

from typing import NamedTuple


class Taken(NamedTuple):
    """Of a change."""

    of: str
    """The path whose GET shows what it changes."""
    needed: str = ""
    """Why it must not come without a condition; empty: it may."""


_TENANT = Taken("/api/v2/tenants/{tenant}")
_LOGINS = Taken("/api/v2/tenants/{tenant}/logins")
_LOGIN = Taken("/api/v2/tenants/{tenant}/login")
_NETWORKS = Taken("/api/v2/tenants/{tenant}/networks")
_MAILBOX = Taken("/api/v2/tenants/{tenant}/mailboxes/{address}")
_DOMAIN = Taken("/api/v2/domains/{domain}")
_IP = Taken("/api/v2/ips/{ip}")
_POOL = Taken("/api/v2/pools/{pool}")
_USER = Taken("/api/v2/users/{user}")
_TOKEN = Taken("/api/v2/tokens/{token}")
_OWN = "/api/v2/powermta/own/{name}"

TAGGED: dict[tuple[str, str], Taken] = {
    ("PATCH", _TENANT.of): _TENANT,
    ("DELETE", _TENANT.of): _TENANT,
    ("POST", f"{_TENANT.of}/pause"): _TENANT,
    ("POST", f"{_TENANT.of}/resume"): _TENANT,
    ("POST", f"{_TENANT.of}/password"): _TENANT,
    ("POST", _LOGINS.of): _LOGINS,
    ("DELETE", _LOGINS.of): _LOGINS,
    ("POST", f"{_LOGIN.of}/rotation"): _LOGIN,
    ("DELETE", f"{_LOGIN.of}/rotation"): _LOGIN,
    ("POST", f"{_LOGIN.of}/rotation/finish"): _LOGIN,
    ("POST", _NETWORKS.of): _NETWORKS,
    ("DELETE", _NETWORKS.of): _NETWORKS,
    ("PUT", _MAILBOX.of): _MAILBOX,
    ("DELETE", _MAILBOX.of): _MAILBOX,
    ("DELETE", _DOMAIN.of): _DOMAIN,
    ("POST", f"{_DOMAIN.of}/move"): _DOMAIN,
    ("POST", f"{_DOMAIN.of}/rotation"): _DOMAIN,
    ("DELETE", f"{_DOMAIN.of}/rotation"): _DOMAIN,
    ("POST", f"{_DOMAIN.of}/rotation/finish"): _DOMAIN,
    ("PATCH", _IP.of): _IP,
    ("DELETE", _IP.of): _IP,
    ("POST", f"{_IP.of}/move"): _IP,
    ("POST", f"{_IP.of}/server"): _IP,
    ("PATCH", _POOL.of): _POOL,
    ("DELETE", _POOL.of): _POOL,
    ("POST", f"{_POOL.of}/pause"): _POOL,
    ("POST", f"{_POOL.of}/resume"): _POOL,
    ("POST", "/api/v2/warmup/ips/{ip}"): Taken("/api/v2/warmup/ips/{ip}"),
    ("DELETE", "/api/v2/warmup/plans/{name}"): Taken("/api/v2/warmup/plans/{name}"),
    ("POST", "/api/warmup/control"): Taken("/api/warmup/control"),
    ("DELETE", "/api/v2/suppressions"): Taken("/api/v2/suppressions"),
    ("DELETE", "/api/v2/servers/{server}"): Taken("/api/v2/servers/{server}"),
    ("PATCH", _USER.of): _USER,
    ("DELETE", _USER.of): _USER,
    ("POST", f"{_USER.of}/reset"): _USER,
    ("DELETE", f"{_USER.of}/sessions"): _USER,
    ("PATCH", _TOKEN.of): _TOKEN,
    ("DELETE", _TOKEN.of): _TOKEN,
    ("POST", "/api/v2/plans/{plan}/rollback"): Taken(
        "/api/v2/generation", needed="it undoes what anybody changed since"
    ),
    ("PUT", _OWN): Taken(_OWN, needed="it replaces all lines of the block"),
}

_NEW = "it makes a new thing, and is refused where that is there"
_QUESTION = "a question: it changes nothing"
_NAMED = "its body names what it is about; this path shows a list"
_STARTS = "it starts something, or does it once more"
_OWN_SIGN = "who asks proves itself with its password, a code or a secret that is good once"

UNTAGGED: dict[tuple[str, str], str] = {
    ("POST", "/api/v1/auth/login"): _OWN_SIGN,
    ("POST", "/api/v1/auth/refresh"): _OWN_SIGN,
    ("POST", "/api/v1/auth/logout"): _OWN_SIGN,
    ("POST", "/api/v1/auth/password"): _OWN_SIGN,
    ("POST", "/api/v1/auth/link"): _OWN_SIGN,
    ("POST", "/api/v1/auth/codes"): _OWN_SIGN,
    ("POST", "/api/v1/auth/codes/confirm"): _OWN_SIGN,
    ("POST", "/api/v1/auth/codes/off"): _OWN_SIGN,
    ("POST", "/api/v2/users"): _NEW,
    ("POST", "/api/v2/tokens"): _NEW,
    ("POST", "/api/v2/tenants"): _NEW,
    ("POST", "/api/v2/pools"): _NEW,
    ("POST", "/api/v2/warmup/plans"): _NEW,
    ("POST", "/api/v2/domains"): _NAMED,
    ("POST", "/api/v2/servers"): _NAMED,
    ("POST", "/api/v2/suppressions"): _NAMED,
    ("POST", "/api/v2/suppressions/import"): _NAMED,
    ("POST", "/api/v2/tenants/{tenant}/mailboxes/import"): _NAMED,
    ("POST", "/api/v2/warmup/import"): _NAMED,
    ("POST", "/api/v2/powermta/import"): _NAMED,
    ("POST", "/api/v2/hold/requests"): "mail comes and goes: what it chooses it chooses by itself",
    ("POST", "/api/v2/hold/requests/{request}/undo"): "an order is undone, however far it is",
    ("POST", "/api/v2/hold/forget"): "who is forgotten is forgotten, whatever is known of it",
    ("POST", "/api/v2/explain"): _QUESTION,
    ("POST", "/api/v2/warmup/simulation"): _QUESTION,
    ("POST", "/api/v2/warmup/growth"): _QUESTION,
    ("POST", "/api/v2/clock"): "time goes on by itself",
    ("POST", "/api/v2/ledger"): "it opens what is closed, or nothing",
    ("POST", "/api/v2/generation"): "it publishes what is set, whoever set it",
    ("POST", "/api/v2/accounting/rejected/again"): _STARTS,
    ("POST", "/api/v2/accounting/imports"): _STARTS,
    ("POST", "/api/v2/days/consolidate"): _STARTS,
    ("POST", "/api/v2/jobs/{job}/run"): _STARTS,
    ("POST", "/api/v2/powermta/apply"): _STARTS,
    ("POST", "/api/v2/blocklists/{subject}/check"): _STARTS,
    ("POST", "/api/v2/powermta/rollback"): "it names the version that is to run",
    ("POST", "/api/v2/alerts/mute"): "it says until when, whatever was said before",
    ("POST", "/api/v2/alerts/test"): _STARTS,
    ("POST", "/api/v2/alerts/{alert}/ack"): "an alert is seen or not, and seen once",
    ("DELETE", "/api/v2/servers/{server}/agent"): "no path shows the agent by itself",
}
"""The others, and why: a condition on them is refused, since it cannot be held."""
