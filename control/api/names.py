"""Ids and names of a request, looked up once at the door: what comes after sees names alone."""

from typing import Any

import msgspec

from control.store.reference import Noun, key

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


async def by_name(pool: Any, asked: Asked) -> Asked:
    """The same with a name for each id. What names nothing stays as it is: it may be new, and
    who looks for it says best what is missing."""
    body = asked.body
    wanted = getattr(body, "tenant", None)
    fields = [field for field in BODY if isinstance(getattr(body, field, None), str)]
    if not (PATH.keys() & asked.path.keys() or "tenant" in asked.query or wanted or fields):
        return asked
    async with pool.acquire() as connection:

        async def name(noun: Noun, given: str, tenant: str | None = None) -> str:
            return await key(connection, noun, given, tenant=tenant) or given

        query = dict(asked.query)
        if given := query.get("tenant"):
            query["tenant"] = await name("tenant", given)
        path = dict(asked.path)
        owner = query.get("tenant")
        if "tenant" in path:
            owner = path["tenant"] = await name("tenant", path["tenant"])
        for part in PATH.keys() & path.keys() - {"tenant"}:
            path[part] = await name(PATH[part], path[part], owner)
        if isinstance(wanted, str):
            owner = await name("tenant", wanted)
            body = msgspec.structs.replace(body, tenant=owner)
        for field in fields:
            scope = None if BODY[field] == "server" else owner
            found = await name(BODY[field], getattr(body, field), scope)
            body = msgspec.structs.replace(body, **{field: found})
    return Asked(path, query, body)
