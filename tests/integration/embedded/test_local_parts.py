"""The embedded parts keep what they acknowledged, whoever is killed, and never run twice."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import redis
import redis.asyncio
from redis.exceptions import AuthenticationError

from control.embedded.servers import account, binaries
from control.embedded.servers.datadir import Addresses, DataDir
from control.embedded.servers.error import LocalPartError
from control.embedded.servers.localserver import LocalServer
from control.embedded.servers.lock import open_locked
from control.embedded.servers.postgres import LocalPostgres
from control.embedded.servers.valkey import LocalValkey

PARTS = {"valkey": LocalValkey, "postgres": LocalPostgres}


@pytest.fixture(params=PARTS)
async def part(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LocalServer]:
    """Each server in turn, started; stopped at the end whatever the test did to it."""
    server = PARTS[request.param](tmp_path / request.param)
    await server.start()
    yield server
    await server.stop()


async def write(url: str, value: str) -> None:
    """Store one value and return when the server has acknowledged it."""
    if url.startswith("redis:"):
        async with redis.asyncio.Redis.from_url(url) as client:
            await client.set("value", value)
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
        await connection.execute("INSERT INTO kept VALUES ($1)", value)
    finally:
        await connection.close()


async def read(url: str) -> str:
    """The value stored last."""
    if url.startswith("redis:"):
        async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
            return str(await client.get("value"))
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT string_agg(value, ' ') FROM kept"))
    finally:
        await connection.close()


def gone(pid: int) -> bool:
    """Whether the process ended: unreaped ones count, since their parent is not ours."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


async def until_gone(pid: int) -> None:
    for _ in range(1000):
        if gone(pid):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"process {pid} still runs after 10 s")


def bystander(owner: Path) -> subprocess.Popen[bytes]:
    """A process that has nothing to do with us but runs as the user that owns `owner`."""
    uid = owner.stat().st_uid if os.geteuid() == 0 else None
    return subprocess.Popen(["sleep", "60"], user=uid)


