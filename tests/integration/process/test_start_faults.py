"""What keeps a start from going well is one line with its fix: from `sendgate check` before, from
the processes themselves at the start, and in the log when a reload would have met it."""

import asyncio
import datetime
import os
import signal
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from control.cli.main import run
from loadtest.certificate import self_signed
from policy.ledger.connection import connect
from settings.environment import misspelt
from settings.model import Listener, Settings
from tests.conftest import CreateDatabase
from tests.integration.process.test_workers import process_settings
from tests.support.certificates import make_certificate
from tests.support.control.core import build, control_core, settings_for
from tests.support.entry import SENDGATE
from tests.support.gateway.generations import generation
from tests.support.gateway.process import GatewayProcess
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

TLS = '[[gateway.listeners]]\nport = 0\ntls = "implicit"\n'


def spoil(folder: Path, how: str) -> tuple[Path, Path]:
    """A certificate and a key that TLS cannot use."""
    folder.mkdir()
    made = make_certificate(folder)
    if how == "another key":
        self_signed(folder / "other.pem", made.key)
    elif how == "a passphrase":
        key = serialization.load_pem_private_key(made.key.read_bytes(), None)
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
    elif how == "no certificate":
        made.certificate.write_text("nothing\n", encoding="ascii")
    elif how == "no key":
        made.key.write_bytes(made.certificate.read_bytes())
    return made.certificate, made.key


SPOILT = {
    "another key": "gateway.key: ",
    "a passphrase": "asks for a passphrase",
    "no certificate": "gateway.certificate: ",
    "no key": "gateway.key: ",
}


async def ended(*command: str, **environ: str) -> tuple[int | None, list[str]]:
    """(exit code, lines on standard error that are no log) of what must end by itself."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SENDGATE_DOTENV": "/dev/null", **environ},
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            _, error = await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    lines = error.decode().splitlines()
    return process.returncode, [line for line in lines if not line.startswith("{")]


@pytest.mark.parametrize("how", SPOILT)
async def test_a_certificate_that_cannot_be_used_is_one_line_everywhere(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = spoil(tmp_path / "tls", how)
    config = tmp_path / "sendgate.toml"
    config.write_text(
        f'[gateway]\ncertificate = "{certificate}"\nkey = "{key}"\nadmin_port = 0\n{TLS}'
        "[hold]\nenabled = false\n",
        encoding="utf-8",
    )
    assert await asyncio.to_thread(run, ["check", "--config", str(config)]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "gateway." in line]
    assert len(said) == 1
    assert SPOILT[how] in said[0]
    up = (*SENDGATE, "up", "--data-dir", str(tmp_path / "data"))
    # 2 is what the gateway's unit does not restart at (deploy/systemd).
    for command, wanted in (((sys.executable, "-m", "gateway"), 2), (up, 2)):
        code, lines = await ended(*command, "--config", str(config))
        assert (code, len(lines)) == (wanted, 1), lines
        assert SPOILT[how] in lines[0]


async def test_what_only_a_worker_meets_ends_the_first_start_and_no_later_one(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the files were changed between the parent's look and the worker's."""
    blind = tmp_path / "blind"
    blind.mkdir()
    (blind / "sitecustomize.py").write_text(
        "import settings.tls\nsettings.tls.start_problems = lambda settings: []\n"
    )
    good = make_certificate(tmp_path)
    settings = process_settings(
        valkey_url, listeners=(Listener(port=0, tls="implicit"), Listener(port=0)),
        certificate=str(good.certificate), key=str(good.key),
    )  # fmt: skip
    gate = GatewayProcess(settings, tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(blind))
    key = good.key.read_bytes()
    self_signed(tmp_path / "other.pem", good.key)
    code, lines = await ended(sys.executable, "-m", "gateway", "--config", str(gate.config))
    assert (code, len(lines)) == (1, 1), lines
    assert "KEY_VALUES_MISMATCH" in lines[0]
    good.key.write_bytes(key)
    async with StandIn.start() as pmta:
        await gate.publish(generation(port=pmta.smtp_port))
        async with gate:
            before = gate.worker_pids()
            self_signed(tmp_path / "other.pem", good.key)
            gate.signal(signal.SIGHUP)
            [line] = await gate.until("reload_failed")
            assert "KEY_VALUES_MISMATCH" in line["why"], line
            assert line["why"].endswith("; the old ones go on")
            assert gate.worker_pids() == before
            assert gate.lines("worker_died") == []
            wire = await SmtpWire.open(gate.ports[1])
            await wire.close()


@pytest.fixture
async def control(valkey_url: str, create_database: CreateDatabase) -> Settings:
    """Settings of a control plane that was started once, on servers that are well."""
    settings = settings_for(await create_database("control", build), valkey_url)
    async with control_core(settings) as core:
        await core.pool.execute("DELETE FROM pmta_server_address")
    return settings


