"""A number beside each name: given once, in order, and taken wherever the name is."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from control.store.migrate import migrate
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

ACME = {"name": "acme", "login": "acme", "password": "correct horse"}
OTHER = {"name": "other", "login": "other", "password": "correct horse"}
DOMAIN = {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.10", "quota": 3}

NUMBERED = ("tenant", "pool", "virtual_mta", "sending_domain", "pmta_server", "warmup_plan")


@pytest.fixture
async def api(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Api]:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as core, api_of(core) as opened:
        yield opened


async def test_rows_that_were_there_are_numbered_by_age_then_name(postgres_url: str) -> None:
    await migrate(postgres_url, to="0013")
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(_OLD)
        await migrate(postgres_url)
        for table, names in {
            "tenant": ["z", "a", "b"],
            "pool": ["z", "a", "b"],
            "pmta_server": ["p2", "p1"],
            "virtual_mta": ["v2", "v1"],
            "warmup_plan": ["slow"],
        }.items():
            found = await connection.fetch(f"SELECT name, id FROM {table} ORDER BY id")
            assert [tuple(r) for r in found] == [(n, i) for i, n in enumerate(names, 1)], table
        domains = await connection.fetch("SELECT domain FROM sending_domain ORDER BY id")
        assert [r["domain"] for r in domains] == ["z.example", "a.example"]
        boxes = await connection.fetch("SELECT address, id FROM mailbox ORDER BY id")
        assert [tuple(r) for r in boxes] == [("a@x.example", 1), ("b@x.example", 2)]
        # And the next comes after them.
        await connection.execute(
            "INSERT INTO mailbox (tenant, address) VALUES ('a', 'c@x.example')"
        )
        await connection.execute(
            "INSERT INTO pmta_server (name, created) VALUES ('p3', '2026-01-01')"
        )
        assert await connection.fetchval("SELECT max(id) FROM mailbox") == 3
        assert await connection.fetchval("SELECT max(id) FROM pmta_server") == 3
    finally:
        await connection.close()


_OLD = """
BEGIN;
INSERT INTO tenant (name, profile, default_pool, created) VALUES
    ('b', 'mta', 'b', '2026-01-02'), ('a', 'mta', 'a', '2026-01-02'),
    ('z', 'mta', 'z', '2026-01-01');
INSERT INTO pool (name, tenant, created) VALUES
    ('b', 'b', '2026-01-02'), ('a', 'a', '2026-01-02'), ('z', 'z', '2026-01-01');
COMMIT;
INSERT INTO pmta_server (name, created) VALUES ('p1', '2026-01-02'), ('p2', '2026-01-01');
INSERT INTO virtual_mta (name, tenant, ip, host_name, server, state, hourly_share, created) VALUES
    ('v1', 'a', '192.0.2.1', 'v1.example', 'p1', 'new', 1, '2026-01-03'),
    ('v2', 'a', '192.0.2.2', 'v2.example', 'p1', 'new', 1, '2026-01-02');
INSERT INTO sending_domain
    (tenant, domain, pool, dkim_selector, dkim_public, dkim_private, created) VALUES
    ('a', 'a.example', 'a', 's', 'p', '', '2026-01-03'),
    ('a', 'z.example', 'a', 's', 'p', '', '2026-01-02');