def supervisor(kind: str, directory: Path, thread: str) -> subprocess.Popen[str]:
    """Another process that supervises a server, from its thread `main` or `side`."""
    command = [
        sys.executable,
        "-m",
        "tests.support.servers.supervising",
        kind,
        str(directory),
        thread,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_restart_keeps_data_and_url(part: LocalServer) -> None:
    url, pid = part.url, part.pid
    await write(url, "kept")
    await part.restart()
    assert part.url == url
    assert part.pid != pid
    assert await read(url) == "kept"


async def test_stop_ends_the_server_and_frees_the_directory(part: LocalServer) -> None:
    pid = part.pid
    await part.stop()
    assert gone(pid)
    with pytest.raises(LocalPartError, match="is not running"):
        _ = part.pid
    async with type(part)(part.data_dir) as again:
        assert again.url == part.url
    await part.stop()


async def test_killed_server_loses_nothing_acknowledged(part: LocalServer) -> None:
    url = part.url
    for number in range(20):
        await write(url, str(number))
    os.kill(part.pid, signal.SIGKILL)
    said = await asyncio.wait_for(part.wait_failed(), 5)
    assert "SIGKILL" in said
    assert part.log.name in said
    await part.restart()
    assert part.url == url
    assert (await read(url)).endswith("19")


async def test_watching_goes_on_over_a_restart(part: LocalServer) -> None:
    watch = asyncio.create_task(part.wait_failed())
    await part.restart()
    await asyncio.sleep(0.15)
    assert not watch.done()
    os.kill(part.pid, signal.SIGKILL)
    assert "SIGKILL" in await asyncio.wait_for(watch, 5)


async def test_wrong_password_is_refused(part: LocalServer) -> None:
    url = part.url.replace(part.url.split("@")[0][-8:], "00000000")
    with pytest.raises((AuthenticationError, asyncpg.InvalidPasswordError)):
        await write(url, "intruder")
    assert stat.S_IMODE((part.data_dir / "password").stat().st_mode) == 0o600


async def test_second_stack_is_refused_and_the_first_one_named(part: LocalServer) -> None:
    second = type(part)(part.data_dir)
    with pytest.raises(LocalPartError, match=rf"pid {os.getpid()}\).* choose another --data-dir"):
        await second.start()
    with pytest.raises(LocalPartError, match="already in use by this process"):
        await part.start()
    await second.stop()
    await write(part.url, "unharmed")


async def test_server_itself_holds_its_directory(part: LocalServer) -> None:
    # We closed our copy of the descriptor: what holds the lock now is the server.
    assert open_locked(part.data_dir / "server.lock") is None
    await part.stop()
    descriptor = open_locked(part.data_dir / "server.lock")
    assert descriptor is not None
    os.close(descriptor)


async def test_stale_pid_files_do_not_block_the_start(part: LocalServer) -> None:
    await write(part.url, "kept")
    os.kill(part.pid, signal.SIGKILL)
    await until_gone(part.pid)
    await part.stop()
    # The worst case after a reboot: the number lives, as the same user, and is somebody else.
    cluster = part.data_dir / "cluster"
    with bystander(cluster if cluster.exists() else part.data_dir) as other:
        try:
            for name in ("lock", "server.lock"):
                (part.data_dir / name).write_text(f"{other.pid}\n")
            if isinstance(part, LocalPostgres):
                pid_file = cluster / "postmaster.pid"
                lines = pid_file.read_text().split("\n")
                pid_file.write_text("\n".join([str(other.pid), *lines[1:]]))
            await part.start()
            assert other.poll() is None
        finally:
            other.kill()
    assert await read(part.url) == "kept"


async def test_taken_port_is_replaced_and_said(
    part: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    await write(part.url, "kept")
    before = part.port
    await part.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", before))
        squatter.listen()
        with caplog.at_level(logging.WARNING, logger="control.embedded.servers.ports"):
            await part.start()
        assert f"port {before} is taken" in caplog.text
        assert await read(part.url) == "kept"
        with pytest.raises(LocalPartError, match=f"port {before} on 127.0.0.1 is taken"):
            await type(part)(part.data_dir.with_name("other"), port=before).start()


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("thread", ["main", "side"])
async def test_killed_supervisor_leaves_nothing_in_the_way(
    kind: str, thread: str, tmp_path: Path
) -> None:
    # A server started from a side thread gets no death signal: it stays, and the next start
    # has to find it. So it is wherever setpriv is missing.
    dies_with_us = thread == "main" and account._setpriv() is not None
    directory = tmp_path / kind
    with supervisor(kind, directory, thread) as first:
        assert first.stdout
        url, pid = first.stdout.readline().split()
        await write(url, "kept")
        with pytest.raises(LocalPartError, match=rf"another stack \(pid {first.pid}\)"):
            await PARTS[kind](directory).start()
        first.kill()
    if dies_with_us:
        await until_gone(int(pid))
    else:
        assert not gone(int(pid))
    async with PARTS[kind](directory) as part:
        assert gone(int(pid))
        assert part.url == url
        assert await read(url) == "kept"


async def test_valkey_is_set_to_lose_and_evict_nothing(parts_valkey: str) -> None:
    async with redis.asyncio.Redis.from_url(parts_valkey, decode_responses=True) as client:
        settings = await client.config_get(
            "appendonly",
            "appendfsync",
            "no-appendfsync-on-rewrite",
            "aof-load-truncated",
            "maxmemory-policy",
            "save",
            "bind",
            "protected-mode",
        )
        assert (await client.info("replication"))["role"] == "master"
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "aof-load-truncated": "yes",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
        "protected-mode": "yes",
    }
    with redis.Redis.from_url(parts_valkey) as client_without_asyncio:
        assert client_without_asyncio.ping()


@pytest.fixture
def parts_valkey(valkey_url: str) -> str:
    return valkey_url


async def test_postgres_is_set_to_lose_nothing(postgres_url: str) -> None:
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "password_encryption": "scram-sha-256",
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "shared_buffers": "64MB",
        "max_connections": "60",
        "TimeZone": "UTC",
    }
    connection = await asyncpg.connect(postgres_url)
    try:
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in expected}
        assert shown == expected
        assert await connection.fetchval("SELECT upper('é') || ('Z' < 'a')::text") == "Étrue"
    finally:
        await connection.close()


async def test_databases_are_fresh_copies_of_a_template_built_once(create_database) -> None:
    built = []

    async def build(url: str) -> None:
        built.append(url)
        await write(url, "built")

    first = await create_database("kept-table", build)
    await write(first, "changed")
    second = await create_database("kept-table", build)
    assert await read(second) == "built"
    assert len(built) == 1


