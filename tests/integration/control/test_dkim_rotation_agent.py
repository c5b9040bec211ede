"""A DKIM key is replaced where an agent brings PowerMTA's configuration into force: it signs with
the new key before the plan says so, and the former key stays as long as a version signs with it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from control.ledger.clock import ClockMove
from control.parts import Parts
from control.published.asking import Servers
from control.rotation.looking import RotationLook
from control.store.change import Act
from control.users.token import new_token, put
from settings.dns import Dns
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, api_of, build, control_core, settings_for
from tests.support.control.pmtahost import Host
from tests.support.servers.nsd import Nsd, needs_nsd, nsd, whole

pytestmark = needs_nsd

DOMAIN = "news.example"


@pytest.fixture
async def core(
    create_database: CreateDatabase, valkey_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Parts, Nsd]]:
    url = await create_database("control", build)
    made = settings_for(url, valkey_url, pmta_apply_wait=3.0, pmta_keys="/etc/pmta/keys")
    with nsd(tmp_path / "nsd", {DOMAIN: whole(DOMAIN, "")}) as server:
        dns = Dns(nameservers=(server.address,), timeout=2.0)
        async with control_core(msgspec.structs.replace(made, dns=dns)) as opened:
            yield opened, server


def signs(host: Host) -> list[str]:
    """Key files that PowerMTA signs with."""
    assert host.running is not None
    return sorted(host.running.keys)


async def look(core: Parts) -> str:
    dns = core.settings.dns
    parts = (core.pool, core.publisher, Servers(dns), dns, core.calendar)
    return await RotationLook(*parts, signs=True, over_after=0)()


async def begun(core: Parts, api: Api, host: Host, server: Nsd) -> str:
    """A rotation whose new key is seen for long enough; the selector that signs."""
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": DOMAIN, "ip": "192.0.2.10"}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    path = f"/api/v2/domains/{DOMAIN}/rotation"
    status, made = await api("POST", path, {"selector": "new1"})
    assert status == 201
    view = made["view"]  # type: ignore[index,call-overload]
    lines = "\n".join(
        f'{r["name"]}. IN TXT "{r["value"][:200]}" "{r["value"][200:]}"'
        for r in view["records"]
        if "_domainkey" in r["name"]
    )
    await asyncio.to_thread(server.put, DOMAIN, whole(DOMAIN, lines))
    await look(core)
    await core.clock.move(ClockMove(advance="61m"))
    return str(view["dkim_selector"])


async def test_the_former_key_stays_while_a_version_that_signs_with_it_is_wanted(
    core: tuple[Parts, Nsd],
) -> None:
    parts, server = core
    token = new_token()

    async def act(a: Act) -> None:
        await put(a, "host1", token, "agent")

    await parts.publisher.change("test", act)
    async with api_of(parts) as api:
        host = Host(api, token)
        assert await host.fetch() is None
        await host.say()
        host.start()
        try:
            former = await begun(parts, api, host, server)
            assert signs(host) == [f"{DOMAIN}.{former}.pem"]
            assert host.running is not None
            before = host.running.version
            # What PowerMTA refuses is not signed with.
            host.problem = ("test", "Error: no such key")
            await look(parts)
            assert await _selector(parts) == former
            host.problem = None
            await look(parts)
            assert await _selector(parts) == "new1"
            assert signs(host) == [f"{DOMAIN}.new1.pem"]

            back = {"server": "pmta1", "version": before, "reason": "a doubt"}
            status, answer = await api("POST", "/api/v2/powermta/rollback", back)
            assert status == 200, answer
            assert signs(host) == [f"{DOMAIN}.{former}.pem"]
            await parts.clock.move(ClockMove(advance="8d"))
            await look(parts)
            assert await _keys(parts) >= {f"{DOMAIN}.{former}.pem"}
            said = await parts.pool.fetchval("SELECT what FROM alert WHERE absent IS NULL")
            assert "signs with the former key" in said

            status, answer = await api("POST", "/api/v2/powermta/apply", {})
            assert status == 200, answer
            assert signs(host) == [f"{DOMAIN}.new1.pem"]
            assert "is deleted" in await look(parts)
            assert await _keys(parts) == {f"{DOMAIN}.new1.pem"}
            # A version that signs with a key that is gone comes back no more.
            status, answer = await api("POST", "/api/v2/powermta/rollback", back)
            assert (status, "is gone" in str(answer)) == (409, True)
            assert signs(host) == [f"{DOMAIN}.new1.pem"]
        finally:
            await host.stop()


async def _selector(core: Parts) -> str:
    return str(await core.pool.fetchval("SELECT dkim_selector FROM sending_domain"))


async def _keys(core: Parts) -> set[str]:
    return {row["name"] for row in await core.pool.fetch("SELECT name FROM pmta_key")}
