"""The audit log: who, from where, what; that it gives nothing back; how it is searched and taken
away."""

import csv
import datetime
import io
import urllib.parse
from typing import Any

import asyncpg
import msgspec
import pytest

from control.parts import Parts
from control.store.change import Act
from control.users.audit import forget, found_slowly
from control.users.token import new_token, put
from tests.support.control.core import Api, Command
from tests.support.control.people import PASSWORD, acting, joined, login

ACME = {"name": "acme", "login": "acme", "password": "correct horse"}


async def entries(api: Api, query: str = "", version: str = "v2") -> list[dict[str, Any]]:
    """Those of a question."""
    status, page = await api("GET", f"/api/{version}/audit?{query}")
    assert status == 200, page
    return page["entries"]  # type: ignore[index,no-any-return]


async def test_it_says_who_of_what_kind_and_from_where(api: Api, core: Parts) -> None:
    token = (await joined(core, api, "anna", "operator"))["access_token"]
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    assert (await api("POST", "/api/v2/tenants/acme/pause", token=token))[0] == 200
    [paused] = await entries(api, "action=tenant.pause")
    assert {k: paused[k] for k in ("who", "kind", "source", "subject")} == {
        "who": "anna",
        "kind": "user",
        "source": "127.0.0.1",
        "subject": "acme",
    }
    [added] = await entries(api, "action=tenant.add")
    assert (added["who"], added["kind"], added["source"]) == ("test", "token", "127.0.0.1")
    kinds = {e["action"]: (e["kind"], e["source"]) for e in await entries(api, "subject=anna")}
    assert kinds["user.add"] == ("command", "")
    assert kinds["session.begin"] == kinds["user.link"] == ("user", "127.0.0.1")
    for _ in range(5):
        await login(api, "anna", "a wrong pass phrase")
    [locked] = await entries(api, "action=user.locked")
    assert (locked["who"], locked["kind"], locked["source"]) == ("control", "control", "127.0.0.1")
    assert (await api("POST", "/api/v2/jobs/cleanup/run"))[0] == 200
    [run] = await entries(api, "action=job.run")
    assert (run["who"], run["kind"]) == ("test", "token")


async def test_a_part_of_ours_that_a_token_is_called_as_is_told_apart(
    api: Api, core: Parts
) -> None:
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, "warmup", made)
        await a.audit("test.act", "one")

    await core.publisher.change("warmup", act)
    assert (await api("POST", "/api/v2/tenants", ACME, token=made))[0] == 201
    kinds = {e["action"]: e["kind"] for e in await entries(api, "who=warmup")}
    assert kinds == {"test.act": "warm-up", "tenant.add": "token"}


async def test_one_connection_of_many_requests_mixes_nobody_up(api: Api, core: Parts) -> None:
    """What was said of the request before is not said of the next."""
    await joined(core, api, "anna")
    body = msgspec.json.encode({"name": "anna", "password": PASSWORD})
    for _ in range(2):
        assert (await api("POST", "/api/v2/tenants/none/pause"))[0] == 404
        async with api.session.post(f"{api.url}/api/v1/auth/login", data=body) as response:
            assert response.status == 200
    found = await entries(api, "action=session.begin")
    assert {(e["who"], e["kind"]) for e in found} == {("anna", "user")}


