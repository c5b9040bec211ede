"""A backup is made while all runs, read back, tried in a scratch database, and put back whole."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from control.backup.keeping import newest
from control.backup.key import new_key
from control.backup.putback import PutBack
from control.cli.main import run
from control.embedded.stack.toml import to_toml
from control.pmta.dkim import new_secret
from policy.limits import day_of
from settings.model import Settings
from settings.statements import statements
from tests.conftest import CreateDatabase
from tests.support.control.core import SECRET, build, settings_for
from tests.support.ledger.loss import Scene, scene


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Scene]:
    async with scene(settings) as made:
        day = day_of(await made.now())
        await made.held(1, "held", reason="ip_quota", waiting=True, due=1_000_000, key="kheld")
        await made.held(2, "claimed", claimant="r1", envelope=f"{day}-message2.1")
        await made.held(3, "done", verdict="was", vmta="vmta-192-0-2-10")
        yield made


class Host:
    """A host with a configuration, a key and a folder for backups."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.config, self.key = folder / "sendgate.toml", folder / "key"
        self.config.write_text(to_toml(settings))
        self.key.write_text(new_key())
        self.key.chmod(0o600)
        self.backups = folder / "backups"
        self.backups.mkdir()
        self.url = settings.database.url

    async def run(self, *words: str) -> int:
        line = [*words, "--key", str(self.key)]
        if words[:2] not in (("backup", "verify"), ("backup", "files")):
            line += ["--config", str(self.config)]
        return await asyncio.to_thread(run, line)

    async def made(self) -> Path:
        assert await self.run("backup", str(self.backups)) == 0
        return newest(self.backups)

    async def rows(self) -> list[tuple[Any, ...]]:
        link = await asyncpg.connect(self.url)
        try:
            found = await link.fetch("SELECT id, state, reason FROM held ORDER BY id")
            return [tuple(row) for row in found]
        finally:
            await link.close()

    async def databases(self) -> int:
        link = await asyncpg.connect(self.url)
        try:
            return await link.fetchval(
                "SELECT count(*) FROM pg_database WHERE datname LIKE 'sendgate_drill%'"
            )
        finally:
            await link.close()

    async def emptied(self) -> None:
        link = await asyncpg.connect(self.url)
        try:
            await link.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        finally:
            await link.close()


@pytest.fixture
async def host(tmp_path: Path, settings: Settings, here: Scene) -> Host:
    return Host(tmp_path, settings)


