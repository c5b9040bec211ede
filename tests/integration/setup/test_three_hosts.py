"""What deploy/ has for each of three hosts is what the programs take: files and the check."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from control.agent.configuration import read
from control.pmta.generator.records import accounting
from control.pmta.generator.terms import Terms
from control.setup.answers import from_file
from control.setup.files import make
from loadtest.certificate import self_signed
from settings.load import load
from settings.model import Listener
from tests.integration.process.test_units import Manager
from tests.support.gateway.generations import PASSWORD, generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.repository import ROOT

DEPLOY = ROOT / "deploy"
CHECK = DEPLOY / "vps1-mailwizz" / "check.sh"
ENVIRONMENT = {"SENDGATE_DOTENV": "/nonexistent", "SENDGATE_CONTROL_SECRET": "A" * 43 + "="}


async def test_the_agent_starts_with_the_file_of_its_host(tmp_path: Path) -> None:
    sample = DEPLOY / "vps2-pmta" / "agent.toml"
    assert read(sample).path == "/var/log/pmta/sendgate.csv"
    text = sample.read_text("utf-8")
    for was, now in (
        ("https://control.example.com", "http://127.0.0.1:1"),
        ("/var/log/pmta/", f"{tmp_path}/"),
    ):
        assert was in text
        text = text.replace(was, now)
    (tmp_path / "token").write_text("sgt_" + "t" * 40)
    (tmp_path / "token").chmod(0o400)
    config = tmp_path / "agent.toml"
    config.write_text(f'token_file = "{tmp_path}/token"\nstate = "{tmp_path}/state"\n{text}')
    manager = Manager(tmp_path, "sendgate-agent", config, watchdog=12.0)
    async with manager.running():
        await manager.until("READY=1")
        await manager.stopped()


def test_powermta_writes_what_control_would_have_it_write() -> None:
    text = (DEPLOY / "vps2-pmta" / "accounting.conf").read_text("utf-8")
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert plain == accounting(Terms(gateways=(), accounting="/var/log/pmta"), None).rstrip("\n")


def test_the_answers_make_the_configuration_beside_them(tmp_path: Path) -> None:
    self_signed(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    for name in ("answers.toml", "sendgate.toml"):
        text = (DEPLOY / "control" / name).read_text("utf-8")
        assert "/etc/sendgate/tls/" in text
        (tmp_path / name).write_text(text.replace("/etc/sendgate/tls/", f"{tmp_path}/"))
    made = make(from_file(tmp_path / "answers.toml"), tmp_path / "etc", dry=True).settings
    there = load(tmp_path / "sendgate.toml", ENVIRONMENT)
    assert there.ledger.single
    assert there.control.proxy_networks == ("127.0.0.1",)
    for settings in (made, there):
        assert settings.gateway.hostname == "gate.example.com"
        assert settings.gateway.listeners == (Listener(host="10.0.0.2", port=465, tls="implicit"),)
        assert settings.control.gateway_networks == ("10.0.0.2",)


@asynccontextmanager
async def listening(
    valkey_url: str, folder: Path, tls: str, days: int = 60
) -> AsyncIterator[tuple[GatewayUnderTest, StandIn]]:
    self_signed(folder / "certificate.pem", folder / "key.pem", days=days)
    fields = {
        "listeners": (Listener(port=0, tls=tls),),
        "certificate": str(folder / "certificate.pem"),
        "key": str(folder / "key.pem"),
        "plain_auth_networks": (),
    }
    settings = settings_for(valkey_url, gateway=fields, hold={"enabled": False})
    plan = generation(vmta(1, daily=10), tenants=(tenant(),))
    async with StandIn.start() as pmta, gateway(settings, plan) as gate:
        yield gate, pmta


async def check(
    folder: Path, *words: object, password: str = "", ca: bool = True
) -> tuple[int, str]:
    """(exit code, all that it said)."""
    assert shutil.which("curl"), "no curl here (installed by .ci/run)"
    process = await asyncio.create_subprocess_exec(
        *("sh", str(CHECK), *map(str, words)),
        env={"PATH": "/usr/bin:/bin", **({"CA": str(folder / "certificate.pem")} if ca else {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(f"{password}\n".encode())
    assert process.returncode is not None
    assert not password or password not in said.decode()
    return process.returncode, said.decode()


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_mailwizz_host_sees_that_all_is_well(
    valkey_url: str, tmp_path: Path, tls: str
) -> None:
    async with listening(valkey_url, tmp_path, tls) as (gate, pmta):
        code, said = await check(tmp_path, "localhost", gate.port, tls, "acme", password=PASSWORD)
        assert (code, said.count("ok: ")) == (0, 5), said
        assert "ok: login: acme is let in" in said
        code, said = await check(tmp_path, "localhost", gate.port, tls)
        assert code == 0, said
        assert await pmta.messages() == []


async def test_what_is_wrong_is_named(valkey_url: str, tmp_path: Path) -> None:
    async with listening(valkey_url, tmp_path, "implicit") as (gate, _):
        host, port = "localhost", gate.port
        for words, more, says in (
            (
                (host, port, "implicit", "acme"),
                {"password": "not-it"},
                "login: acme was refused (535",
            ),
            ((host, port, "implicit"), {"ca": False}, "TLS: the certificate does not vouch for"),
            (("127.0.0.2", port, "implicit"), {}, "port: nobody listens"),
            (("nowhere.invalid", port, "implicit"), {}, "DNS: nowhere.invalid has no address"),
            ((host, 1, "implicit"), {}, "port: nobody listens"),
        ):
            code, said = await check(tmp_path, *words, **more)
            assert (code, says in said) == (1, True), said
        assert (await check(tmp_path, host, "x", "implicit"))[0] == 2
        assert (await check(tmp_path, host, port, "ssl"))[0] == 2


async def test_the_other_kind_of_tls_is_named(valkey_url: str, tmp_path: Path) -> None:
    async with listening(valkey_url, tmp_path, "starttls") as (gate, _):
        code, said = await check(tmp_path, "localhost", gate.port, "implicit")
        assert (code, "speaks none from the first octet" in said) == (1, True), said
        code, said = await check(tmp_path, "localhost", gate.port, "none")
        assert (code, "login: none is offered" in said) == (1, True), said


async def test_a_certificate_near_its_end_is_named(valkey_url: str, tmp_path: Path) -> None:
    async with listening(valkey_url, tmp_path, "implicit", days=9) as (gate, _):
        code, said = await check(tmp_path, "localhost", gate.port, "implicit")
        assert code == 1, said
        assert re.search(r"the certificate ends in [89] days", said), said
