"""Where a secret may end up that nobody meant to write there: processes, tables, keys, files."""

import asyncio
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis

from control.embedded.servers import binaries
from tests.support.processes import family


def of_process(pid: int, what: str) -> bytes:
    """`cmdline`, `environ` or `limits` in /proc; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def environment_of(pid: int) -> dict[str, bytes]:
    """What everybody with our user may read of it, by name."""
    pairs = (one.partition(b"=") for one in of_process(pid, "environ").split(b"\0") if one)
    return {name.decode(): value for name, _, value in pairs}


def with_core(pids: Iterable[int]) -> list[int]:
    """Those that would leave a core of more than nothing."""
    found = []
    for pid in (member for one in pids for member in family(one)):
        line = next(
            (one for one in of_process(pid, "limits").splitlines() if b"Max core" in one), b""
        )
        if line and line.split()[4] != b"0":
            found.append(pid)
    return found


async def dumped(url: str) -> bytes:
    """The whole database as `pg_dump` has it."""
    of = urlsplit(url)
    command = [str(binaries.postgres_bin() / "pg_dump"), "--inserts", "--dbname", of.path[1:]]
    environ = {
        "PGHOST": of.hostname or "",
        "PGPORT": str(of.port),
        "PGUSER": of.username or "",
        "PGPASSWORD": of.password or "",
        "PATH": os.defpath,
    }
    done = await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, check=True
    )
    return done.stdout


async def scanned(client: Redis) -> bytes:
    """Every key of a ledger with its value, functions too."""
    parts: list[bytes] = [repr(await client.execute_command("FUNCTION", "LIST")).encode()]
    async for key in client.scan_iter(count=1000):
        name = key if isinstance(key, bytes) else key.encode()
        kind = await client.type(key)
        value: object
        match kind.decode() if isinstance(kind, bytes) else kind:
            case "string":
                value = await client.get(key)
            case "hash":
                value = await client.hgetall(key)
            case "set":
                value = await client.smembers(key)
            case "zset":
                value = await client.zrange(key, 0, -1, withscores=True)
            case "list":
                value = await client.lrange(key, 0, -1)
            case "stream":
                value = await client.xrange(key)
            case other:
                raise AssertionError(f"{key!r}: a type this does not read: {other}")
        parts.append(name + b" " + _octets(value))
    return b"\n".join(parts)


def _octets(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return b" ".join(_octets(one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple | set):
        return b" ".join(_octets(one) for one in value)
    return repr(value).encode()


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Path below `folder` to mode and content, of all regular files."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
