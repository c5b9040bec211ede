"""Ids and names of a request, looked up once at the door: what comes after sees names alone."""

from typing import Any

import msgspec

from control.problem import RefusedError, bad
from control.store.database import Connection
from control.store.reference import LONGEST_ID, Noun, is_id, key, no_such

GREATEST = 10**LONGEST_ID - 1
"""Number of a thing."""

PATH: dict[str, Noun] = {
    "tenant": "tenant",
    "pool": "pool",
    "ip": "ip",
    "domain": "domain",
    "server": "server",
    "address": "mailbox",
}
"""Part of a path to what it names."""

BODY: dict[str, Noun] = {"pool": "pool", "leaves": "pool", "overflow": "pool", "server": "server"}
"""Field of a body to what it names; `tenant`, which the others belong to, comes first."""


class Asked(msgspec.Struct, frozen=True):
    """What a request names."""

    path: dict[str, str]
    query: dict[str, str]
    body: Any
    """A decoded struct, or None."""


async def by_name(pool: Any, asked: Asked, only: str | None = None) -> Asked:
    """The same with a name for each id. What names nothing stays as it is: it may be new, and
    who looks for it says best what is missing.

    `only`: the tenant of who asks. Its name stands where none is given, and what is another
    tenant's is not there: raises RefusedError (404)."""
    if not _names(asked, only):
        return asked
    async with pool.acquire(clean=True) as connection:
        return await _named(connection, asked, only)


async def of_which(pool: Any, asked: Asked, among: tuple[str, ...]) -> str:
    """Which of the tenants of who asks a request is about: the one it names, or whose what it names
    is. Raises RefusedError: 404 where that is nobody's of them, 400 where it says neither."""
    if len(among) == 1:
        return among[0]
    given = asked.path.get("tenant") or asked.query.get("tenant")
    given = given or getattr(asked.body, "tenant", None)
    async with pool.acquire(clean=True) as connection:
        if isinstance(given, str):
            found = await key(connection, "tenant", given)
            if found in among:
                return found
            raise no_such("tenant", given)
        for part in PATH.keys() & asked.path.keys():
            noun, named = PATH[part], asked.path[part]
            for tenant in among:
                if await key(connection, noun, named, tenant=tenant) is not None:
                    return tenant
            raise no_such(noun, named)
    raise bad("tenant", f"say which of yours this is about: {', '.join(among)}")


async def still(connection: Connection, asked: Asked, only: str, found: Asked) -> None:
    """Looks up again what a request of tenant `only` named, by who holds the publishers' lock: what
    was another's by then would be changed by a name that was looked up before. Raises RefusedError.
    """
    if _names(asked, only) and await _named(connection, asked, only) != found:
        raise RefusedError("what this names changed this moment: nothing was changed; try again")


def _tenant(body: Any, only: str | None) -> str | None:
    given: str | None = getattr(body, "tenant", None)
    return only if given is None and hasattr(body, "tenant") else given


def _fields(body: Any) -> list[str]:
    return [field for field in BODY if isinstance(getattr(body, field, None), str)]


def _names(asked: Asked, only: str | None) -> bool:
    """Whether there is anything to look up."""
    if PATH.keys() & asked.path.keys() or "tenant" in asked.query:
        return True
    return bool(_tenant(asked.body, only) or _fields(asked.body))


async def _named(connection: Connection, asked: Asked, only: str | None) -> Asked:
    body, wanted = asked.body, _tenant(asked.body, only)

    async def name(noun: Noun, given: str, tenant: str | None = None) -> str:
        return await key(connection, noun, given, tenant=tenant) or given

    async def tenant(given: str) -> str:
        found = await name("tenant", given, only)
        if only is not None and found != only:
            raise no_such("tenant", given)
        return found

    query, path = dict(asked.query), dict(asked.path)
    if given := query.get("tenant"):
        query["tenant"] = await tenant(given)
    owner = only or query.get("tenant")
    if "tenant" in path:
        owner = path["tenant"] = await tenant(path["tenant"])
    for part in PATH.keys() & path.keys() - {"tenant"}:
        noun, given = PATH[part], path[part]
        found = await key(connection, noun, given, tenant=owner)
        # A mailbox may be given its first limits; its tenant was looked at.
        # Nothing new is named by a number.
        if found is None and (is_id(given) or (only is not None and noun != "mailbox")):
            raise no_such(noun, given)
        path[part] = found or given
    if isinstance(wanted, str):
        owner = await tenant(wanted)
        body = msgspec.structs.replace(body, tenant=owner)
    for field in _fields(asked.body):
        scope = None if BODY[field] == "server" else owner
        called = await name(BODY[field], getattr(body, field), scope)
        body = msgspec.structs.replace(body, **{field: called})
    return Asked(path, query, body)