async def test_truncated_tail_of_the_append_only_file_is_survived(tmp_path: Path) -> None:
    async with LocalValkey(tmp_path / "valkey") as valkey:
        await write(valkey.url, "kept")
    (tail,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
    with tail.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$5\r\nval")
    async with LocalValkey(tmp_path / "valkey") as valkey:
        assert await read(valkey.url) == "kept"


async def test_interrupted_initdb_is_begun_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "cluster.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    async with LocalPostgres(tmp_path / "postgres") as postgres:
        await write(postgres.url, "kept")
        assert not unfinished.exists()


async def test_lost_database_password_is_an_error_not_a_new_password(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    (directory / "cluster").mkdir(parents=True)
    with pytest.raises(LocalPartError, match=r"password is missing.*restore it"):
        await LocalPostgres(directory).start()


async def test_failed_start_shows_the_log_and_leaves_no_lock(tmp_path: Path) -> None:
    directory = tmp_path / "valkey"
    (directory / "appendonlydir").mkdir(parents=True)
    manifest = directory / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("nonsense\n")
    valkey = LocalValkey(directory)
    with pytest.raises(LocalPartError, match=r"(?s)exit code 1.*valkey\.log:\n.*manifest"):
        await valkey.start()
    manifest.unlink()
    async with valkey:
        await write(valkey.url, "works")


async def test_start_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = tmp_path / "valkey-server"
    deaf.write_text("#!/bin/sh\necho still loading\nexec sleep 60\n")
    deaf.chmod(0o755)
    monkeypatch.setattr(binaries, "valkey_server", lambda: deaf)
    began = time.monotonic()
    valkey = LocalValkey(tmp_path / "valkey", start_timeout=0.3)
    with pytest.raises(LocalPartError, match=r"(?s)did not answer within 0\.3 s.*still loading"):
        await valkey.start()
    assert time.monotonic() - began < 5


async def test_server_that_ignores_the_stop_is_killed(part: LocalServer) -> None:
    part.stop_timeout = 0.3
    pid = part.pid
    os.kill(pid, signal.SIGSTOP)
    await part.stop()
    assert gone(pid)


async def test_missing_wheel_names_the_extra_and_the_way_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda name: None)
    for part, variable in (("valkey", "REDIS_URL"), ("postgres", "DATABASE_URL")):
        with pytest.raises(LocalPartError, match=rf"sendgate\[embedded\].* set {variable}"):
            await PARTS[part](tmp_path / part).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the database to another user")
class TestAsRoot:
    """PostgreSQL refuses root, and its user may not enter every directory."""

    async def test_runs_below_closed_directories(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not account._setpriv():
            pytest.skip("no setpriv of util-linux here")
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        # The environment too, as in /root/project/.venv; libraries are found beside the package.
        package = binaries.postgres_bin().parents[1]
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(package.with_name(name), closed / name)
        monkeypatch.setattr(
            binaries, "postgres_bin", lambda: closed / package.name / "pginstall" / "bin"
        )
        postgres = LocalPostgres(closed / "postgres")
        async with postgres:
            await write(postgres.url, "kept")
            await postgres.restart()
            assert await read(postgres.url) == "kept"
            status = Path(f"/proc/{postgres.pid}/status").read_text()
        uid, _ = account.database_ids()
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
        assert "NoNewPrivs:\t1" in status
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700

    async def test_says_what_to_do_where_nothing_helps(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(account, "_setpriv", lambda: None)
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        with pytest.raises(LocalPartError, match=r"(?s)does not run as root.*--data-dir"):
            await LocalPostgres(closed / "postgres").start()

    async def test_needs_no_capability_where_directories_are_open(self) -> None:
        binary = binaries.postgres_bin() / "postgres"
        uid, gid = account.database_ids()
        open_to_all = account.Account(uid=uid, gid=gid)
        if account._refusal(open_to_all, Path("/"), [binary]):
            pytest.skip("the environment itself lies below a closed directory")
        root = Path("/tmp") / f"sendgate-test-{os.getpid()}"
        data = DataDir(root)
        data.create()
        try:
            async with LocalPostgres(data.postgres) as postgres:
                await write(postgres.url, "kept")
                status = Path(f"/proc/{postgres.pid}/status").read_text()
        finally:
            shutil.rmtree(root)
        assert "CapEff:\t0000000000000000" in status


async def test_data_dir_is_closed_to_others_and_tells_what_to_do(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "deep" / ".sendgate")
    with pytest.raises(LocalPartError, match=r"no stack has run in .*sendgate up --data-dir"):
        data.read()
    assert data.running() is None
    assert not data.root.exists()
    data.create()
    data.create()
    assert stat.S_IMODE(data.root.stat().st_mode) & 0o067 == 0
    addresses = Addresses(
        smtp="127.0.0.1:2587", api="http://127.0.0.1:8000", token_file=str(data.token_file)
    )
    data.write(addresses)
    assert stat.S_IMODE(data.addresses_file.stat().st_mode) == 0o600
    assert data.read() == addresses
    assert sorted(path.name for path in data.root.iterdir()) == ["addresses.json"]
    with data.lock:
        assert data.running() == os.getpid()
        with pytest.raises(LocalPartError, match=rf"another stack \(pid {os.getpid()}\)"):
            DataDir(data.root).lock.acquire()
    assert data.running() is None
    data.addresses_file.write_text('{"smtp": 1}')
    with pytest.raises(LocalPartError, match=r"addresses.json is damaged .*remove it and start"):
        data.read()


async def test_data_dir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalPartError, match="choose another --data-dir"):
        DataDir(tmp_path / "file").create()
