"""A POST with an `Idempotency-Key` that comes twice is done once, and answered the same."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from control.api.keyed import KEYED, UNKEYED
from control.app import routes
from control.parts import Parts
from control.store import once
from tests.support.control.core import TOKEN, Api

Answer = tuple[int, dict[str, str], bytes]
TENANT = {"name": "acme", "login": "acme", "password": "correct horse"}


async def post(api: Api, path: str, body: Any = None, key: str = '"k"') -> Answer:
    """(status, headers but those of the moment, body)."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
    data = None if body is None else msgspec.json.encode(body)
    async with api.session.post(api.url + path, data=data, headers=headers) as response:
        moment = {"date", "x-request-id"}
        kept = {n: text for n, text in response.headers.items() if n.lower() not in moment}
        return response.status, kept, await response.read()


async def rows(core: Parts) -> list[Any]:
    return list(await core.pool.fetch("SELECT * FROM request_once"))


def test_each_post_takes_a_key_or_says_why_not(core: Parts) -> None:
    posts = {route.path for route in routes(core) if route.method == "POST"}
    assert posts == KEYED | UNKEYED.keys()
    assert not KEYED & UNKEYED.keys()


TAKEN = """
<virtual-mta taken>
  smtp-source-host 192.0.2.13 taken.example
  domain-key taken,taken.example,/etc/pmta/taken.pem
</virtual-mta>
"""
"""PowerMTA's own configuration."""

BODIES: dict[str, tuple[str, Any]] = {
    "/api/v2/tenants": ("/api/v2/tenants", TENANT | {"name": "second", "login": "second"}),
    "/api/v2/tenants/{tenant}/logins": (
        "/api/v2/tenants/acme/logins",
        {"login": "second", "password": "correct horse"},
    ),
    "/api/v2/tenants/{tenant}/networks": (
        "/api/v2/tenants/acme/networks",
        {"network": "198.51.100.0/24"},
    ),
    "/api/v2/tenants/{tenant}/mailboxes/import": (
        "/api/v2/tenants/acme/mailboxes/import",
        {"csv": "address,daily_max\na@acme.example,5\n"},
    ),
    "/api/v2/domains": (
        "/api/v2/domains",
        {"tenant": "acme", "domain": "new.example", "ip": "192.0.2.11"},
    ),
    "/api/v2/domains/{domain}/rotation/finish": (
        "/api/v2/domains/old.example/rotation/finish",
        None,
    ),
    "/api/v2/domains/{domain}/rotation": ("/api/v2/domains/acme.example/rotation", {}),
    "/api/v2/tenants/{tenant}/login/rotation": (
        "/api/v2/tenants/acme/login/rotation?login=acme",
        {"password": "its next password"},
    ),
    "/api/v2/tenants/{tenant}/login/rotation/finish": (
        "/api/v2/tenants/acme/login/rotation/finish?login=two",
        None,
    ),
    "/api/v2/pools": ("/api/v2/pools", {"tenant": "acme", "name": "second"}),
    "/api/v2/hold/requests": ("/api/v2/hold/requests", {"tenant": "acme", "action": "pause"}),
    "/api/v2/hold/forget": ("/api/v2/hold/forget", {"recipient": "x@gmail.com"}),
    "/api/v2/suppressions": ("/api/v2/suppressions", {"address": "x@gmail.com"}),
    "/api/v2/suppressions/import": (
        "/api/v2/suppressions/import",
        {"rows": [{"address": "y@gmail.com"}]},
    ),
    "/api/v2/warmup/plans": (
        "/api/v2/warmup/plans",
        {"name": "steady", "quotas": [100, 300], "days": 2},
    ),
    "/api/v2/warmup/import": (
        "/api/v2/warmup/import",
        {"rows": [{"tenant": "acme", "domain": "came.example", "ip": "192.0.2.12", "stage": 2}]},
    ),
    "/api/v2/powermta/import": (
        "/api/v2/powermta/import",
        {
            "files": [{"name": "config", "text": TAKEN}],
            "main": ["config"],
            "tenant": "acme",
            "new_keys": True,
        },
    ),
    "/api/v2/warmup/ips/{ip}": (
        "/api/v2/warmup/ips/192.0.2.10",
        {"action": "pause", "reason": "r"},
    ),
    "/api/v2/servers": (
        "/api/v2/servers",
        {"name": "pmta2", "addresses": [{"host": "127.0.0.2", "port": 25}]},
    ),
    "/api/v2/generation": ("/api/v2/generation", None),
    "/api/v2/jobs/{job}/run": ("/api/v2/jobs/cleanup/run", None),
    "/api/v2/accounting/imports": (
        "/api/v2/accounting/imports",
        {"name": "acct.csv", "size": 10, "digest": "0" * 32, "server": "pmta1"},
    ),
}