async def test_it_takes_rows_and_gives_none_back(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    for statement in (
        "UPDATE audit_log SET who = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="gives none back"):
            await core.pool.execute(statement)
    await core.pool.execute(
        "INSERT INTO audit_log (at, who, action, subject) SELECT now() - make_interval(days => d), "
        "'x', 'old', d::text FROM unnest(ARRAY[10, 40, 800]) d"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await core.pool.execute("DELETE FROM audit_log WHERE subject = '800'")
    now = datetime.datetime.now(datetime.UTC)
    assert await forget(core.pool, now - datetime.timedelta(days=730)) == 1
    assert {e["subject"] for e in await entries(api, "action=old")} == {"10", "40"}
    # Whatever is asked for, the last thirty days stay.
    assert await forget(core.pool, now) == 1
    assert {e["subject"] for e in await entries(api, "action=old")} == {"10"}
    async with core.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT set_config('sendgate.audit_before', (now() + interval '1 day')::text, true)"
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM audit_log WHERE subject = '10'")


async def test_secrets_are_masked(api: Api, core: Parts) -> None:
    async def act(a: Act) -> None:
        values = {"name": "x", "password": "hidden-1", "inner": [{"Api_Key": "hidden-2"}]}
        await a.audit("test.act", "x", {"secret": "hidden-3", "totp": None}, values)
        assert "hidden" not in str(a.differences)

    await acting(core, act)
    [found] = await entries(api, "action=test.act")
    assert found["after"] == {"name": "x", "password": "***", "inner": [{"Api_Key": "***"}]}
    assert found["before"] == {"secret": "***", "totp": None}
    tokens = await joined(core, api, "anna")
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    everything = str(await core.pool.fetch("SELECT a::text FROM audit_log a"))
    for secret in (PASSWORD, "correct horse", *map(str, tokens.values()), "sgl_", "$argon2"):
        assert secret in ("Bearer", "600") or secret not in everything, secret


async def test_it_is_searched(api: Api, core: Parts) -> None:
    token = (await joined(core, api, "anna"))["access_token"]
    assert (await api("POST", "/api/v2/tenants", ACME, token=token))[0] == 201

    async def act(a: Act) -> None:
        await a.audit("test.act", "x", reason="asked by the Customer")

    await acting(core, act)
    for query, wanted in (
        ("kind=user&action=tenant", {"tenant.add"}),
        ("kind=token&action=tenant", set()),
        ("source=127.0.0.1&who=anna&action=tenant", {"tenant.add"}),
        ("source=192.0.2.1", set()),
        ("text=CUSTOMER", {"test.act"}),
        ("kind=command&action=test", {"test.act"}),
        ("text=%25", set()),
        ("until=2020-01-01", set()),
        ("until=2999-01-01&action=tenant.add", {"tenant.add"}),
    ):
        for version in ("v1", "v2"):
            found = {e["action"] for e in await entries(api, query, version)}
            assert found == wanted, query
    assert (await api("GET", "/api/v2/audit?kind=king"))[0] == 400


async def test_it_is_exported_whole_and_no_cell_is_a_formula(
    api: Api, core: Parts, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is asked for at a time: three parts have the five.
    monkeypatch.setattr("control.terminal.parts.PART", 2)

    async def act(a: Act) -> None:
        for at in range(5):
            await a.audit("test.act", f"=HYPERLINK({at})", None, {"n": at}, "+1, and more")

    await acting(core, act)
    text = await command("audit", "list", "--action", "test", "--all", "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["subject"] for row in rows] == [f"'=HYPERLINK({at})" for at in (4, 3, 2, 1, 0)]
    assert {row["reason"] for row in rows} == {"'+1, and more"}
    assert (rows[0]["after"], rows[0]["kind"], rows[0]["before"]) == ('{"n":4}', "command", "")
    words = ("audit", "list", "--action", "test", "--all", "--json")
    page = msgspec.json.decode(await command(*words))
    assert (len(page["entries"]), page["before"]) == (5, None)
    # Each filter is an option, whatever it is called.
    words = ("--kind", "command", "--source", "x", "--until", "2999-01-01", "--text", "x")
    assert "test.act" not in await command("audit", "list", *words)
    assert "test.act" in await command("audit", "list", "--kind", "command")


async def test_it_is_searched_by_whose_it_is_and_a_tenant_sees_its_own_alone(
    api: Api, core: Parts
) -> None:
    for number, name in enumerate(("acme", "globex"), start=1):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        added = {"tenant": name, "domain": f"{name}.example", "ip": f"192.0.2.{number}", "quota": 5}
        assert (await api("POST", "/api/v2/domains", added))[0] == 201
        assert (await api("PATCH", f"/api/v2/ips/192.0.2.{number}", {"quota": 9}))[0] == 200
        assert (await api("POST", f"/api/v2/pools/{name}/pause"))[0] == 200
        path = f"/api/v2/tenants/{name}/mailboxes/a@{name}.example"
        assert (await api("PUT", path, {"daily_max": 5}))[0] == 200
        assert (await api("DELETE", path))[0] == 200
        gone = f"/api/v2/domains/{name}.example"
        assert (await api("DELETE", gone))[0] == 200
    wanted = ["tenant.add", "domain.add", "ip.set", "pool.pause", "mailbox.set", "mailbox.remove"]
    wanted.append("domain.remove")
    of_acme = await entries(api, "tenant=acme")
    assert [e["action"] for e in reversed(of_acme)] == wanted
    assert {e["tenant"] for e in of_acme} == {"acme"}
    number = (await api("GET", "/api/v2/tenants/acme"))[1]["id"]  # type: ignore[index]
    assert await entries(api, f"tenant={number}") == of_acme, "its number is its name"
    own = (await joined(core, api, "anna", "operator", ("acme",)))["access_token"]
    status, page = await api("GET", "/api/v2/audit", token=own)
    assert isinstance(page, dict)
    assert status == 200
    seen = page["entries"]
    assert [e["id"] for e in seen] == [e["id"] for e in of_acme]
    assert {e["source"] for e in seen} == {""}, "addresses of who runs us are not for it"
    assert (await api("GET", "/api/v2/audit?tenant=globex", token=own))[0] == 404
    assert (await api("GET", "/api/v2/audit?source=127.0.0.1", token=own))[0] == 400
    status, page = await api("GET", "/api/v2/audit?text=globex", token=own)
    assert (status, page["entries"]) == (200, [])  # type: ignore[index,call-overload]
    async with core.pool.acquire() as connection:
        await connection.execute("UPDATE tenant SET created = now() + interval '1 hour'")
    status, page = await api("GET", "/api/v2/audit", token=own)
    assert (status, page["entries"]) == (200, []), "rows of a former one of its name"  # type: ignore[index,call-overload]


async def test_a_text_is_found_by_an_index_where_there_is_one_and_without(
    api: Api, core: Parts
) -> None:
    async with core.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO audit_log (at, who, action, subject, after) SELECT now(), 'x', 'test.act',"
            " 'subject ' || n, jsonb_build_object('value', md5(n::text))"
            " FROM generate_series(1, 50000) n"
        )
        await connection.execute(
            "INSERT INTO audit_log (at, who, action, subject, after)"
            " VALUES (now(), 'x', 'test.act', 'rare', '{\"value\": \"100%_\\\\\\\\Ünder\"}')"
        )
        await connection.execute("VACUUM ANALYZE audit_log")
    for _ in range(2):
        for text in ("100%_", "RARE", "%_", "ünder", "value: x", "_\\"):
            found = await entries(api, urllib.parse.urlencode({"text": text, "limit": 9}))
            assert [e["subject"] for e in found] == ([] if ":" in text else ["rare"]), text
        warned = bool(await found_slowly(core.pool))
        async with core.pool.acquire() as connection:
            there = await connection.fetchval("SELECT to_regclass('audit_log_text') IS NOT NULL")
            assert warned != there
            await connection.execute("DROP INDEX IF EXISTS audit_log_text")
