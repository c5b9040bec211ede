"""Every list of the API comes in parts, in each of its orders: each entry once, in the order of the
whole list."""

import urllib.parse
from typing import Any, get_origin

import msgspec
import pytest

from control.api.route import Route
from control.app import Parts, routes
from tests.support.control.core import TOKEN, Api
from tests.support.control.stocked import stock

REPORTS: dict[str, str] = {
    "/api/v2/tenants/{tenant}/mailboxes/discovered": "a walk through the ledger, by its cursor",
    "/api/v2/hold": "sums: a row a state",
    "/api/v2/hold/forecast": "a row a pool and provider of what waits",
    "/api/v2/hold/shortfall": "a row a day and pool",
    "/api/v2/ledger": "one ledger",
    "/api/v2/status": "one look",
    "/api/v2/traffic": "the first IPs of an order that changes while one reads it",
}
"""Answers that have lists in them and are none: why."""

FEW: dict[str, str] = {
    "/api/v2/circuits": "what live gateways say",
    "/api/v2/blocklists": "nothing was asked about yet",
    "/api/v2/powermta/status": "what live agents say",
    "/api/v2/powermta/keys": "refused where PowerMTA signs nothing",
    "/api/v2/hold/messages": "test_hold.py walks through it",
    "/api/v2/warmup/decisions": "test_warmup_engine.py makes some",
    "/api/v2/accounting/forgetting": "one was asked for",
}
"""Lists in which nothing, or little, is here: why."""


@pytest.fixture
async def stocked(api: Api, core: Parts) -> tuple[Api, str]:
    async with core.pool.acquire() as connection:
        return api, await stock(api, connection, (await core.admin.now())[0])


def lists(core: Parts) -> list[Route]:
    """All there are."""
    found = []
    for route in routes(core):
        if route.method != "GET" or not route.path.startswith("/api/v2/"):
            continue
        if get_origin(route.answer) is list:
            found.append(route)
        elif isinstance(route.answer, type) and issubclass(route.answer, msgspec.Struct):
            many = any("list[" in str(f.type) for f in msgspec.structs.fields(route.answer))
            if many and not route.path.endswith(("}", "}/check")) and route.path not in REPORTS:
                found.append(route)
    return found


async def test_every_list_takes_a_limit_an_order_and_a_cursor(core: Parts) -> None:
    found = lists(core)
    assert len(found) > 30
    for route in found:
        assert route.listing is not None, f"{route.path} comes whole"
        assert {"limit", "sort", "after"} <= route.query.keys(), route.path
        assert route.listing.sorts, route.path
    paths = {route.path for route in routes(core)}
    assert REPORTS.keys() <= paths
    assert FEW.keys() <= {route.path for route in found}


async def part(api: Api, path: str, **query: Any) -> tuple[Any, str]:
    """(the answer, where the next part is; '': nowhere)."""
    given = {name: text for name, text in query.items() if text is not None}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    target = path + (f"?{urllib.parse.urlencode(given)}" if given else "")
    async with api.session.get(api.url + target, headers=headers) as response:
        answer = await response.json(content_type=None)
        assert response.status == 200, (target, answer)
        link = response.headers.get("Link", "")
    assert not link or link.endswith('>; rel="next"')
    return answer, link.removeprefix("<").partition(">")[0]


async def walk(api: Api, route: Route, path: str, sort: str, limit: int) -> list[Any]:
    """All entries, part after part, each no longer than it may be."""
    assert route.listing is not None
    rows, found = route.listing.rows, []
    answer, following = await part(api, path, sort=sort, limit=limit)
    while True:
        some = answer[rows] if rows else answer
        names = (
            {tuple(str(one.get(f)) for f in route.listing.key) for one in some}
            if (route.listing.key)
            else some
        )
        assert len(names) <= limit, path
        assert some or not following, f"{path} has an empty part before others"
        found += some
        if not following:
            return found
        answer, following = await part(api, following)