FOUND = "/api/v2/accounting/imports"
"""What it began is found by its digest: it commits no answer."""


def test_each_that_takes_a_key_is_asked_twice() -> None:
    assert BODIES.keys() == KEYED


@pytest.fixture
async def acme(api: Api, core: Parts) -> None:
    """With a domain, one whose former DKIM key may go, and a login with a former password."""
    assert (await api("POST", "/api/v2/tenants", TENANT))[0] == 201
    for name in ("acme.example", "old.example"):
        domain = {"tenant": "acme", "domain": name, "ip": "192.0.2.10"}
        assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    assert (await api("POST", "/api/v2/domains/old.example/rotation", {}))[0] == 201
    await core.pool.execute("UPDATE dkim_rotation SET seen = 0, switched = 0")
    two = {"login": "two", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants/acme/logins", two))[0] == 201
    rotation = "/api/v2/tenants/acme/login/rotation?login=two"
    assert (await api("POST", rotation, {"password": "its next password"}))[0] == 201


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("path", sorted(BODIES))
async def test_the_second_is_answered_as_the_first_and_makes_nothing(
    api: Api, core: Parts, path: str
) -> None:
    asked, body = BODIES[path]
    first = await post(api, asked, body)
    assert 200 <= first[0] < 300, first[2]
    audited = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    number = await core.admin.number()
    assert await post(api, asked, body) == first
    assert await post(api, asked, body, "k") == first, "the same key, bare"
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == audited
    assert await core.admin.number() == number


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("path", sorted(BODIES.keys() - {FOUND}))
async def test_what_was_committed_is_answered_though_nobody_lived_to_answer_it(
    api: Api, core: Parts, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is committed with the change, not behind it."""

    async def died(*_: object) -> None:
        return None

    monkeypatch.setattr(once.Once, "finish", died)
    asked, body = BODIES[path]
    first = await post(api, asked, body)
    assert 200 <= first[0] < 300, first[2]
    audited = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    number = await core.admin.number()
    second = await post(api, asked, body)
    assert second[0] == first[0], second[2]
    assert msgspec.json.decode(second[2]).keys() == msgspec.json.decode(first[2]).keys()
    assert await post(api, asked, body) == second
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == audited
    assert await core.admin.number() == number


async def test_the_status_is_that_of_then(api: Api, core: Parts) -> None:
    first = await post(api, "/api/v2/tenants", TENANT)
    # A version that answered this route otherwise.
    await core.pool.execute("UPDATE request_once SET status = 200")
    second = await post(api, "/api/v2/tenants", TENANT)
    assert (first[0], second[0], second[2]) == (201, 200, first[2])


async def test_nothing_of_an_answer_lies_in_the_table_in_clear(api: Api, core: Parts) -> None:
    assert (await post(api, "/api/v2/tenants", TENANT))[0] == 201
    [row] = await rows(core)
    assert row["answer"]
    assert not any(b"acme" in value for value in row.values() if isinstance(value, bytes))


async def test_another_request_under_the_key_is_refused(api: Api) -> None:
    first = await post(api, "/api/v2/tenants", TENANT)
    other = await post(api, "/api/v2/tenants", TENANT | {"name": "other", "login": "other"})
    assert other[0] == 422
    assert (await post(api, "/api/v2/pools", {"tenant": "acme", "name": "p"}))[0] == 422
    assert await post(api, "/api/v2/tenants", TENANT) == first
    assert (await api("GET", "/api/v2/tenants/other"))[0] == 404


async def test_a_refusal_frees_its_key(api: Api, core: Parts) -> None:
    pool = {"tenant": "acme", "name": "p"}
    assert (await post(api, "/api/v2/pools", pool))[0] in (400, 404)
    assert await rows(core) == []
    assert (await api("POST", "/api/v2/tenants", TENANT))[0] == 201
    assert (await post(api, "/api/v2/pools", pool))[0] == 201


async def test_a_dry_run_is_not_kept(api: Api, core: Parts) -> None:
    status, _, body = await post(api, "/api/v2/tenants?dry_run=1", TENANT)
    assert (status, msgspec.json.decode(body)["dry_run"]) == (201, True)
    assert await rows(core) == []
    assert (await post(api, "/api/v2/tenants", TENANT))[0] == 201


@pytest.mark.parametrize("key", ["", '""', "k" * 256, '"k', "two words", "kä"])
async def test_a_key_that_is_none_is_refused(api: Api, core: Parts, key: str) -> None:
    status, _, body = await post(api, "/api/v2/tenants", TENANT, key)
    assert status == 400
    assert msgspec.json.decode(body)["errors"][0]["field"] == "Idempotency-Key"
    assert await rows(core) == []


@pytest.mark.usefixtures("acme")
async def test_a_path_that_keeps_no_key_says_so(api: Api) -> None:
    assert (await post(api, "/api/v2/tenants/acme/pause"))[0] == 400


@asynccontextmanager
async def held_up(core: Parts) -> Any:
    """Nobody changes the plan."""
    async with core.publisher.last():
        yield


@pytest.mark.usefixtures("acme")
async def test_of_two_at_once_one_is_done(api: Api, core: Parts) -> None:
    pool = {"tenant": "acme", "name": "p"}
    async with held_up(core):
        first = asyncio.create_task(post(api, "/api/v2/pools", pool))
        async with asyncio.timeout(5):
            while not await rows(core):
                await asyncio.sleep(0.01)
        status, headers, _ = await post(api, "/api/v2/pools", pool)
        assert status == 409
        assert 0 < int(headers["Retry-After"]) <= core.settings.control.idempotency_running
    done = await first
    assert done[0] == 201
    assert await post(api, "/api/v2/pools", pool) == done


@pytest.mark.usefixtures("acme")
async def test_who_took_too_long_commits_nothing(api: Api, core: Parts) -> None:
    pool = {"tenant": "acme", "name": "p"}
    async with held_up(core):
        first = asyncio.create_task(post(api, "/api/v2/pools", pool))
        async with asyncio.timeout(5):
            while not await rows(core):
                await asyncio.sleep(0.01)
        await core.pool.execute("UPDATE request_once SET until = now() - interval '1 s'")
        second = asyncio.create_task(post(api, "/api/v2/pools", pool))
        [row] = await rows(core)
        async with asyncio.timeout(5):
            while (await rows(core))[0]["claim"] == row["claim"]:
                await asyncio.sleep(0.01)
    answers = await asyncio.gather(first, second)
    assert sorted(status for status, *_ in answers) == [201, 409]
    assert await core.pool.fetchval("SELECT count(*) FROM pool WHERE name = 'p'") == 1


async def test_what_is_old_is_done_again_and_swept(api: Api, core: Parts) -> None:
    assert (await post(api, "/api/v2/tenants", TENANT))[0] == 201
    await core.pool.execute("UPDATE request_once SET at = now() - interval '25 hours'")
    assert (await post(api, "/api/v2/tenants", TENANT))[0] == 409, "there is one already"
    await core.pool.execute("UPDATE request_once SET at = now() - interval '25 hours'")
    await once.sweep(core.pool, core.settings.control.idempotency_kept)
    assert await rows(core) == []


async def test_a_holder_has_so_many_keys(api: Api, core: Parts) -> None:
    most = core.settings.control.idempotency_most
    await core.pool.execute(
        "INSERT INTO request_once SELECT 'token test', convert_to(n::text, 'UTF8'), '', '', now() "
        "- interval '23 h' - n * interval '1 ms', now() FROM generate_series(1, $1::int) AS n",
        most,
    )
    status, headers, _ = await post(api, "/api/v2/tenants", TENANT)
    assert status == 429
    assert 3500 < int(headers["Retry-After"]) < 3600, "when the oldest of them is free"
    await core.pool.execute("UPDATE request_once SET holder = 'token other'")
    assert (await post(api, "/api/v2/tenants", TENANT))[0] == 201


async def test_the_document_says_which(api: Api) -> None:
    status, document = await api("GET", "/api/openapi.json")
    assert status == 200
    assert isinstance(document, dict)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            named = {one["name"] for one in operation.get("parameters", [])}
            wanted = method == "post" and path in KEYED
            assert ("Idempotency-Key" in named) is wanted, (method, path)
            assert not wanted or {"409", "422"} <= operation["responses"].keys()
