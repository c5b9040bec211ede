"""The route table that `sendgate api routes` prints is what the API answers, and whom."""

import io
import re
from typing import Any

import msgspec
import pytest

from control.api.described import NEEDS
from control.api.needs import Need
from control.api.permission import PERMISSIONS
from control.app import application, routes
from control.cli.main import run
from control.offline import route_table
from control.parts import Parts
from control.users.role import ALL_ROLES
from tests.integration.control.test_roles import token
from tests.support.control.core import Api, Command


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run([*words, "api", "routes"]) == 0
    return capsys.readouterr().out


def test_it_is_printed_where_nothing_can_be_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Port 1 has no database, no ledger and no API."""
    for name in ("DATABASE_URL", "REDIS_URL", "SENDGATE_URL", "SENDGATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    found = msgspec.json.decode(printed(capsys, "--json", "--url", "http://127.0.0.1:1"))
    by = {(one["method"], one["path"]): one for one in found}
    assert by["PATCH", "/api/v2/tenants/{tenant}"] == {
        "method": "PATCH",
        "path": "/api/v2/tenants/{tenant}",
        "role": "operator",
        "roles": ["operator", "admin"],
        "tenants": "own",
        "summary": "Change its senders, limits, sending hours, networks",
    }
    assert by["GET", "/healthz"]["role"] == ""
    [line] = [
        line
        for line in printed(capsys).splitlines()
        if re.search(r" /api/v2/tenants +│", line) and "POST" in line
    ]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == [
        *("POST", "/api/v2/tenants", "admin", "all alone"),
        "Add a tenant with its first login",
    ]


async def test_it_names_exactly_what_is_answered(core: Parts) -> None:
    built = application(core)
    served = {
        (one.method, one.resource.canonical)
        for one in built.router.routes()
        if one.resource and one.method != "HEAD" and not one.resource.canonical.endswith("/")
    }
    found = await route_table()
    assert {(one.method, one.path) for one in found} == served
    assert found == built[NEEDS] == sorted(found, key=lambda one: (one.path, one.method))


async def test_it_says_what_the_table_at_the_door_says(core: Parts) -> None:
    by = {(one.method, one.path): one for one in await route_table()}
    for route in routes(core):
        one = by[route.method, route.path]
        assert one.summary == route.summary
        if route.public:
            assert (one.role, one.roles, one.tenants) == ("", [], "")
            continue
        wanted = PERMISSIONS[route.method, route.path]
        assert one.role == one.roles[0] == wanted.role
        assert one.tenants == ("mine" if wanted.mine else "own" if wanted.own else "all")


@pytest.mark.parametrize("role", ALL_ROLES)
async def test_each_role_is_let_in_where_it_says_so(api: Api, core: Parts, role: Any) -> None:
    """Also at the doors that look by themselves who asks."""
    made = await token(core, role)
    for one in await route_table():
        path = re.sub(r"\{\w+\}", "7", one.path)
        # Nothing is done: the body is nobody's.
        raw = b"" if one.method == "GET" else io.BytesIO(b"\x00")
        status, _ = await api(one.method, path, token=made, raw=raw)
        may = not one.role or role in one.roles
        assert (status == 403) == (not may), (one.method, one.path, status)


async def test_each_need_is_a_sentence() -> None:
    found = {one.sentence for one in await route_table()}
    assert "Needs no token." in found
    assert (
        "Needs the role operator (or admin), of all tenants: it is closed to who is of some (403)."
        in found
    )
    assert all(one.endswith(".") for one in found)


async def test_a_command_that_asks_a_server_sees_the_same(command: Command, core: Parts) -> None:
    found = msgspec.json.decode(await command("--json", "api", "routes"), type=list[Need])
    assert found == application(core)[NEEDS]
