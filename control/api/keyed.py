"""Which POSTs take an `Idempotency-Key`: all that create or start something.

Rule: a POST stands in one of the two tables; a test holds that. What the first names commits its
answer with its change, in one transaction of PostgreSQL. Exception: an import of accounting is
found by the digest of its file, so that to begin it twice finds the one there is, with or without a
key.
"""

KEYED: frozenset[str] = frozenset(
    {
        "/api/v2/tenants",
        "/api/v2/tenants/{tenant}/logins",
        "/api/v2/tenants/{tenant}/login/rotation",
        "/api/v2/tenants/{tenant}/login/rotation/finish",
        "/api/v2/tenants/{tenant}/networks",
        "/api/v2/tenants/{tenant}/mailboxes/import",
        "/api/v2/domains",
        "/api/v2/domains/{domain}/rotation",
        "/api/v2/domains/{domain}/rotation/finish",
        "/api/v2/pools",
        "/api/v2/hold/requests",
        "/api/v2/hold/forget",
        "/api/v2/suppressions",
        "/api/v2/suppressions/import",
        "/api/v2/warmup/plans",
        "/api/v2/warmup/ips/{ip}",
        "/api/v2/warmup/import",
        "/api/v2/servers",
        "/api/v2/generation",
        "/api/v2/powermta/import",
        "/api/v2/accounting/imports",
        "/api/v2/jobs/{job}/run",
    }
)

_STATE = "sets a state: repeated, it leaves the same"
_QUESTION = "a question: it changes nothing"
_SIGN = "secrets that are good once: none of them is kept, not even sealed"

UNKEYED: dict[str, str] = {
    "/api/v1/auth/login": _SIGN,
    "/api/v1/auth/refresh": _SIGN,
    "/api/v1/auth/logout": _STATE,
    "/api/v1/auth/password": _SIGN,
    "/api/v1/auth/link": _SIGN,
    "/api/v1/auth/codes": _SIGN,
    "/api/v1/auth/codes/confirm": _SIGN,
    "/api/v1/auth/codes/off": _STATE,
    "/api/v2/users": _SIGN,
    "/api/v2/users/{user}/reset": _SIGN,
    "/api/v2/tokens": _SIGN,
    "/api/v2/hold/requests/{request}/undo": _STATE,
    "/api/v2/tenants/{tenant}/pause": _STATE,
    "/api/v2/tenants/{tenant}/resume": _STATE,
    "/api/v2/tenants/{tenant}/password": _STATE,
    "/api/v2/pools/{pool}/pause": _STATE,
    "/api/v2/pools/{pool}/resume": _STATE,
    "/api/v2/domains/{domain}/move": _STATE,
    "/api/v2/ips/{ip}/move": _STATE,
    "/api/v2/ips/{ip}/server": _STATE,
    "/api/warmup/control": _STATE,
    "/api/v2/alerts/mute": _STATE,
    "/api/v2/alerts/{alert}/ack": _STATE,
    "/api/v2/alerts/test": "sends a test; nothing is left of it",
    "/api/v2/explain": _QUESTION,
    "/api/v2/blocklists/{subject}/check": "asks others: what they say now is kept",
    "/api/v2/warmup/simulation": _QUESTION,
    "/api/v2/warmup/growth": _QUESTION,
    "/api/v2/clock": "moves a clock of tests, to a time or not at all",
    "/api/v2/ledger": _STATE,
    "/api/v2/accounting/rejected/again": "takes in what is set aside: repeated, nothing is left",
    "/api/v2/days/consolidate": "a day that is consolidated stays the same",
    "/api/v2/powermta/apply": "a version that runs is not put in force again",
    "/api/v2/plans/{plan}/rollback": "goes to a plan that is named: repeated, nothing is left",
    "/api/v2/powermta/rollback": "goes to a version that is named, or refuses",
}
"""The others, and why: the header is of no use there, and refused."""