async def test_made_verified_and_drilled(
    host: Host, here: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await here.send("initech") == 1
    file = await host.made()
    assert file.stat().st_mode & 0o777 == 0o600
    assert SECRET.encode() not in file.read_bytes()
    capsys.readouterr()
    assert await host.run("backup", "verify", str(file), "--json") == 0
    found = msgspec.json.decode(capsys.readouterr().out)
    assert found["manifest"]["waiting"] == {"claimed": 1, "held": 1}
    assert [one["name"].partition("/")[0] for one in found["entries"]] == [
        *("manifest", "secrets", "files", "ledger", "postgresql.dump")
    ]
    assert await host.run("backup", "drill", str(file), "--json") == 0
    drilled = msgspec.json.decode(capsys.readouterr().out)
    assert (drilled["problems"], drilled["rows"]) == ([], sum(found["manifest"]["tables"].values()))
    assert drilled["sealed"] >= 1
    assert await host.databases() == 0


async def test_it_is_refused_while_we_are_at_work_and_over_what_is_there(
    host: Host, here: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    file = await host.made()
    before = await host.rows()
    assert await host.run("restore", str(file), "--yes") == 1
    assert "at work: sendgate control" in capsys.readouterr().err
    assert await host.run("restore", str(file), "--dry-run") == 0
    assert "first it has to be stopped: sendgate control" in capsys.readouterr().out
    await here.core.pool.close()
    await here.core.admin.client.zadd(f"{here.core.admin.root}workers", {"w1": 4e9})
    assert await host.run("restore", str(file), "--yes") == 1
    assert "at work: 1 gateway process" in capsys.readouterr().err
    await here.core.admin.client.delete(f"{here.core.admin.root}workers")
    assert await host.run("restore", str(file), "--yes") == 1
    assert "is not empty" in capsys.readouterr().err
    assert await host.run("restore", str(file), "--yes", "--replace", "other") == 1
    assert await host.run("restore", str(file), "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.startswith("would replace database ")
    assert "waiting: 1 claimed, 1 held" in said
    assert "would put 2 messages in doubt" in said
    assert await host.run("restore", str(file)) == 1
    assert await host.rows() == before
    assert (await here.core.admin.standing()).incarnation != ""


async def test_put_back_over_what_is_there_all_that_waited_is_in_doubt(
    host: Host, here: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await here.send("acme", 3) == 3
    file = await host.made()
    await here.held(9, "held", reason="ip_quota")
    await here.core.pool.close()
    # Valkey lost its data, too.
    await here.core.admin.client.flushall()
    name = host.url.rpartition("/")[2].partition("?")[0]
    capsys.readouterr()
    words = ("restore", str(file), "--yes", "--replace", name, "--reason", "disk died", "--json")
    assert await host.run(*words) == 0
    done = msgspec.json.decode(capsys.readouterr().out, type=PutBack)
    assert (done.in_doubt, done.replaced.waiting) == (2, {"claimed": 1, "held": 2})
    assert [(state, reason) for _, state, reason in await host.rows()] == [
        *(("doubt", "restored"), ("doubt", "restored"), ("done", ""))
    ]
    assert (await here.core.admin.standing()).incarnation == ""
    # Counts of the day are no less than they were.
    granted = await here.core.admin.granted(["192.0.2.10"], range(done.manifest.day, 99_999))
    assert granted == {"192.0.2.10": {done.manifest.day: 3}}
    link = await asyncpg.connect(host.url)
    try:
        assert await link.fetchval("SELECT detail FROM ledger") == (
            "a backup of PostgreSQL was restored"
        )
        why = "SELECT reason FROM audit_log WHERE action = 'restore'"
        assert await link.fetchval(why) == "disk died"
    finally:
        await link.close()


async def test_into_an_empty_database_nothing_need_be_said(host: Host, here: Scene) -> None:
    file = await host.made()
    await here.core.pool.close()
    await host.emptied()
    assert await host.run("restore", str(file), "--yes") == 0
    assert len(await host.rows()) == 3


@pytest.mark.parametrize("spoilt", ["cut", "changed"])
async def test_a_damaged_file_changes_nothing(
    host: Host, here: Scene, spoilt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = await host.made()
    octets = bytearray(file.read_bytes())
    if spoilt == "changed":
        octets[-100] ^= 1
    file.write_bytes(octets[: -1 if spoilt == "cut" else None])
    await here.core.pool.close()
    before = await host.rows()
    for words in (("backup", "verify"), ("backup", "drill"), ("restore", "--yes")):
        assert await host.run(*words, str(file)) == 1
        assert "damaged, or cut off" in capsys.readouterr().err
    assert await host.rows() == before
    assert (await here.core.admin.standing()).incarnation != ""
    assert await host.databases() == 0


async def test_another_secret_is_found_before_anything_is_changed(
    host: Host, here: Scene, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = await host.made()
    await here.core.pool.close()
    control = msgspec.structs.replace(settings.control, secret=new_secret())
    host.config.write_text(to_toml(msgspec.structs.replace(settings, control=control)))
    before = await host.rows()
    assert await host.run("restore", str(file), "--yes") == 1
    assert "name it in control.secrets_before" in capsys.readouterr().err
    assert await host.rows() == before
    out = tmp_path / "out"
    assert await host.run("backup", "files", str(file), "--to", str(out)) == 0
    assert msgspec.json.decode((out / "secrets.json").read_bytes())["control.secret"] == SECRET
    [config] = (out / "files").rglob("sendgate.toml")
    assert (SECRET in config.read_text(), config.stat().st_mode & 0o777) == (True, 0o600)
    assert await host.run("backup", "files", str(file), "--to", str(out)) == 1


async def test_what_the_ledger_refuses_is_not_committed(
    host: Host, here: Scene, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes away between the look at it and the end of the transaction."""
    file = await host.made()
    await here.core.pool.close()
    before = await host.rows()

    async def away(*_: object) -> bool:
        raise ConnectionRefusedError("away")

    monkeypatch.setattr("policy.ledger.admin.LedgerAdmin.close", away)
    name = host.url.rpartition("/")[2].partition("?")[0]
    assert await host.run("restore", str(file), "--yes", "--replace", name) == 1
    assert await host.rows() == before


async def test_a_backup_that_fails_leaves_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await host.run("backup", str(host.key)) == 1
    assert "replaces nothing" in capsys.readouterr().err
    monkeypatch.setitem(backup_sql(), "snapshot", "SELECT 'FFFFFFFF-FFFFFFFF-9'")
    assert await host.run("backup", str(host.backups)) == 1
    assert "pg_dump failed" in capsys.readouterr().err
    assert list(host.backups.iterdir()) == []


async def test_old_ones_go(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        await host.made()
    assert await host.run("backup", str(host.backups), "--keep", "2", "--without-secrets") == 0
    assert len(list(host.backups.iterdir())) == 2
    part = host.backups / ".sendgate-20200101T000000Z.backup.0a0b0c0d.part"
    part.touch()
    await host.made()
    assert part.exists(), "somebody may be writing it"
    os.utime(part, (1.6e9, 1.6e9))
    assert await host.run("backup", str(host.backups), "--keep", "2", "--without-secrets") == 0
    assert len(list(host.backups.iterdir())) == 2
    capsys.readouterr()
    # A folder is its newest; to put one back it has to be named.
    assert await host.run("backup", "verify", str(host.backups)) == 0
    assert "without secrets" in capsys.readouterr().out
    assert await host.run("restore", str(host.backups), "--yes") == 2
    assert await host.run("backup", "verify", str(host.backups.parent)) == 1
    assert await host.run("backup", str(host.backups / "one"), "--keep", "2") == 1


def backup_sql() -> dict[str, str]:
    found: dict[str, str] = statements("control.backup", "backup")._found
    return found