async def check(settings: Settings, monkeypatch: pytest.MonkeyPatch, **environ: str) -> int:
    given = {
        "SENDGATE_LEDGER_URL": settings.ledger.url,
        "SENDGATE_DATABASE_URL": settings.database.url,
        "SENDGATE_CONTROL_SECRET": settings.control.secret,
        "SENDGATE_DOTENV": "/dev/null",
        "SENDGATE_CONFIG": "/dev/null",
        **environ,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(run, ["check"])


async def test_a_single_ledger_must_sync_every_answer(
    control: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = connect(control.ledger.url)
    single = {"SENDGATE_LEDGER_SINGLE": "true"}
    assert await check(control, monkeypatch, **single) == 0, capsys.readouterr().err
    await client.config_set("appendfsync", "everysec")
    try:
        assert await check(control, monkeypatch, **single) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert "ledger.single: `appendfsync` is everysec, not always; set the server" in line
        monkeypatch.setenv("SENDGATE_LEDGER_SINGLE", "false")
        assert await check(control, monkeypatch) == 0
    finally:
        await client.config_set("appendfsync", "always")
        await client.aclose()


async def test_servers_that_cannot_be_resolved_are_told_from_silent_ones(
    control: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, url in (
        ("SENDGATE_LEDGER_URL", "redis://nosuch.invalid:6379/0"),
        ("SENDGATE_DATABASE_URL", "postgresql://u@nosuch.invalid/db"),
    ):
        assert await check(control, monkeypatch, **{variable: url}) == 1
        said = capsys.readouterr().err
        assert f"at {url.replace('u@', '***@')} cannot be resolved" in said, said
    for url in ("redis://127.0.0.1:1/0", "redis://127.0.0.1:1/0?db=2"):
        assert await check(control, monkeypatch, SENDGATE_LEDGER_URL=url) == 1
        assert "does not answer" in capsys.readouterr().err


async def test_check_finds_hosts_that_this_machine_cannot_listen_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sendgate.toml"
    config.write_text(
        '[gateway]\nadmin_host = "192.0.2.78"\n[[gateway.listeners]]\nhost = "nosuch.invalid"\n'
        '[[gateway.listeners]]\nhost = "192.0.2.77"\n[[gateway.listeners]]\nhost = "0.0.0.0"\n'
        '[control]\nhost = "2001:db8::77"\nplain_beyond_loopback = true\n[database]\nurl = "postgresql://u@127.0.0.1:1/db"\n'
        '[ledger]\nurl = "redis://127.0.0.1:1/0"\n',
        encoding="utf-8",
    )
    assert await asyncio.to_thread(run, ["check", "--config", str(config)]) == 1
    said = capsys.readouterr()
    found = [line for line in said.err.splitlines() if "host: " in line]
    wanted = (
        "gateway.listeners[0].host: nosuch.invalid cannot be resolved",
        "gateway.listeners[1].host: this machine cannot listen on 192.0.2.77 (",
        "gateway.admin_host: this machine cannot listen on 192.0.2.78 (",
        "control.host: this machine cannot listen on 2001:db8::77 (",
    )
    assert len(found) == len(wanted)
    for line, text in zip(found, wanted, strict=True):
        assert line.startswith(f"sendgate: {text}")
    assert "ok: settings" not in said.out


async def test_a_restore_without_postgresql_says_where_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (
        ("SENDGATE_DATABASE_URL", "postgresql://u@127.0.0.1:1/db"),
        ("SENDGATE_DOTENV", "/dev/null"), ("SENDGATE_CONFIG", "/dev/null"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    said = []
    for command in (["migrate"], ["restore", "--dry-run"]):
        assert await asyncio.to_thread(run, command) == 1
        said.append(capsys.readouterr().err)
    assert "PostgreSQL at postgresql://***@127.0.0.1:1/db does not answer" in said[0]
    assert said[1] == said[0]


async def test_check_warns_of_what_weakens_a_start(
    control: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    made = make_certificate(tmp_path)  # of a day
    config = tmp_path / "sendgate.toml"
    config.write_text(
        f'[gateway]\ncertificate = "{made.certificate}"\nkey = "{made.key}"\n{TLS}', "utf-8"
    )
    weak = {"SENDGATE_CONFIG": str(config), "SENDGATE_CONTROL_SECRET": ""}
    misspelt = {"SENDGATE_LEDGER_SINGEL": "true", "SENDGATE_GATEWAY_WORKER": "4"}
    assert await check(control, monkeypatch, **weak, **misspelt) == 0
    out = capsys.readouterr().out
    day = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).date()
    for sentence in (
        f"warning: gateway.certificate: {made.certificate} ends on {day}",
        "warning: control.secret: not set",
        "without effect: SENDGATE_LEDGER_SINGEL: no such setting; is it SENDGATE_LEDGER_SINGLE?",
        "SENDGATE_GATEWAY_WORKER: no such setting; is it SENDGATE_GATEWAY_WORKERS?",
    ):  # fmt: skip
        assert sentence in out


def test_our_own_variables_are_not_misspelt() -> None:
    ours = ("SENDGATE_URL", "SENDGATE_TOKEN", "SENDGATE_DOTENV", "WARMUP_WEEK1_QUOTA", "PATH")
    assert misspelt(dict.fromkeys(ours, "x")) == []
    [found] = misspelt({"WARMUP_WEEK1_QOUTA": "50"})
    assert found.endswith("is it WARMUP_WEEK1_QUOTA?")
