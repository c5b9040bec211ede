"""`sendgate domain check` and `domain records`: what is printed, loaded into a real name server,
checks as ok."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from control.cli.main import run
from control.parts import Parts
from settings.dns import Dns
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, Command, build, control_core, settings_for
from tests.support.servers.nsd import Nsd, needs_nsd, nsd, whole

pytestmark = needs_nsd

SHOP, IDN = "news.shop.example", "xn--bcher-kva.example"
ZONES = (SHOP, IDN, "2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")
SERVER = ("--name-server", "ns1.shop.example")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Nsd]:
    zones = {name: whole(name, "") for name in (*ZONES, "example")}
    with nsd(tmp_path / "nsd", zones) as started:
        yield started


@pytest.fixture
async def core(
    create_database: CreateDatabase, valkey_url: str, server: Nsd
) -> AsyncIterator[Parts]:
    settings = settings_for(await create_database("control", build), valkey_url)
    dns = Dns(nameservers=(server.address,), timeout=2.0)
    async with control_core(msgspec.structs.replace(settings, dns=dns)) as opened:
        yield opened


async def _added(command: Command) -> None:
    await command("tenant", "add", "acme", "--login", "a", "--password", "a-long-password")
    for domain, ip in (
        (SHOP, "192.0.2.10"),
        (SHOP, "2001:db8::10"),
        ("bücher.example", "192.0.2.11"),
    ):
        given = ("--tenant", "acme", "--domain", domain, "--ip", ip)
        pool = () if domain == SHOP else ("--pool", "books")
        await command("domain", "add", *given, *pool)


async def _publish(
    command: Command, server: Nsd, change: Callable[[str], str] = lambda text: text
) -> None:
    """What the command prints, as it is."""
    for domain in (SHOP, IDN):
        server.put(domain, change(await command("domain", "records", domain, *SERVER)))
    for zone in ZONES[2:]:
        texts = [
            await command("domain", "records", domain, "--reverse", zone) for domain in (SHOP, IDN)
        ]
        server.put(zone, whole(zone, "".join(texts)))


async def test_what_is_printed_is_a_zone_that_checks_as_ok(command: Command, server: Nsd) -> None:
    await _added(command)
    assert "WRONG: SPF" in await command("domain", "check", code=1)
    await _publish(command, server)
    assert "error" not in server.log()
    out = await command("domain", "check", "--tenant", "acme")
    assert f"{SHOP} (acme): ok" in out
    assert f"{IDN} (acme): ok" in out
    assert "WRONG" not in out
    found = json.loads(await command("domain", "check", "bücher.example", "--json"))
    assert [one["domain"] for one in found] == [IDN]
    assert {one["verdict"] for one in found[0]["findings"]} == {"ok"}


async def test_lines_without_soa_are_for_a_zone_that_is_there(
    command: Command, server: Nsd
) -> None:
    await _added(command)
    text = await command("domain", "records", SHOP)
    assert " SOA " not in text
    assert "\n; 10.2.0.192.in-addr.arpa. IN PTR mta1." in text
    server.put(SHOP, whole(SHOP, text))
    out = await command("domain", "check", SHOP, code=1)
    # What was asked for, wrong as it is: the command itself did not fail.
    assert f"{SHOP} (acme): WRONG" in out
    assert f"ok: SPF {SHOP}" in out


async def test_what_is_wrong_ends_with_1_and_says_the_very_record(
    command: Command, server: Nsd, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    await _added(command)
    await _publish(command, server, lambda text: text.replace("p=MII", "p=MIX"))
    status, found = await api("GET", f"/api/v2/domains/{SHOP}/check?tenant=acme")
    assert (status, found["verdict"]) == (200, "error")  # type: ignore[index,call-overload]
    wrong = [one for one in found["findings"] if one["verdict"] == "error"]  # type: ignore[index,call-overload]
    assert [one["about"] for one in wrong] == ["DKIM"]
    (line,) = wrong[0]["wanted"]
    assert line in await command("domain", "records", SHOP)
    assert "p=MIX" in wrong[0]["there"][0]
    assert await asyncio.to_thread(run, ["--url", api.url, "domain", "check", SHOP]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"{SHOP} (acme): WRONG\n")
    assert f"    should be: {line}\n" in out


async def test_domains_that_are_not_there_and_misuse(command: Command, api: Api) -> None:
    error = await command("domain", "check", "nobody.example", code=1)
    assert "nobody.example" in error
    await command("domain", "check", "--nothing", code=2)
    status, _ = await api("GET", "/api/v2/domains/nobody.example/check")
    assert status == 404
    assert "there is no sending domain" in await command("domain", "check")


async def test_an_ip_to_which_mail_overflows_has_to_pass_too(
    command: Command, server: Nsd, api: Api
) -> None:
    await _added(command)
    await _publish(command, server)
    spare = ("--tenant", "acme", "--domain", "spare.example", "--ip", "192.0.2.12")
    await command("domain", "add", *spare, "--pool", "spare")
    await command("pool", "set", "books", "--overflow", "spare")
    _, found = await api("GET", f"/api/v2/domains/{IDN}/check")
    (spf,) = [one for one in found["findings"] if one["about"] == "SPF"]  # type: ignore[index,call-overload]
    assert spf["verdict"] == "error"
    assert "192.0.2.12 of 2 does not pass: softfail" in spf["what"]
    assert "192.0.2.12" in "".join(spf["wanted"])
    assert f"_spf-books.{IDN}. IN TXT" in "".join(spf["wanted"])
