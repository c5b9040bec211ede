"""Views read the rows of what they show, and long lists come in pages."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from control.plan import rows
from tests.conftest import CreateDatabase
from tests.support.control.core import (
    TOKEN,
    Api,
    Command,
    api_of,
    build,
    control_core,
    settings_for,
)


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    settings = settings_for(await create_database("control", build), valkey_url)
    async with control_core(settings) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        for number, name in enumerate(("acme", "acme-two", "Globex")):
            new = {"name": name, "login": f"{name}-in", "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
            for ip in range(2):
                added = {"tenant": name, "domain": f"d{ip}.{name.lower()}.example", "quota": 5}
                added["ip"] = f"192.0.2.{10 * number + ip + 1}"
                assert (await opened("POST", "/api/v2/domains", added))[0] == 201
        for user in "cab":
            path = f"/api/v2/tenants/acme/mailboxes/{user}@d0.acme.example"
            assert (await opened("PUT", path, {"daily_max": 5}))[0] == 200
        yield opened


LISTS: list[tuple[str, Any]] = [
    ("/api/v2/tenants?", lambda v: v["name"]),
    ("/api/v2/pools?", lambda v: v["name"]),
    ("/api/v2/ips?", lambda v: v["vmta"]),
    ("/api/v2/ips?tenant=acme&", lambda v: v["vmta"]),
    ("/api/v2/domains?", lambda v: f"{v['tenant']}/{v['domain']}"),
    ("/api/v2/domains?tenant=acme&", lambda v: f"{v['tenant']}/{v['domain']}"),
    ("/api/v2/tenants/acme/mailboxes?", lambda v: v["address"]),
]


async def test_pages_make_the_whole_list(api: Api) -> None:
    for path, key in LISTS:
        status, whole = await api("GET", path)
        assert (status, len(whole) > 1) == (200, True), path
        found: list[Any] = []
        after = ""
        while True:
            _, part = await api("GET", f"{path}limit=1{after}")
            if not part:
                break
            assert len(part) == 1, path
            found += part
            after = f"&after={key(part[0])}"
        assert found == whole, path


async def test_the_use_of_today_comes_in_parts_of_ips(api: Api, core: Parts) -> None:
    """Each with all its rows; an IP that gateways do not know of yet shortens no part."""
    status, _ = await api("PATCH", "/api/v2/ips/192.0.2.2", {"ceilings": {"gmail": 2, "yahoo": 1}})
    assert status == 200
    async with core.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO virtual_mta (name, tenant, ip, host_name, server, state, quota_source, "
            "fixed_quota, hourly_share, created) SELECT 'vmta-192-0-2-1x', tenant, '192.0.2.99', "
            "'x.example', server, 'active', 'fixed', 5, hourly_share, created "
            "FROM virtual_mta LIMIT 1"
        )
    _, whole = await api("GET", "/api/v2/quota")
    assert len({row["vmta"] for row in whole}) == 6
    assert len(whole) == 8, "one IP has two ceilings"
    found: list[Any] = []
    after = ""
    for size in (2, 2, 2, 0):
        _, part = await api("GET", f"/api/v2/quota?limit=2{after}")
        names = list(dict.fromkeys(row["vmta"] for row in part))
        assert len(names) == size
        found += part
        after = f"&after={names[-1]}" if names else ""
    assert found == whole


async def test_a_page_that_nobody_can_mean_is_refused(api: Api) -> None:
    for limit in ("0", "1001", "-1", "x", "١"):
        status, refused = await api("GET", f"/api/v2/ips?limit={limit}")
        assert (status, "limit" in refused["detail"]) == (400, True), limit


async def test_a_command_lists_through_all_pages(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    monkeypatch.setattr("control.terminal.client.PART", 1)
    command = Command(api, capsys)
    for words, seen in (
        (("tenant", "list"), "Globex"),
        (("ip", "list"), "192.0.2.22"),
        (("domain", "list"), "d1.globex.example"),
        (("pool", "list"), "acme-two"),
        (("mailbox", "list", "--tenant", "acme"), "c@d0.acme.example"),
        (("quota",), "192.0.2.22"),
    ):
        assert seen in await command(*words)


async def test_no_route_and_no_change_reads_all_rows(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor mailboxes that it does not show."""
    asked: list[tuple[Any, ...]] = []
    fetch = rows.fetch

    async def watched(connection: Any, kind: Any, statement: str, *values: Any) -> Any:
        asked.append((kind.__name__, *values))
        return await fetch(connection, kind, statement, *values)

    async def refused(_: Any) -> Any:
        raise AssertionError("all rows are read")

    monkeypatch.setattr(rows, "fetch", watched)
    monkeypatch.setattr(rows, "read", refused)
    one, mailbox = "/api/v2/tenants/acme", "/api/v2/tenants/acme/mailboxes/a@d0.acme.example"
    for method, path, body in (
        ("GET", one, None),
        ("PATCH", one, {"max_recipients": 7, "hold_age": 3600.0}),
        ("POST", f"{one}/pause", None),
        ("POST", f"{one}/password", {"login": "acme-in", "password": "battery staple"}),
        ("PUT", mailbox, {"daily_max": 9}),
        ("GET", "/api/v2/ips/192.0.2.1", None),
        ("PATCH", "/api/v2/ips/192.0.2.1", {"quota": 9}),
        ("GET", "/api/v2/domains/d0.acme.example", None),
        ("GET", "/api/v2/domains?tenant=acme", None),
        ("GET", "/api/v2/ips?tenant=acme", None),
        ("GET", "/api/v2/quota?tenant=acme", None),
        ("GET", "/api/v2/quota", None),
        ("GET", "/api/v2/pools/acme", None),
        ("POST", "/api/v2/pools/acme/pause", None),
        ("POST", "/api/v2/domains", {"tenant": "acme", "domain": "x.example", "ip": "192.0.2.9"}),
        ("GET", "/api/v2/hold?tenant=acme", None),
        ("GET", "/api/v2/hold/forecast?tenant=acme", None),
        ("GET", "/api/v2/hold/shortfall?tenant=acme", None),
        ("GET", "/api/v2/hold/requests?tenant=acme", None),
        ("GET", "/api/v2/servers/pmta1", None),
    ):
        asked.clear()
        status, answer = await api(method, path, body)
        assert status in (200, 201), (path, answer)
        for noun, *values in asked:
            few = noun == "StageRow" or any(value for value in values)
            assert few, f"{method} {path} reads all of {noun}"
    asked.clear()
    await api("GET", one)
    assert not any(noun == "MailboxRow" for noun, *_ in asked)
