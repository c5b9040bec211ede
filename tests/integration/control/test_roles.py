"""What tokens and people may ask: every route with every role, and who is of some tenants among the
names of another."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from control.api.permission import PERMISSIONS
from control.api.route import Route
from control.app import routes
from control.parts import Parts
from control.store.change import Act
from control.store.migrate import migrate
from control.users.role import PERSON_ROLES, ROLES, PersonRole, Role
from control.users.token import new_token, put
from tests.support.control.core import TOKEN, Api, Command, api_of
from tests.support.control.matrix import Matrix
from tests.support.control.people import joined
from tests.support.hold.held import hold

OTHER = "zzother"
"""In every name of the other tenant: what has it in an answer leaked."""
THEIR_IP = "203.0.113.77"


def keyed(core: Parts) -> list[Route]:
    """The routes that a token is needed for."""
    return [route for route in routes(core) if not route.public]


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        for name, ip in (("acme", "192.0.2.10"), (OTHER, THEIR_IP)):
            new = {"name": name, "login": name, "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
            domain = {"tenant": name, "domain": f"{name}.example", "ip": ip}
            assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
            path = f"/api/v2/tenants/{name}/mailboxes/a@{name}.example"
            assert (await opened("PUT", path, {"spacing": 1}))[0] == 200
        await hold(core.pool, "1cccc", tenant="acme", pool="acme", mailbox="a@acme.example")
        await hold(
            *(core.pool, "1dddd"),
            tenant=OTHER,
            pool=OTHER,
            mailbox=f"a@{OTHER}.example",
            campaign=OTHER,
        )
        for tenant in (OTHER, "acme"):
            order = {"tenant": tenant, "action": "pause"}
            assert (await opened("POST", "/api/v2/hold/requests", order))[0] == 202
        yield opened


async def token(core: Parts, role: Role, tenant: str | None = None) -> str:
    """One of that role, in the database."""
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, f"{role} of {tenant or 'all'}", made, role, tenant)

    await core.publisher.change("test", act)
    return made


OWN = {
    "tenant": "acme",
    "ip": "192.0.2.10",
    "pool": "acme",
    "domain": "acme.example",
    "address": "a@acme.example",
    "server": "pmta1",
    "recipient": "gmail.com",
    "message": "1cccc",
    "import": "7",
    "request": "2",
    "plan": "1",
    "job": "cleanup",
    "alert": "1",
    "day": "2026-03-01",
    "name": "steady",
    "user": "nobody",
    "token": "no token",
    "subject": "example.com",
}
THEIRS = {
    **OWN,
    "tenant": OTHER,
    "ip": THEIR_IP,
    "pool": OTHER,
    "domain": f"{OTHER}.example",
    "message": "1dddd",
    "import": "7",
    "request": "1",
}
NUMBERS = {**THEIRS, "tenant": "2", "ip": "2", "pool": "2", "domain": "2"}


def address(route: Route, names: dict[str, str]) -> str:
    """Its path with these names in it, tried only where it can be."""
    path = re.sub(r"\{(\w+)\}", lambda match: names[match[1]], route.path)
    return path + ("?dry_run=1" if "dry_run" in route.query else "")


QUESTIONS = ("/api/v2/explain", "/api/v2/warmup/simulation", "/api/v2/warmup/growth")
"""What is posted and changes nothing."""


async def test_the_table_names_every_route_and_no_other(core: Parts) -> None:
    known = keyed(core)
    assert set(PERMISSIONS) == {(r.method, r.path) for r in known}
    for (method, path), permission in PERMISSIONS.items():
        if permission.mine:
            # What is about who asks, or about people and tokens as far as it reaches.
            assert path.startswith(("/api/v1/auth/", "/api/v2/users", "/api/v2/tokens"))
            continue
        # Whoever only reads changes nothing; a question about a message is none.
        if method != "GET" and path not in QUESTIONS:
            assert permission.role in ("operator", "admin"), (method, path)
        if permission.own:
            route = next(r for r in known if (r.method, r.path) == (method, path))
            body = getattr(route.body, "__struct_fields__", ())
            scoped = re.search(r"\{(tenant|ip|pool|domain)\}", path)
            assert scoped or "tenant" in route.query or "tenant" in body, (method, path)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("tenant", [None, "acme"])
async def test_every_route_answers_or_refuses_each_role(
    api: Api, core: Parts, matrix: Matrix, role: Role, tenant: str | None
) -> None:
    if role == "scrape" and tenant is not None:
        with pytest.raises(asyncpg.CheckViolationError):
            await token(core, role, tenant)
        return
    given = await token(core, role, tenant)
    who = f"{role} token of {tenant or 'all'}"
    await _answers_or_refuses(api, core, role, given, who, matrix, everywhere=tenant is None)


SOME = ("acme", "third")
"""Tenants of a person of several."""


@pytest.mark.parametrize("role", PERSON_ROLES)
@pytest.mark.parametrize("tenants", [None, SOME[:1], SOME], ids=["all", "one", "some"])
async def test_every_route_answers_or_refuses_each_person(
    api: Api, core: Parts, matrix: Matrix, role: PersonRole, tenants: tuple[str, ...] | None
) -> None:
    given = await person(api, core, role, tenants)
    who = f"{role} (person) of {', '.join(tenants or ('all',))}"
    everywhere = tenants is None
    allowed = PERSON_ROLES[role]
    await _answers_or_refuses(api, core, allowed, given, who, matrix, everywhere=everywhere)


async def person(api: Api, core: Parts, role: PersonRole, tenants: tuple[str, ...] | None) -> str:
    """The access token of one that signed in."""
    await third(api)
    return str((await joined(core, api, "anna", role, tenants))["access_token"])


async def third(api: Api) -> None:
    """One more tenant, with nothing."""
    new = {"name": "third", "login": "third", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201


async def _answers_or_refuses(
    api: Api, core: Parts, role: Role, given: str, who: str, matrix: Matrix, *, everywhere: bool
) -> None:
    for route in keyed(core):
        wanted = PERMISSIONS[route.method, route.path]
        allowed = ROLES.index(role) >= ROLES.index(wanted.role) and (everywhere or wanted.own)
        body: dict[str, Any] | None = {} if route.body is not None else None
        status, answer = await api(route.method, address(route, OWN), body, token=given)
        assert (status != 403) == allowed, (role, route.method, route.path, answer)
        assert status not in (401, 500), (route.path, answer)
        if not allowed:
            assert isinstance(answer, dict)
            assert answer["detail"].startswith(("token ", "user ")), answer
        matrix.count(who, "its own tenant", (route.method, route.path), refused=not allowed)


@pytest.mark.parametrize("names", [THEIRS, NUMBERS], ids=["by name", "by number"])
@pytest.mark.parametrize("who", ["token", "person of one", "person of some"])
async def test_who_is_of_some_tenants_neither_sees_nor_changes_another(
    api: Api, core: Parts, matrix: Matrix, names: dict[str, str], who: str
) -> None:
    if who == "token":
        given = await token(core, "admin", "acme")
    else:
        given = await person(api, core, "admin", SOME[:1] if who == "person of one" else SOME)
    before = await _their_rows(core)
    whose = f"another, by {'name' if names is THEIRS else 'number'}"
    own = [r for r in keyed(core) if PERMISSIONS[r.method, r.path].own]
    for route in own:
        if PERMISSIONS[route.method, route.path].mine:
            continue
        body = _body(route, names["tenant"])
        path = address(route, names).replace("?dry_run=1", "")
        status, answer = await api(route.method, path, body, token=given)
        if "{" in route.path and "explain" not in route.path:
            assert status in (400, 404), (route.method, route.path, answer)
        if route.body is not None and "tenant" in route.body.__struct_fields__:
            assert status in (400, 404), (route.method, route.path, answer)
        if status < 400:
            assert OTHER not in str(answer), (route.method, route.path)
            assert THEIR_IP not in str(answer), (route.method, route.path)
        matrix.count(f"admin {who}", whose, (route.method, route.path), refused=status >= 400)
        if "tenant" in route.query:
            asked = address(route, OWN) + ("&" if "dry_run" in route.query else "?")
            status, answer = await api(
                *(route.method, f"{asked}tenant={names['tenant']}", body), token=given
            )
            assert status in (400, 404), (route.method, route.path, answer)
            matrix.count(f"admin {who}", whose, (route.method, route.path), refused=True)
    assert await _their_rows(core) == before


async def test_a_person_of_some_tenants_says_which_where_what_it_names_does_not(
    api: Api, core: Parts
) -> None:
    given = await person(api, core, "operator", SOME)
    status, answer = await api("GET", "/api/v2/pools", token=given)
    says = "say which of yours this is about: acme, third"
    assert (status, answer["errors"]) == (400, [{"field": "tenant", "detail": says}])  # type: ignore[index]
    for tenant in SOME:
        _, found = await api("GET", f"/api/v2/pools?tenant={tenant}", token=given)
        assert [pool["name"] for pool in found] == [tenant]  # type: ignore[index,union-attr]
        new = {"tenant": tenant, "name": f"{tenant}-new"}
        assert (await api("POST", "/api/v2/pools", new, token=given))[0] == 201
        assert (await api("DELETE", f"/api/v2/pools/{tenant}-new", token=given))[0] == 200
    # What another has of the same kind is not there.
    assert (await api("GET", f"/api/v2/pools/{OTHER}", token=given))[0] == 404
    who = await core.pool.fetchval("SELECT who FROM audit_log WHERE action = 'pool.remove' LIMIT 1")
    assert who == "anna"


async def test_a_person_sees_nothing_of_a_tenant_that_went_nor_of_who_has_its_name_next(
    api: Api, core: Parts
) -> None:
    given = await person(api, core, "viewer", ("third",))
    assert (await api("GET", "/api/v2/tenants", token=given))[0] == 200
    await api("POST", "/api/v2/tenants/third/pause")
    assert (await api("DELETE", "/api/v2/tenants/third"))[0] == 200
    await third(api)
    status, answer = await api("GET", "/api/v2/tenants", token=given)
    assert (status, "of no tenant any more" in str(answer)) == (403, True)
    assert (await api("GET", "/api/v1/auth/me", token=given))[1]["tenants"] == []  # type: ignore[index]


BODIES: dict[str, dict[str, Any]] = {
    "NewDomain": {"domain": "new.example", "ip": "192.0.2.99"},
    "NewPool": {"name": "newpool"},
    "HoldOrder": {"action": "pause"},
    "Forget": {"recipient": "anna@gmail.com"},
    "Question": {"from": f"a@{OTHER}.example", "to": "x@gmail.com"},
    "SimulationAsked": {"ip": THEIR_IP},
    "IpChange": {"weight": 2},
    "IpMove": {"pool": "acme"},
    "DomainMove": {"pool": "acme"},
    "RotationOrder": {},
    "PoolChange": {"default": True},
    "TenantChange": {"strict": True},
    "MailboxChange": {"spacing": 3},
    "MailboxList": {"csv": f"address,spacing\na@{OTHER}.example,3\n"},
    "NewSuppression": {"address": "anna@gmail.com"},
    "ImportedRows": {"rows": [{"address": "anna@gmail.com"}]},
    "NewLogin": {"login": "mine", "password": "correct horse"},
    "NextPassword": {"password": "correct horse"},
    "NewPassword": {"login": OTHER, "password": "correct horse"},
}


def _body(route: Route, tenant: str) -> dict[str, Any] | None:
    """One that would be taken, were it the asker's."""
    if route.body is None:
        return None
    named = {"tenant": tenant} if "tenant" in route.body.__struct_fields__ else {}
    return {**BODIES[route.body.__name__], **named}


