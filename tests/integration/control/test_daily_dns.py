"""The daily look at DNS: what is wrong is an alert until it is right, and silence says nothing."""

from pathlib import Path

import msgspec
import pytest

from control.ledger.clock import ClockMove
from control.parts import Parts
from settings.dns import Dns
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
from tests.support.servers.nsd import Nsd, needs_nsd, nsd, whole

pytestmark = needs_nsd

DOMAIN, REVERSE = "news.acme-mail.net", "113.0.203.in-addr.arpa"


async def look(core: Parts, api: Api) -> str:
    status, run = await api("POST", "/api/v2/jobs/dns/run")
    assert (status, run["state"]) == (200, "done"), run
    await core.clock.move(ClockMove(advance="1h"))
    return str(run["said"])


async def alerts(core: Parts) -> list[str]:
    rows = await core.pool.fetch(
        "SELECT what FROM alert WHERE source = 'dns' AND absent IS NULL ORDER BY key"
    )
    return [row["what"] for row in rows]


async def metric(api: Api) -> list[str]:
    text = str((await api("GET", "/metrics"))[1])
    return [line for line in text.splitlines() if line.startswith("email_engine_dns_validation{")]


async def publish(command: Command, server: Nsd) -> None:
    records = await command("domain", "records", DOMAIN, "--name-server", "ns1.acme-mail.net")
    server.put(DOMAIN, records)
    reverse = await command("domain", "records", DOMAIN, "--reverse", REVERSE)
    server.put(REVERSE, whole(REVERSE, reverse))


async def test_what_is_wrong_is_told_until_it_is_right(
    create_database: CreateDatabase,
    valkey_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    zones = {name: whole(name, "") for name in (DOMAIN, REVERSE, "net")}
    made = settings_for(await create_database("control", build), valkey_url)
    with nsd(tmp_path / "nsd", zones) as server:
        dns = Dns(nameservers=(server.address,), timeout=1.0)
        settings = msgspec.structs.replace(made, dns=dns)
        async with control_core(settings) as core, api_of(core) as api:
            command = Command(api, capsys)
            await command("tenant", "add", "acme", "--login", "a", "--password", "a-long-password")
            for given in (
                ("--domain", DOMAIN, "--ip", "203.0.113.5"),
                ("--domain", "news.example", "--ip", "203.0.113.6", "--pool", "books"),
            ):
                await command("domain", "add", "--tenant", "acme", *given)
            # Nobody has news.example: it is not asked about.
            assert await look(core, api) == "1 domain: 1 wrong, 0 not known"
            (told,) = await alerts(core)
            assert f"what DNS has of {DOMAIN} is wrong: " in told
            assert "SPF" in told
            assert await metric(api) == [f'email_engine_dns_validation{{domain="{DOMAIN}"}} 0.0']
            server.end()
            assert await look(core, api) == "1 domain: 1 wrong, 1 not known"
            assert await alerts(core) == [told]
            assert await metric(api) == []
    with nsd(tmp_path / "again", zones) as server:
        dns = Dns(nameservers=(server.address,), timeout=1.0)
        settings = msgspec.structs.replace(made, dns=dns)
        async with control_core(settings) as core, api_of(core) as api:
            command = Command(api, capsys)
            await publish(command, server)
            assert await look(core, api) == "1 domain: 0 wrong, 0 not known", await alerts(core)
            assert await alerts(core) == []
            assert await metric(api) == [f'email_engine_dns_validation{{domain="{DOMAIN}"}} 1.0']
            await command("domain", "remove", DOMAIN)
            assert await look(core, api) == "0 domains: 0 wrong, 0 not known"
            assert await metric(api) == []
