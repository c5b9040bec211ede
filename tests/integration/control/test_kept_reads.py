"""What is kept of the plan is never stale when something beside the plan changes: each table that
such an answer is made of is noted as the plan's, or looked at; and what happens beside changes no
answer, or is seen at once."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from control.api.shared import PLAN
from control.ledger.closed import Closed, ClosedIp
from control.parts import Parts
from policy.limits import day_of
from tests.conftest import CreateDatabase
from tests.support.control.core import TOKEN, Api, api_of, build, control_core, settings_for
from tests.support.hold.held import hold

GIVEN = {
    "{tenant}": "acme",
    "{domain}": "d0.acme.example",
    "{pool}": "acme",
    "{server}": "pmta1",
}
ALSO = (
    "/api/v2/tenants?limit=1",
    "/api/v2/domains?limit=1",
    "/api/v2/domains?tenant=acme",
    "/api/v2/pools?sort=name&limit=1",
    "/api/v2/tenants/acme/mailboxes?containing=m",
    "/api/v2/powermta/config?server=pmta1",
    "/api/v2/powermta/config?tenant=acme",
)
"""Of the same paths: each is kept by itself."""

OF_DOOR = {"api_token", "api_token_tenant", "session", "person", "person_tenant"}
"""Who asks: looked at each time."""
LOOKED_AT = {"generation", "plan_touched", "dkim_rotation"}
"""What `as_of` is made of."""
BESIDE = {
    "warmup_plan": "of an IP's row, which is no part of these answers; its stages are noted",
}
"""Tables of statements that read more than is shown: why."""

_VERSION = """INSERT INTO pmta_version (server, digest, files, keys, generation, who, why, at)
VALUES ('pmta1', 'x', '', '{}', 0, 'test', '', $1)"""
_PLAN = """INSERT INTO warmup_plan (name, days, growth, breach, created)
VALUES ('steady', 7, 1, 'pause', now())"""
_ALERT = """INSERT INTO alert
    (key, source, severity, what, next, first_seen, last_seen, tell_at)