async def _their_rows(core: Parts) -> list[str]:
    """All that could be changed."""
    found = []
    for table in ("tenant", "login", "pool", "virtual_mta", "sending_domain", "mailbox", "held"):
        rows = await core.pool.fetch(f"SELECT t::text AS row FROM {table} t ORDER BY 1")
        found += [row["row"] for row in rows if OTHER in row["row"]]
    assert len(found) == 7, "one of each"
    return found


async def test_a_tenants_token_sees_and_changes_its_own(api: Api, core: Parts) -> None:
    given = await token(core, "operator", "acme")
    for path in ("tenants", "ips", "domains", "pools", "hold/messages", "hold/requests", "quota"):
        status, found = await api("GET", f"/api/v2/{path}", token=given)
        assert status == 200
        assert "acme" in str(found), path
        assert OTHER not in str(found), path
    assert (await api("GET", "/api/v2/hold", token=given))[1]["all"]["messages"] == 1
    limits = {"daily_max": 5}
    mailbox = "/api/v2/tenants/1/mailboxes/news@b.example"
    assert (await api("PUT", mailbox, limits, token=given))[0] == 200
    # How much an IP may send is not for those to say whose mail it carries.
    domain = {"tenant": "acme", "domain": "b.example", "ip": "192.0.2.11"}
    assert (await api("POST", "/api/v2/domains", domain, token=given))[0] == 403
    for method, body in (("PATCH", {"quota": "unlimited"}), ("DELETE", None)):
        [address] = [row["ip"] for row in (await api("GET", "/api/v2/ips", token=given))[1]][:1]
        assert (await api(method, f"/api/v2/ips/{address}", body, token=given))[0] == 403
    order = {"action": "resume", "campaign": "camp01"}
    status, asked = await api("POST", "/api/v2/hold/requests", order, token=given)
    assert (status, asked["request"]["tenant"]) == (202, "acme"), "the tenant need not be said"
    status, refused = await api(
        "PATCH", "/api/v2/tenants/acme", {"networks": ["10.0.0.0/8"]}, token=given
    )
    assert (status, "networks" in refused["detail"]) == (403, True)
    who = await core.pool.fetchval("SELECT who FROM audit_log WHERE subject = 'news@b.example'")
    assert who == "operator of acme"