async def test_parts_make_the_whole_list_in_each_order(
    stocked: tuple[Api, str], core: Parts
) -> None:
    api, day = stocked
    places = {"tenant": "acme", "job": "cleanup", "day": day}
    wrong: list[str] = []
    for route in lists(core):
        assert route.listing is not None
        if route.path in FEW:
            continue
        path = route.path.format(**places)
        for sort in route.listing.sorts:
            whole, following = await part(api, path, sort=sort, limit=1000)
            entries = whole[route.listing.rows] if route.listing.rows else whole
            if len(entries) < 3 or following:
                wrong.append(f"{path} has {len(entries)} entries {following}")
                continue
            for limit in (1, 2):
                found = await walk(api, route, path, sort, limit)
                if _still(found) != _still(entries):
                    wrong.append(f"{path}?sort={sort} in parts of {limit}: {len(found)} entries")
    assert not wrong, "\n".join(wrong)


def _still(entries: list[Any]) -> list[Any]:
    """Without how long ago something was."""
    return [
        {k: v for k, v in one.items() if k not in ("age", "heard")}
        if isinstance(one, dict)
        else one
        for one in entries
    ]


async def test_a_cursor_of_another_order_is_refused_by_name(
    stocked: tuple[Api, str], core: Parts
) -> None:
    api, _ = stocked
    path = "/api/v2/tenants/acme/logins"
    _, following = await part(api, path, sort="created", limit=1)
    cursor = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(following).query))["after"]
    status, answer = await api("GET", f"{path}?sort=name&after={cursor}")
    assert (status, answer["errors"][0]["field"]) == (400, "sort")
    status, answer = await api("GET", f"{path}?sort=hash")
    assert "'hash' is not how this list can be sorted: expected " in answer["detail"]
    assert (status, answer["errors"][0]["field"]) == (400, "sort")
    for wrong in ("~", "~!", "~AAAA", "~bnVsbA", "~WyJuYW1lIl0", "~WyJuYW1lIiwxXQ", "in-1"):
        status, answer = await api("GET", f"{path}?after={urllib.parse.quote(wrong)}")
        assert (status, answer["errors"][0]["field"]) == (400, "after"), wrong


async def test_entries_that_come_and_go_between_parts_move_no_other(
    stocked: tuple[Api, str], core: Parts
) -> None:
    """What is there all the time is seen once, whatever comes before and behind."""
    api, _ = stocked
    changes = {
        "/api/v2/tenants/acme/logins": (
            """INSERT INTO login (name, tenant, hash, created)
            VALUES ('in-' || $1, 'acme', '$argon2id$x', now() - make_interval(hours => $2))""",
            "DELETE FROM login WHERE name = $1",
        ),
        "/api/v2/accounting/imports": (
            """INSERT INTO accounting_import (digest, size, name, server, began, who)
            VALUES ($1, $2::int + 1, 'x', '', 0, '')""",
            "DELETE FROM accounting_import WHERE id = $1::bigint",
        ),
    }
    for path, (comes, goes) in changes.items():
        route = next(r for r in lists(core) if r.path == path.replace("acme", "{tenant}"))
        assert route.listing is not None
        key = route.listing.key[0]
        for sort in route.listing.sorts:
            whole, _ = await part(api, path, sort=sort)
            kept = [one[key] for one in whole][1::2]
            seen: list[Any] = []
            answer, following = await part(api, path, sort=sort, limit=1)
            step = 0
            while True:
                seen += [one[key] for one in answer]
                async with core.pool.acquire() as connection:
                    # The last one that was seen goes, where it need not stay; some come all over.
                    if seen[-1] not in kept:
                        gone = seen[-1] if key == "name" else str(seen[-1])
                        await connection.execute(goes, gone if key == "name" else int(gone))
                    if step < 3:
                        await connection.execute(comes, f"{sort}{step}", step)
                step += 1
                if not following:
                    break
                answer, following = await part(api, following)
            assert len(seen) == len(set(seen)), (path, sort)
            assert [name for name in seen if name in kept] == kept, (path, sort)
