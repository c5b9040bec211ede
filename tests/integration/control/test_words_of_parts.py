"""What a part that is away says of itself (hosts, roles, tables) is for who sees all tenants, and
for the log: not for nobody, and not for one tenant."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from control.embedded.servers.valkey import LocalValkey
from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.integration.control.test_roles import token
from tests.support.control.browsing import Browser
from tests.support.control.core import Api, Command, api_of, build, control_core, settings_for
from tests.support.control.people import joined, login

PLAIN = "PostgreSQL does not answer: the log has why, under this request id"
WORDS = 'relation "{}" does not exist'
LOGIN = {"name": "acme", "login": "acme", "password": "correct horse"}


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[LocalValkey]:
    """One of its own, which a test stops."""
    async with LocalValkey(tmp_path / "valkey") as started:
        yield started


@pytest.fixture
async def core(create_database: CreateDatabase, valkey: LocalValkey) -> AsyncIterator[Parts]:
    """On that."""
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey.url)) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With a tenant."""
    async with api_of(core) as opened:
        assert (await opened("POST", "/api/v2/tenants", LOGIN))[0] == 201
        yield opened


async def rename(core: Parts, table: str) -> None:
    await core.pool.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")


async def test_who_is_not_signed_in_reads_one_plain_sentence(
    api: Api, core: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    await joined(core, api, "anna")
    browser = Browser(api)
    await rename(core, "person")
    with caplog.at_level(logging.WARNING):
        status, said = await login(api, "anna")
    assert (status, said["detail"]) == (503, PLAIN)
    record = next(r for r in caplog.records if said["request_id"] in r.getMessage())
    assert WORDS.format("person") in record.getMessage()
    page = await browser.sign_in("anna")
    assert (page.status, "person" in page.words.lower()) == (503, False)
    await rename(core, "api_token_tenant")
    status, said = await api("GET", "/api/v2/tenants", token="sgt_" + "x" * 40)
    assert (status, said["detail"]) == (503, PLAIN)  # type: ignore[index]


async def test_who_sees_one_tenant_reads_that_too_and_who_sees_all_reads_why(
    api: Api, core: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    theirs, ours = await token(core, "operator", "acme"), await token(core, "operator")
    assert (await api("GET", "/api/v2/pools", token=theirs))[0] == 200
    await rename(core, "pool")
    with caplog.at_level(logging.WARNING):
        status, said = await api("GET", "/api/v2/pools?limit=7", token=theirs)
    assert (status, said["detail"]) == (503, PLAIN)  # type: ignore[index]
    assert WORDS.format("pool") in caplog.text
    status, said = await api("GET", "/api/v2/pools?limit=8", token=ours)
    assert (status, WORDS.format("pool") in said["detail"]) == (503, True)  # type: ignore[index]


async def test_where_the_ledger_is_they_are_not_told(
    api: Api, core: Parts, valkey: LocalValkey, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = await token(core, "operator", "acme")
    where = core.settings.ledger.url.partition("@")[2] or core.settings.ledger.url
    await joined(core, api, "eve", "viewer", ("acme",))
    browser = Browser(api)
    await browser.sign_in("eve")
    await valkey.stop()
    question = {"tenant": "acme", "from": "a@b.example", "to": "x@y.example"}
    closed, silent = "the ledger is closed: it does not answer", "the ledger does not answer: "
    asked: tuple[tuple[str, str, Any, str], ...] = (
        ("GET", "/api/v2/quota", None, closed),
        ("POST", "/api/v2/explain", question, closed),
        ("GET", "/api/warmup/quota", None, silent),
        ("POST", "/api/v2/pools", {"tenant": "acme", "name": "fast"}, silent),
    )
    for method, path, body, says in asked:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            status, said = await api(method, path, body, token=theirs)
        assert (status, says in said["detail"]) == (503, True), (path, said)  # type: ignore[index]
        assert _unnamed(said["detail"], where), said  # type: ignore[index]
        assert "Connect" in caplog.text or "connect" in caplog.text, path
    for path in ("/", "/ips", "/held"):
        assert _unnamed((await browser.get(path)).words, where), path
    status, health = await api("GET", "/readyz", token="")
    assert (status, health) == (503, {"ready": False, "problems": ["ledger: it does not answer"]})


def _unnamed(text: str, where: str) -> bool:
    return not any(one in text for one in (where, "Error", "connect", "/valkey", "127.0.0.1"))


async def test_a_readiness_nobody_signs_in_for_names_no_table(api: Api, core: Parts) -> None:
    await rename(core, "ledger")
    status, health = await api("GET", "/readyz", token="")
    said = ["PostgreSQL: it does not answer as it must"]
    assert (status, health) == (503, {"ready": False, "problems": said})


async def test_what_stays_as_it_is_is_no_difference(
    api: Api, command: Command, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", await token(core, "admin"))
    rotate = ("login", "rotate", "acme", "--tenant", "acme")
    said = await command(*rotate, "--password", "the second horse")
    assert "former_until: none -> " in said
    assert "login: none" not in said
    said = await command("login", "password", "acme", "--tenant", "acme", "--password", "a third")
    assert "none ->" not in said


async def test_a_viewer_is_called_so_to_itself(api: Api, core: Parts) -> None:
    for name, role in (("eve", "viewer"), ("ben", "operator")):
        tokens = await joined(core, api, name, role)  # type: ignore[arg-type]
        _, found = await api("GET", "/api/v1/auth/me", token=tokens["access_token"])
        assert found == {"name": name, "kind": "user", "role": role, "tenants": None}
