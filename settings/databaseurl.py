"""`database.url` as it is used: what its query says, read before anybody connects.

asyncpg hands a parameter that it does not know to the server, which takes it for a setting of its
own and refuses the connection: `connection_limit=20`, as the pools of other stacks are told their
size, kept everything from starting. So every parameter acts, is left out because a setting of ours
has its place, or is one error that names it.
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

LIMIT = "connection_limit"
_COUNT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)

SCHEMES = ("postgresql", "postgres")

CONNECTING = frozenset({
    "host", "port", "dbname", "database", "user", "password", "passfile", "service",
    "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname",
    "gsslib",
})  # fmt: skip
"""asyncpg's own (those of libpq that it knows)."""

SESSION = frozenset({"application_name", "options", "search_path"})
"""For the server; any other setting of it goes into `options`."""

LEFT_OUT = frozenset({
    "pool_timeout", "connect_timeout", "socket_timeout", "statement_cache_size",
    "max_connection_lifetime", "max_idle_connection_lifetime",
})  # fmt: skip
"""Of other stacks' pools; the waits are `database.timeout` and `hold.commit_budget` here."""

REFUSED = {
    "pgbouncer": "needs a PostgreSQL session for itself (advisory locks, prepared statements): "
    "name PostgreSQL itself, or a PgBouncer in session mode and leave this out",
    "schema": "has its tables in schema public: leave this out, or give search_path",
    "sslaccept": "is told by sslmode: verify-full, or require",
    "channel_binding": "has no channel binding: leave this out; sslmode=verify-full is as strict",
}
"""Asks for something, and silence would be a promise."""

ASKS_NOTHING = {
    "pgbouncer": ("false",),
    "schema": ("public",),
    "channel_binding": ("prefer", "disable"),
}
"""Values with which a refused one says what holds anyhow."""


class DatabaseUrl(NamedTuple):
    """A URL without what only we understand."""

    url: str
    """For asyncpg."""
    connections: int | None
    """Of `connection_limit`."""
    problems: list[str]
    """Sentences; none of them has the URL in it, which may have a password."""


def read(given: str) -> DatabaseUrl:
    """A URL of PostgreSQL, `postgresql+DRIVER://` of SQLAlchemy included; others as they are."""
    scheme, colon, rest = given.partition("://")
    dialect = scheme.partition("+")[0]
    if not colon or dialect not in SCHEMES:
        return DatabaseUrl(given, None, [])
    rest, fragment, after = rest.partition("#")
    base, mark, query = rest.partition("?")
    if "@" in query and "@" not in base:
        # Nothing of it may be shown: the password goes on there.
        return DatabaseUrl(given, None, ["write ? in a password as %3F"])
    connections: int | None = None
    kept: list[str] = []
    problems: list[str] = []
    for part in query.split("&") if mark else []:
        try:
            [(name, value)] = parse_qsl(part, keep_blank_values=True, strict_parsing=True)
        except ValueError:
            problems.append("after ? stand parameters, name=value with & between")
            break
        if name == LIMIT:
            connections = int(value) if _COUNT.fullmatch(value) else 0
            if not connections:
                problems.append(f"{LIMIT}: expected a whole number from 1, the pool's size")
        elif name in CONNECTING or name in SESSION:
            kept.append(part)
        elif name in REFUSED and value not in ASKS_NOTHING.get(name, ()):
            problems.append(f"parameter {name}: Sendgate {REFUSED[name]}")
        elif name not in REFUSED and name not in LEFT_OUT:
            problems.append(
                f"parameter {name[:60]!r} means nothing here; a setting of PostgreSQL goes into "
                "options, as in options=-c%20jit%3Doff"
            )
    query = "?" + "&".join(kept) if kept else ""
    return DatabaseUrl(
        f"{dialect}://{base}{query}{fragment}{after}", None if problems else connections, problems
    )