VALUES ('k', 'test', 'warning', 'w', 'n', 1, 1, 0)"""

SHOWN = {"selector", "public", "began", "seen", "switched", "said"}
"""Columns of a replacement of a key that its domain shows."""


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    settings = settings_for(await create_database("control", build), valkey_url)
    async with control_core(settings) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With two tenants; a key of the first one's is being replaced."""
    async with api_of(core) as opened:
        for place, name in enumerate(("acme", "zeta")):
            new = {"name": name, "login": f"{name}-in", "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
            for number in range(2):
                domain = {"tenant": name, "domain": f"d{number}.{name}.example", "quota": 5}
                domain["ip"] = f"192.0.2.{10 * place + number + 1}"
                assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
        box = "/api/v2/tenants/acme/mailboxes/m0@d0.acme.example"
        assert (await opened("PUT", box, {"daily_max": 5}))[0] == 200
        rotation = "/api/v2/domains/d0.acme.example/rotation"
        assert (await opened("POST", rotation, {}))[0] in (200, 201)
        yield opened


def paths() -> list[str]:
    """All that are kept."""
    found = []
    for path in sorted(PLAN):
        for name, value in GIVEN.items():
            path = path.replace(name, value)
        found.append(path)
    assert not any("{" in path for path in found)
    return [*found, *ALSO]


async def answers(api: Api) -> dict[str, tuple[Any, str]]:
    """Each with its `Link`."""
    found = {}
    for path in paths():
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with api.session.get(api.url + path, headers=headers) as answer:
            assert answer.status == 200, path
            found[path] = await answer.text(), answer.headers.get("Link", "")
    return found


async def seen(core: Parts, api: Api) -> dict[str, tuple[Any, str]]:
    """What is answered, which is what is answered by who has kept nothing."""
    found = await answers(api)
    async with api_of(core) as fresh:
        read = await answers(fresh)
    assert found.keys() == read.keys()
    stale = [path for path in found if found[path] != read[path]]
    assert not stale
    return found


async def touched(core: Parts) -> Any:
    return await core.pool.fetchval("SELECT count(*) FROM plan_touched")


async def test_what_a_kept_answer_is_made_of_is_noted_or_looked_at(
    core: Parts, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {
        row["name"]
        for row in await core.pool.fetch(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        )
    }
    noted = {
        row["name"]
        for row in await core.pool.fetch(
            "SELECT tgrelid::regclass::text AS name FROM pg_trigger "
            "WHERE tgname = 'plan_touch_update'"
        )
    }
    said: list[str] = []
    inner = asyncpg.Connection._execute

    async def execute(self: Any, query: str, *given: Any, **more: Any) -> Any:
        said.append(query)
        return await inner(self, query, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "_execute", execute)
        async with api_of(core) as fresh:
            await answers(fresh)
    of = re.compile(r"\b(?:FROM|JOIN)\s+(?:ONLY\s+)?([a-z_]+)", re.IGNORECASE)
    read = {name for query in said for name in of.findall(query)} & tables
    assert {"tenant", "mailbox", "sending_domain", "pmta_server"} <= read & noted
    assert read - noted - OF_DOOR - LOOKED_AT == BESIDE.keys()


async def test_every_column_of_a_key_that_is_replaced_is_seen_at_once(
    core: Parts, api: Api
) -> None:
    columns = await core.pool.fetch(
        "SELECT column_name AS name, data_type AS kind FROM information_schema.columns "
        "WHERE table_name = 'dkim_rotation'"
    )
    before = await seen(core, api)
    met = set()
    for column in columns:
        name, kind = column["name"], column["kind"]
        if name in ("tenant", "domain", "id"):
            continue
        other = {"text": "'other'", "bigint": "7000", "timestamp with time zone": "now()"}.get(kind)
        if other is None:
            continue
        try:
            await core.pool.execute(f"UPDATE dkim_rotation SET {name} = {other}")
        except asyncpg.CheckViolationError:
            continue
        after = await seen(core, api)
        if name in SHOWN:
            met.add(name)
            for path in ("/api/v2/domains", "/api/v2/domains/d0.acme.example"):
                assert after[path] != before[path], (path, name)
        before = after
    assert met == SHOWN, "a column that none of these is"


async def test_what_happens_beside_the_plan_makes_no_kept_answer_a_stale_one(
    core: Parts, api: Api
) -> None:
    now = (await core.admin.now())[0]
    closed = Closed(day_of(now), {"192.0.2.1": ClosedIp("pmta1", 0)}, {"pmta1": "lost"})
    events: dict[str, tuple[str, tuple[Any, ...]]] = {
        "a login lets somebody in": ("UPDATE login SET used = now()", ()),
        "a plan of the warm-up": (_PLAN, ()),
        "IPs are closed": (
            "UPDATE ledger SET closed = $1",
            (msgspec.to_builtins(closed),),
        ),
        "an agent tells": (
            "INSERT INTO pmta_agent (server, agent, heard) VALUES ('pmta1', 'a', $1)",
            (now,),
        ),
        "a version is put into force": (_VERSION, (now,)),
        "an alert": (
            _ALERT,
            (),
        ),
    }
    before = await seen(core, api)
    for what, (statement, given) in events.items():
        await core.pool.execute(statement, *given)
        assert await touched(core) == 0, f"{what}: nothing of the plan was written"
        assert await seen(core, api) == before, what
    shown = await api("GET", "/api/v2/ips/192.0.2.1")
    assert shown[1]["closed"], "which is no answer that is kept"  # type: ignore[index]
    async with core.pool.acquire() as connection:
        await hold(connection, "1aaaa")
    assert await seen(core, api) == before, "mail waits"
    asked: list[tuple[str, str, Any]] = [
        ("POST", "/api/warmup/control", {"action": "stop", "reason": "a test"}),
        ("POST", "/api/v2/suppressions", {"tenant": "acme", "address": "b@b.example"}),
        ("POST", "/api/v2/users", {"name": "ben"}),
        ("POST", "/api/v2/clock", {"advance": "1d"}),
    ]
    for method, path, body in asked:
        status, said = await api(method, path, body)
        assert status < 300, (path, said)
        await seen(core, api)
    await core.admin.client.flushall()
    await seen(core, api)
    assert (await api("POST", "/api/v2/ledger", {"confirm": True}))[0] == 200
    await seen(core, api)


async def test_parts_are_kept_each_by_itself_with_their_link(core: Parts, api: Api) -> None:
    first = await seen(core, api)
    assert await seen(core, api) == first
    assert "after=" in first["/api/v2/tenants?limit=1"][1]
    assert first["/api/v2/tenants"][1] == ""
    new = {"name": "bravo", "login": "bravo-in", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    later = await seen(core, api)
    assert later["/api/v2/tenants"] != first["/api/v2/tenants"]
    assert later["/api/v2/tenants?limit=1"] == first["/api/v2/tenants?limit=1"]
