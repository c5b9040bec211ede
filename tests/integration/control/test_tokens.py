"""Tokens of the API: scopes, tenants, networks, an end, and what a thief of one gets."""

from typing import Any

import msgspec
import pytest

from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, Command, api_of, build, control_core, settings_for


async def made(sendgate: Command, *words: str) -> str:
    """A new token."""
    found = msgspec.json.decode(await sendgate("token", "add", *words, "--json"))
    assert found["name"] == words[0]
    return str(found["token"])


async def tenants(api: Api, *names: str) -> None:
    """New ones."""
    for name in names:
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201


async def asked(api: Api, token: str, source: str = "", header: str = "X-API-Key") -> int:
    """The status of a list of pools."""
    given = token if header == "X-API-Key" else f"Bearer {token}"
    headers = {header: given} | ({"X-Forwarded-For": source} if source else {})
    async with api.session.get(f"{api.url}/api/v2/quota", headers=headers) as response:
        await response.read()
        return response.status


async def test_scopes_are_roles(api: Api, sendgate: Command) -> None:
    for scope, role in (("operate", "operator"), ("read", "read"), ("admin", "admin")):
        token = await made(sendgate, f"to {scope}", "--scope", scope)
        _, me = await api("GET", "/api/v1/auth/me", token=token)
        assert (me["role"], me["kind"]) == (role, "token")  # type: ignore[index]
        assert [await asked(api, token, header=h) for h in ("X-API-Key", "Authorization")] == [
            *(200, 200)
        ]
    scrape = await made(sendgate, "prometheus", "--scope", "scrape")
    assert (await api("GET", "/metrics", token=scrape))[0] == 200
    assert await asked(api, scrape) == 403
    both = await sendgate("token", "add", "x", "--scope", "read", "--role", "read", code=2)
    assert "give one of them" in both
    await sendgate("token", "add", "x", "--scope", "king", code=2)
    assert "dry run" in await sendgate("token", "add", "x", "--scope", "read", "--dry-run")
    listed = msgspec.json.decode(await sendgate("token", "list", "--json"))
    assert "x" not in [one["name"] for one in listed]


async def test_a_token_ends(api: Api, core: Parts, sendgate: Command) -> None:
    token = await made(sendgate, "short", "--scope", "read", "--expires", "30d")
    assert await asked(api, token) == 200
    await core.pool.execute("UPDATE api_token SET expires = now() WHERE name = 'short'")
    assert await asked(api, token) == 401
    assert "expired" in await sendgate("token", "list")
    for words, says in (
        (("--expires", "2020-01-01"), "is over already"),
        (("--expires", "soon"), "is neither in how long, such as 90d, nor a time"),
        (("--network", "10.0.0.1/8"), "network"),
    ):
        assert says in await sendgate("token", "add", "x", *words, code=2), words


async def test_a_token_is_good_from_its_networks_alone(
    create_database: CreateDatabase,
    valkey_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, proxy_networks=("127.0.0.0/8",))
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("REDIS_URL", valkey_url)
    async with control_core(settings) as core, api_of(core) as api:
        sendgate = Command(api, capsys)
        words = ("--network", "192.0.2.0/24", "--network", "2001:db8::/32")
        token = await made(sendgate, "panel", "--scope", "read", *words)
        for source, status in (
            *(("192.0.2.7", 200), ("2001:db8::1", 200), ("203.0.113.9", 401), ("", 401)),
            # What stands before the proxy's word anybody may have written.
            ("192.0.2.7, 203.0.113.9", 401),
        ):
            assert await asked(api, token, source) == status, source
        assert "token panel came from 203.0.113.9, outside its networks" in caplog.text
        feeder = await made(sendgate, "pmta", "--scope", "accounting", *words)
        path = f"{api.url}/api/v2/powermta/accounting"
        for source, status in (("192.0.2.7", 200), ("203.0.113.9", 401)):
            headers = {"X-API-Key": feeder, "X-Forwarded-For": source}
            async with api.session.post(path, data=b"", headers=headers) as response:
                assert response.status == status, source


async def test_a_token_of_several_tenants(api: Api, core: Parts, sendgate: Command) -> None:
    await tenants(api, "acme", "globex", "other")
    token = await made(
        sendgate, "panel", "--scope", "operate", "--tenant", "globex", "--tenant", "acme"
    )
    for tenant, status in (("acme", 200), ("globex", 200), ("other", 404)):
        found: tuple[int, Any] = await api("GET", f"/api/v2/pools?tenant={tenant}", token=token)
        assert found[0] == status, tenant
        assert status != 200 or [pool["name"] for pool in found[1]] == [tenant]
    for gone, left in (("acme", ["globex"]), ("globex", None)):
        await api("POST", f"/api/v2/tenants/{gone}/pause")
        status, removed = await api("DELETE", f"/api/v2/tenants/{gone}")
        assert status == 200
        also = removed["view"]["also"].get("token")  # type: ignore[index]
        assert also == (None if left else ["panel"])
        status, me = await api("GET", "/api/v1/auth/me", token=token)
        assert (status, me.get("tenants")) == (200 if left else 401, left)  # type: ignore[attr-defined]
        # Whoever is given the name next is another.
        await tenants(api, gone)
        assert await asked(api, token) == (200 if left else 401)