async def test_tokens_that_were_there_stay_admins(postgres_url: str) -> None:
    await migrate(postgres_url, to="0015")
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("INSERT INTO api_token VALUES ('old', 'x', '2026-01-01')")
        await migrate(postgres_url)
        row = await connection.fetchrow("SELECT role, tenant FROM api_token")
        assert tuple(row) == ("admin", None)
    finally:
        await connection.close()


async def test_a_tenants_tokens_go_with_it(api: Api, core: Parts) -> None:
    given = await token(core, "read", OTHER)
    assert (await api("GET", "/api/v2/tenants", token=given))[0] == 200
    await core.pool.execute("UPDATE held SET state = 'done'")
    await api("POST", f"/api/v2/tenants/{OTHER}/pause")
    status, removed = await api("DELETE", f"/api/v2/tenants/{OTHER}", token=TOKEN)
    assert (status, removed["view"]["also"]["token"]) == (200, [f"read of {OTHER}"])
    assert (await api("GET", "/api/v2/tenants", token=given))[0] == 401


async def test_the_command_makes_a_token_of_a_role(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", core.settings.database.url)
    monkeypatch.setenv("REDIS_URL", core.settings.ledger.url)
    sendgate = Command(api, capsys)
    made = (await sendgate("token", "add", "watch", "--role", "read", "--tenant", "1")).strip()
    _, found = await api("GET", "/api/v2/tenants", token=made)
    assert [t["name"] for t in found] == ["acme"]
    assert (await api("POST", "/api/v2/tenants/acme/pause", token=made))[0] == 403
    listed = await sendgate("token", "list")
    assert all(word in listed for word in ("watch", "read", "acme", "all"))
    await sendgate("token", "add", "wrong", "--role", "king", code=2)
    assert "does not exist" in await sendgate("token", "add", "x", "--tenant", "9", code=1)
    refused = await sendgate("token", "add", "x", "--role", "scrape", "--tenant", "1", code=2)
    assert "metrics are of all tenants" in refused
    await sendgate("token", "revoke", "watch")
    assert (await api("GET", "/api/v2/tenants", token=made))[0] == 401
