"""A part of a list costs the same wherever it begins: at the start, in the middle and at the end of
100,000 rows PostgreSQL reads about as many pages."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from control.accounting import importing
from control.keyset import Keyset
from control.parts import Parts
from control.tenants import login, network
from control.users import personlist, tokenlist
from control.values.part import Key, Part
from tests.support.control.core import Api

ROWS = 100_000
MOST = 400
"""Pages of a part of a hundred entries, each with some rows of other tables."""

_STOCK: dict[str, str] = {
    "login": "INSERT INTO login (name, tenant, hash, created) SELECT 'in-' || n,"
    " CASE WHEN n % 10 = 0 THEN 'other' ELSE 'acme' END, '$argon2id$x',"
    " now() - make_interval(secs => n % 1000) FROM generate_series(1, $1) n",
    "network": "INSERT INTO tenant_network (network, tenant)"
    " SELECT ('10.0.0.0'::inet + n)::cidr, 'acme' FROM generate_series(1, $1) n",
    "import": "INSERT INTO accounting_import (digest, size, name, server, began, who)"
    " SELECT n::text, n, 'x', 'pmta' || n % 3, n, '' FROM generate_series(1, $1) n",
    "person": "INSERT INTO person (name, role, everywhere, created) SELECT 'u' || n, 'viewer',"
    " true, now() - make_interval(secs => n % 1000) FROM generate_series(1, $1) n",
    "token": "INSERT INTO api_token (name, digest, created, role) SELECT 't' || n,"
    " decode(md5(n::text), 'hex'), now() - make_interval(secs => n % 1000), 'read'"
    " FROM generate_series(1, $1) n",
}
_READ: dict[str, tuple[Keyset, tuple[Any, ...]]] = {
    "login": (login.LIST, ("acme",)),
    "network": (network.LIST, ("acme",)),
    "import": (importing.LIST, ("pmta1", None)),
    "person": (personlist.LIST, (None,) * 5),
    "token": (tokenlist.LIST, (None,) * 6),
}


@pytest.mark.parametrize("noun", _READ)
async def test_a_part_costs_the_same_at_both_ends(api: Api, core: Parts, noun: str) -> None:
    for name in ("acme", "other"):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    keyset, given = _READ[noun]
    async with core.pool.acquire() as connection:
        await connection.execute(_STOCK[noun], ROWS)
        await connection.execute("ANALYZE")
        for field in keyset.fields:
            for sort in (field, f"-{field}"):
                for key in (None, *await _places(connection, keyset, sort, given)):
                    part = Part(sort=sort, after=key, limit=100)
                    pages = await _pages(connection, *keyset.asked(part, *given))
                    assert pages < MOST, (sort, key, pages)


async def _places(connection: Any, keyset: Keyset, sort: str, given: tuple[Any, ...]) -> list[Key]:
    """Keys in the middle and near the end."""
    statement, *values = keyset.asked(Part(sort=sort, limit=ROWS), *given)
    rows = await connection.fetch(statement, *values)
    names = keyset.names(sort.removeprefix("-"))
    assert len(rows) > ROWS // 4
    return [tuple(_plain(rows[at][n]) for n in names) for at in (len(rows) // 2, len(rows) - 120)]


def _plain(value: Any) -> Any:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return round((value - epoch).total_seconds() * 1e6) if isinstance(value, datetime) else value


async def _pages(connection: Any, statement: str, *values: Any) -> int:
    told = await connection.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values
    )
    plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
