"""What a read of the API costs does not grow with the mailboxes there are: counted in statements,
rows and the ledger's commands, not by the clock. And what is kept is what would be read."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from control.api.permission import PERMISSIONS
from control.api.shared import PLAN
from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, api_of, build, control_core, settings_for

GIVEN = {
    "{tenant}": "acme",
    "{domain}": "d0.acme.example",
    "{ip}": "192.0.2.1",
    "{pool}": "acme",
    "{address}": "m0@d0.acme.example",
    "{server}": "pmta1",
}
NOT_HERE = {"/api/v2/domains/{domain}/check": "asks DNS", "/api/v2/powermta/diff": "no agent runs"}
LISTS_OF_CHANGES = ("/api/v1/audit", "/api/v2/audit", "/api/v2/plans")
"""To add mailboxes is one more."""
FEW, MANY = 10, 1_000
OF_CONNECTIONS = ("client", "hello", "auth", "select", "info", "ping")
"""Commands of the library's own: how many connections it makes is its affair."""


class Cost:
    """Of what was asked meanwhile."""

    def __init__(self) -> None:
        self.statements = 0
        self.rows = 0
        self.commands = 0

    def __repr__(self) -> str:
        return f"{self.statements} statements, {self.rows} rows, {self.commands} commands"


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    settings = settings_for(await create_database("control", build), valkey_url)
    async with control_core(settings) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        new = {"name": "acme", "login": "acme-in", "password": "correct horse"}
        assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
        for number in range(2):
            domain = {"tenant": "acme", "domain": f"d{number}.acme.example", "quota": 5}
            domain["ip"] = f"192.0.2.{number + 1}"
            assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
        yield opened


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cost]:
    """Statements that have rows, and those rows, as the library takes them."""
    cost, inner = Cost(), asyncpg.Connection._execute

    async def execute(self: Any, *given: Any, **more: Any) -> Any:
        found = await inner(self, *given, **more)
        cost.statements += 1
        # With `return_status` it is a triple of which the rows come first.
        cost.rows += len(found[0] if isinstance(found, tuple) else found)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "_execute", execute)
        yield cost


async def commands(core: Parts) -> int:
    found = await core.admin.client.info("commandstats")
    return sum(
        one["calls"]
        for name, one in found.items()
        if not name.removeprefix("cmdstat_").startswith(OF_CONNECTIONS)
    )


async def mailboxes(core: Parts, api: Api, many: int) -> None:
    """So many, by hand, and in the plan."""
    async with core.pool.acquire() as connection, connection.transaction():
        await connection.executemany(
            "INSERT INTO mailbox (tenant, address, daily_max) VALUES ('acme', $1, 5) "
            "ON CONFLICT DO NOTHING",
            [(f"m{number}@d0.acme.example",) for number in range(many)],
        )
    assert (await api("POST", "/api/v2/generation"))[0] == 200


def reads() -> list[str]:
    found = []
    for method, path in PERMISSIONS:
        if method == "GET" and path not in NOT_HERE:
            for name, value in GIVEN.items():
                path = path.replace(name, value)
            if "{" not in path:
                found.append(path)
    assert len(found) > 50
    return found


async def costs(
    core: Parts, api: Api, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Cost]:
    found = {}
    for path in paths:
        before = await commands(core)
        with counted(monkeypatch) as cost:
            status, said = await api("GET", path)
        assert status < 500, (path, said)
        cost.commands = await commands(core) - before
        found[path] = cost
    return found


async def test_a_read_costs_the_same_with_ten_and_with_a_thousand_mailboxes(
    core: Parts, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = "/api/v2/tenants/acme/mailboxes"
    paths = [path for path in reads() if path not in (every, *LISTS_OF_CHANGES)]
    paths += [f"{path}?limit=3" for path in LISTS_OF_CHANGES]
    paths += [f"{every}?limit=9", f"{every}/m0@d0.acme.example"]
    await mailboxes(core, api, FEW)
    few = await costs(core, api, paths, monkeypatch)
    await mailboxes(core, api, MANY)
    many = await costs(core, api, paths, monkeypatch)
    grown = {
        path: (few[path], many[path])
        for path in paths
        if many[path].statements > few[path].statements
        or many[path].rows > few[path].rows
        or many[path].commands > few[path].commands
    }
    assert not grown


async def test_an_answer_of_the_plan_costs_one_statement_until_it_changes(
    core: Parts, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    [generation] = [path for path in PLAN if path == "/api/v2/domains"]
    await api("GET", generation)
    again = (await costs(core, api, [generation], monkeypatch))[generation]
    # Whose token it is, and what the rows stand at.
    assert (again.statements, again.rows) == (2, 2)
    assert (await api("PATCH", "/api/v2/tenants/acme", {"max_recipients": 7}))[0] == 200
    assert (await costs(core, api, [generation], monkeypatch))[generation].statements > 2


async def test_what_is_kept_is_what_would_be_read(core: Parts, api: Api) -> None:
    changes: list[tuple[str, str, Any]] = [
        ("PATCH", "/api/v2/tenants/acme", {"max_recipients": 9}),
        ("POST", "/api/v2/tenants/acme/pause", None),
        ("PATCH", "/api/v2/ips/192.0.2.1", {"quota": 77}),
        ("PUT", "/api/v2/tenants/acme/mailboxes/m0@d0.acme.example", {"daily_max": 3}),
        ("POST", "/api/v2/tenants/acme/networks", {"network": "198.51.100.0/24"}),
        ("POST", "/api/v2/pools", {"tenant": "acme", "name": "other"}),
        ("POST", "/api/v2/domains/d0.acme.example/rotation", {}),
        ("DELETE", "/api/v2/tenants/acme/mailboxes/m0@d0.acme.example", None),
    ]
    paths = []
    for path in sorted(PLAN):
        for name, value in GIVEN.items():
            path = path.replace(name, value)
        paths.append(path)
    by_hand = "UPDATE virtual_mta SET host_name = 'by.hand.example' WHERE host(ip) = '192.0.2.2'"
    assert core.settings.control.answers_kept
    for method, path, body in changes:
        for one in paths:
            assert (await api("GET", one))[0] == 200, one
        status, said = await api(method, path, body)
        assert status < 300, (path, said)
        await same(core, api, paths)
    await core.pool.execute("UPDATE dkim_rotation SET said = 'looked by hand'")
    await same(core, api, paths)
    await core.pool.execute(by_hand)
    await same(core, api, paths)


async def same(core: Parts, api: Api, paths: list[str]) -> None:
    """As who has kept nothing answers."""
    async with api_of(core) as fresh:
        for path in paths:
            kept, read = await api("GET", path), await fresh("GET", path)
            assert kept == read, path
