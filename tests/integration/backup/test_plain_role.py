"""The role of the runbook owns its database and nothing else: it is no superuser. And what is
killed in the middle leaves what was there."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from control.backup.key import new_key
from control.cli.main import run
from control.embedded.stack.toml import to_toml
from control.store.migrate import migrate
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from tests.conftest import CreateDatabase
from tests.faults.process import clean_environment
from tests.support.control.core import settings_for
from tests.support.entry import SENDGATE

ROWS = 40_000
"""Enough that putting them back takes a while."""
NAME = "restricted"


async def asked(url: str, statement: str, *values: Any) -> Any:
    link = await asyncpg.connect(url)
    try:
        return await link.fetchval(statement, *values)
    finally:
        await link.close()


@pytest.fixture
async def url(create_database: CreateDatabase) -> AsyncIterator[str]:
    """A database whose owner may create databases, and is nobody else."""
    admin = await create_database()
    role, word = f"plain_{secrets.token_hex(4)}", secrets.token_hex(8)
    await asked(admin, f"CREATE ROLE {role} LOGIN CREATEDB NOSUPERUSER PASSWORD '{word}'")
    of = urlsplit(admin)
    await asked(admin, f'ALTER DATABASE "{of.path[1:]}" OWNER TO {role}')
    yield f"postgresql://{role}:{word}@{of.hostname}:{of.port}{of.path}"
    await asked(admin, f"REASSIGN OWNED BY {role} TO CURRENT_USER")
    await asked(admin, f"DROP OWNED BY {role}")
    await asked(admin, f"DROP ROLE {role}")


@pytest.fixture
async def config(url: str, valkey_url: str, tmp_path: Path) -> Path:
    await migrate(url)
    settings = settings_for(url, valkey_url)
    client = connect(settings.ledger.url)
    try:
        await LedgerAdmin(client, settings.ledger.name).open()
    finally:
        await client.aclose()
    (tmp_path / "key").write_text(new_key())
    (tmp_path / "key").chmod(0o600)
    file = tmp_path / "sendgate.toml"
    file.write_text(to_toml(settings))
    return file


async def command(config: Path, *words: str) -> int:
    line = [*words, "--key", str(config.with_name("key")), "--config", str(config)]
    return await asyncio.to_thread(run, line)


async def test_it_makes_proves_and_puts_back_as_often_as_wanted(
    config: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = urlsplit(url).path[1:]
    for number in (1, 2):
        file = config.with_name(f"{number}.backup")
        assert await command(config, "backup", str(file)) == 0, capsys.readouterr().err
        assert await command(config, "backup", "drill", str(file)) == 0, capsys.readouterr().err
        words = ("restore", str(file), "--yes", "--replace", name, "--json")
        assert await command(config, *words) == 0, capsys.readouterr().err
    # As initdb leaves it, or pg_dump would write what only its owner may say.
    owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
    assert await asked(url, owner) == "pg_database_owner"


async def test_killed_in_the_middle_it_changed_nothing(
    config: Path, url: str, tmp_path: Path
) -> None:
    fill = (
        "INSERT INTO statistic_probe SELECT i, repeat(md5(i::text), 20) "
        f"FROM generate_series(1, {ROWS}) i"
    )
    await asked(url, "CREATE TABLE statistic_probe (id integer PRIMARY KEY, text text)")
    await asked(url, fill)
    file = config.with_name("big.backup")
    assert await command(config, "backup", str(file)) == 0
    await asked(url, "DELETE FROM statistic_probe WHERE id > 5")
    log = tmp_path / "restore.log"
    killed = 0
    for delay in (0.02, 0.1, 0.25):
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(*SENDGATE, "restore", str(file), "--yes"),
                *("--replace", urlsplit(url).path[1:], "--key", str(config.with_name("key"))),
                *("--config", str(config)),
                env=clean_environment(),
                stdout=out,
                stderr=out,
            )
        try:
            busy = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name IN ('sendgate backup', 'psql') AND xact_start IS NOT NULL"
            )
            async with asyncio.timeout(60):
                while not await asked(url, busy):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.01)
            await asyncio.sleep(delay)
            if process.returncode is None:
                killed += 1
            os.kill(process.pid, signal.SIGKILL)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        async with asyncio.timeout(60):
            while await asked(url, busy):
                await asyncio.sleep(0.05)
        assert await asked(url, "SELECT count(*) FROM statistic_probe") == 5
    assert killed == 3


async def test_memory_does_not_grow_with_the_database(config: Path, url: str) -> None:
    """The dump is compressed by pg_dump: what does not compress shows what we keep."""
    await asked(url, "CREATE TABLE statistic_probe (id integer PRIMARY KEY, noise bytea)")
    fill = (
        "INSERT INTO statistic_probe SELECT i, decode(string_agg(md5((i * 4099 + j)::text), ''), "
        "'hex') FROM generate_series(1, 60) i, generate_series(1, 65536) j GROUP BY i"
    )
    await asked(url, fill)
    file = config.with_name("big.backup")
    watch = (
        "import resource, sys\nfrom control.cli.main import run\ncode = run(sys.argv[1:])\n"
        "print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for words in (("backup", str(file)), ("backup", "drill", str(file)), ("token", "list")):
        own = ("--key", str(config.with_name("key"))) if words[0] == "backup" else ()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", watch, *words, *own, "--config", str(config)),
            env=clean_environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        code, peak = out.split()[-2:]
        assert code == b"0", out
        peaks.append(int(peak) / 1024)
    assert file.stat().st_size > 55 * 1024 * 1024
    print(f"peaks, MiB: {peaks}")
    assert max(peaks[:2]) - peaks[2] < 40, peaks