INSERT INTO warmup_plan (name, created) VALUES ('slow', '2026-01-01');
INSERT INTO mailbox (tenant, address) VALUES ('a', 'b@x.example'), ('a', 'a@x.example');
"""


async def test_the_first_tenant_is_1_and_the_second_2_whatever_was_tried_between(api: Api) -> None:
    assert (await api("POST", "/api/v2/tenants?dry_run=1", ACME))[0] == 201
    _, first = await api("POST", "/api/v2/tenants", ACME)
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 409
    _, second = await api("POST", "/api/v2/tenants", OTHER)
    assert (first["view"]["id"], second["view"]["id"]) == (1, 2)
    assert [p["id"] for p in first["view"]["pools"] + second["view"]["pools"]] == [1, 2]
    # A server that is set again is the same one.
    again = {"name": "pmta1", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await api("POST", "/api/v2/servers", again))[0] == 200
    again["name"] = "pmta2"
    assert (await api("POST", "/api/v2/servers", again))[0] == 200
    _, servers = await api("GET", "/api/v2/servers")
    assert [(s["name"], s["id"]) for s in servers] == [("pmta1", 1), ("pmta2", 2)]


async def _filled(api: Api) -> dict[str, Any]:
    await api("POST", "/api/v2/tenants", OTHER)
    await api("POST", "/api/v2/tenants", ACME)
    status, added = await api("POST", "/api/v2/domains", DOMAIN)
    assert status == 201, added
    status, box = await api("PUT", "/api/v2/tenants/acme/mailboxes/a@example.com", {"spacing": 1})
    assert status == 200
    _, ips = await api("GET", "/api/v2/ips")
    return {"domain": added["view"]["id"], "mailbox": box["view"]["id"], "ip": ips[0]["id"]}


async def test_paths_queries_and_bodies_take_the_number_where_they_take_the_name(api: Api) -> None:
    ids = await _filled(api)
    for by_id, by_name in {
        "/api/v2/tenants/2": "/api/v2/tenants/acme",
        "/api/v2/tenants/2/mailboxes": "/api/v2/tenants/acme/mailboxes",
        f"/api/v2/ips/{ids['ip']}": "/api/v2/ips/192.0.2.10",
        f"/api/v1/ips/{ids['ip']}": "/api/v2/ips/vmta-192-0-2-10",
        f"/api/v2/domains/{ids['domain']}": "/api/v2/domains/example.com",
        f"/api/v2/domains/{ids['domain']}?tenant=2": "/api/v2/domains/example.com?tenant=acme",
        "/api/v2/domains?tenant=2": "/api/v2/domains?tenant=acme",
        "/api/v2/ips?tenant=2": "/api/v2/ips?tenant=acme",
        "/api/v2/hold?tenant=2": "/api/v2/hold?tenant=acme",
    }.items():
        status, found = await api("GET", by_id)
        assert status == 200, (by_id, found)
        named = (await api("GET", by_name))[1]
        if "today" not in named and "total" not in named:
            assert found == named, by_id
    assert (await api("GET", "/api/v2/domains/1?tenant=1"))[0] == 404, "another tenant's"
    assert (await api("GET", "/api/v2/tenants/3"))[0] == 404
    path = f"/api/v2/tenants/2/mailboxes/{ids['mailbox']}"
    _, box = await api("PUT", path, {"spacing": 2})
    assert (box["view"]["address"], box["view"]["id"]) == ("a@example.com", ids["mailbox"])
    _, set_ = await api("PATCH", f"/api/v2/ips/{ids['ip']}", {"weight": 2})
    assert set_["view"]["ip"] == "192.0.2.10"
    more = {"tenant": "2", "domain": "b.example", "ip": "192.0.2.11", "server": "1", "pool": "2"}
    _, added = await api("POST", "/api/v2/domains", more)
    assert (added["view"]["tenant"], added["view"]["pool"]) == ("acme", "acme")
    assert (await api("POST", "/api/v2/pools/2/pause"))[1]["view"]["name"] == "acme"
    question = {"tenant": "2", "from": "a@example.com", "to": "x@gmail.com"}
    assert (await api("POST", "/api/v2/explain", question))[1]["pool"] == "acme"
    order = {"tenant": "2", "action": "pause"}
    status, asked = await api("POST", "/api/v2/hold/requests", order)
    assert (status, asked["request"]["tenant"]) == (202, "acme")


async def test_a_body_takes_the_number_as_a_number_of_json(api: Api) -> None:
    """As callers have it who keep ids as integers; 2.0 is what some languages write for 2."""
    await _filled(api)
    more = {"tenant": 2, "domain": "b.example", "ip": "192.0.2.11", "server": 1, "pool": 2.0}
    status, added = await api("POST", "/api/v2/domains", more)
    assert (status, added["view"]["tenant"], added["view"]["pool"]) == (201, "acme", "acme")
    new = {"name": "fast", "tenant": 2, "overflow": 2}
    status, pool = await api("POST", "/api/v2/pools", new)
    assert (status, pool["view"]["tenant"], pool["view"]["overflow"]) == (201, "acme", "acme")
    question = {"tenant": 2, "from": "a@example.com", "to": "x@gmail.com"}
    assert (await api("POST", "/api/v2/explain", question))[1]["pool"] == "acme"
    order = {"tenant": 2, "action": "pause"}
    status, asked = await api("POST", "/api/v2/hold/requests", order)
    assert (status, asked["request"]["tenant"]) == (202, "acme")
    status, gone = await api("POST", "/api/v2/suppressions", {"tenant": 2, "address": "b@b.de"})
    assert (status, gone["suppression"]["tenant"]) == (200, "acme")
    status, made = await api(
        "POST", "/api/v2/tokens", {"name": "t", "scope": "read", "tenants": [2]}
    )
    assert (status, made["terms"]["tenants"]) == (201, ["acme"])
    status, made = await api("PATCH", "/api/v2/tokens/t", {"tenants": [1, "acme"]})
    assert (status, made["view"]["tenants"]) == (200, ["acme", "other"])
    rows = [{"tenant": 2, "domain": "example.com", "ip": "192.0.2.10", "stage": 1}]
    status, taken = await api("POST", "/api/v2/warmup/import", {"rows": rows})
    assert (status, taken["view"][0]["tenant"]) == (200, "acme")
    one = {"name": "one", "scope": "operate", "tenants": [1]}
    _, made = await api("POST", "/api/v2/tokens", one)
    own = {"token": made["token"]}
    pause = {"tenant": 2, "action": "pause"}
    assert (await api("POST", "/api/v2/hold/requests", pause, **own))[0] == 404, "not its tenant"
    status, asked = await api("POST", "/api/v2/hold/requests", {**pause, "tenant": 1}, **own)
    assert (status, asked["request"]["tenant"]) == (202, "other")


@pytest.mark.parametrize("wrong", [0, -1, True, 2.5, 10**18, [2], {"id": 2}])
async def test_what_is_no_number_of_a_thing_is_refused(api: Api, wrong: Any) -> None:
    status, refused = await api("POST", "/api/v2/pools", {"name": "fast", "tenant": wrong})
    assert (status, refused["errors"][0]["field"]) == (400, "tenant")


async def test_the_document_says_of_numbers_in_bodies_and_not_in_answers(api: Api) -> None:
    _, document = await api("GET", "/api/openapi.json")
    schemas = document["components"]["schemas"]
    number = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
    for kind, field in (("NewPool", "tenant"), ("NewDomain", "pool"), ("TakenRow", "tenant")):
        either = schemas[kind]["properties"][field]["anyOf"]
        assert any(number.items() <= one.items() for one in either), (kind, field)
    for kind, field in (("IpView", "tenant"), ("DomainView", "pool"), ("TakenView", "tenant")):
        assert "integer" not in str(schemas[kind]["properties"][field]), (kind, field)


async def test_a_pool_of_another_tenant_is_not_found_by_its_number(api: Api) -> None:
    await _filled(api)
    body = {"tenant": "acme", "domain": "b.example", "ip": "192.0.2.11", "pool": "1"}
    status, refused = await api("POST", "/api/v2/domains", body)
    assert status == 400
    assert "read as an id" in refused["detail"], "1 is the pool of tenant other"


async def test_new_names_of_digits_are_refused_and_an_old_one_means_what_it_meant(
    create_database: CreateDatabase, valkey_url: str
) -> None:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as core, api_of(core) as api:
        for path, body in (
            ("/api/v2/tenants", {**ACME, "name": "7"}),
            ("/api/v2/servers", {"name": "7", "addresses": [{"host": "h", "port": 25}]}),
        ):
            status, refused = await api("POST", path, body)
            assert (status, "read as an id" in refused["detail"]) == (400, True), refused
        await api("POST", "/api/v2/tenants", OTHER)
        async with core.pool.acquire() as connection, connection.transaction():
            # As an earlier version took it.
            await connection.execute(
                "INSERT INTO tenant (name, profile, default_pool, created) "
                "VALUES ('1', 'mta', '1', '2026-01-01')"
            )
            await connection.execute(
                "INSERT INTO pool (name, tenant, created) VALUES ('1', '1', '2026-01-01')"
            )
        assert (await api("GET", "/api/v2/tenants/1"))[1]["name"] == "1", "not tenant other"
        assert (await api("GET", "/api/v2/tenants/2"))[1]["name"] == "1"
        body = {**DOMAIN, "tenant": "other", "vmta": "7"}
        assert "read as an id" in (await api("POST", "/api/v2/domains", body))[1]["detail"]


async def test_the_command_takes_and_shows_the_number(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    await _filled(api)
    added = await sendgate(
        *("domain", "add", "--tenant", "2", "--domain", "c.example", "--ip", "192.0.2.12")
    )
    assert "domain c.example on" in added
    assert "c.example" in await sendgate("domain", "list", "--tenant", "2")
    assert "c.example" not in await sendgate("domain", "list", "--tenant", "1")
    assert "id" in (await sendgate("tenant", "list")).splitlines()[1]
    assert "IP 192.0.2.12 paused" in await sendgate("ip", "pause", "2")
