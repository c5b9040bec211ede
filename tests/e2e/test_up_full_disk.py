"""A disk that is full for a while, under `sendgate up`: both stores end, and both come back."""

import asyncio
import contextlib
import smtplib
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from control.embedded.stack.child import BACKOFF
from tests.e2e.test_up import send, waiting
from tests.support.control.up import Up, command, leftovers, receipts

QUOTA = 20
SIZE = 320
"""MiB: two stores with room for their write-ahead logs."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    where = tmp_path / "stack"
    where.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=0755", "tmpfs", str(where)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {made.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def fill(disk: Path) -> list[Path]:
    """Files that take every octet, also those that were freed since the last call."""
    file = disk / f"full-{time.monotonic_ns()}"
    with contextlib.suppress(OSError), file.open("ab", buffering=0) as out:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while out.write(b"\0" * size) == size:
                    pass
    return [file]


def await_wal(data_dir: Path) -> None:
    """Let PostgreSQL need another segment of its write-ahead log, as mail would some time."""
    url = msgspec.json.decode((data_dir / "addresses.json").read_bytes())["postgres"]

    async def write() -> None:
        link = await asyncpg.connect(url, timeout=2.0, command_timeout=5.0)
        try:
            await link.execute("SELECT pg_logical_emit_message(true, 'x', repeat('x', 1 << 24))")
        finally:
            link.terminate()

    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        asyncio.run(write())


def attempt(address: str, to: str) -> int:
    """The reply's code; 0 for none."""
    try:
        return send(address, to)[0]
    except (OSError, smtplib.SMTPException):
        return 0


def test_both_stores_come_back_when_a_full_disk_is_freed(
    disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data_dir = disk
    up = Up(data_dir)
    stderr = data_dir.parent / "stderr"
    try:
        where = up.ready()
        for words in (
            ("tenant", "add", "acme", "--login", "acme", "--password", "acme-password"),
            ("domain", "add", "--tenant", "acme", "--domain", "acme.example", "--ip", "192.0.2.10",
             "--quota", str(QUOTA), "--hourly-share", "1.0"),
        ):  # fmt: skip
            assert command(data_dir, *words) == 0
        taken = [f"before{number}@company.example" for number in range(30)]
        assert [attempt(where["smtp"], to) for to in taken] == [250] * 30, "ten of them are held"
        fillers = fill(disk)
        deadline = time.monotonic() + 60
        number = 0
        while not _both_in_trouble(stderr):
            assert time.monotonic() < deadline, stderr.read_text()
            number += 1
            fillers += fill(disk)
            await_wal(data_dir)
            if attempt(where["smtp"], f"full{number}@company.example") == 250:
                taken.append(f"full{number}@company.example")
        # Longer than the first waits between two attempts: those are the long ones by now.
        time.sleep(sum(BACKOFF[:-2]) + 0.5)
        for file in fillers:
            file.unlink()
        deadline = time.monotonic() + 60
        while attempt(where["smtp"], f"after{number}@company.example") != 250:
            assert time.monotonic() < deadline, stderr.read_text()
            number += 1
            time.sleep(0.2)
        taken.append(f"after{number}@company.example")
        while command(data_dir, "check") != 0:
            assert time.monotonic() < deadline, stderr.read_text()
            time.sleep(0.5)
        for _ in range(5):
            assert command(data_dir, "clock", "advance", "1d") == 0
            deadline = time.monotonic() + 30
            while (left := waiting(data_dir, capfd)) and time.monotonic() < deadline:
                if not set(taken) - {r.rcpt for r in receipts(data_dir)}:
                    break
                time.sleep(0.2)
            if not left:
                break
        went = Counter(r.rcpt for r in receipts(data_dir))
        assert {rcpt: went[rcpt] for rcpt in taken} == dict.fromkeys(taken, 1)
        assert max(Counter(r.day for r in receipts(data_dir)).values()) <= QUOTA
        assert up.end() == 0
        assert leftovers(data_dir) == []
    finally:
        # Its children end with it.
        up.process.kill()
        up.process.communicate()


def _both_in_trouble(stderr: Path) -> bool:
    said = stderr.read_text()
    return all(
        f"cannot start the embedded {name} again" in said for name in ("Valkey", "PostgreSQL")
    )
