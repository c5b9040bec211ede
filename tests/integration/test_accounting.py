"""Reading accounting on a real PostgreSQL: evidence exactly once, whatever ends the reader."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from control.accounting import store
from control.accounting.evidence import Evidence
from control.accounting.reader import Reader
from control.accounting.trail import Look, Position
from loadtest.pmta.accounting import Accounting as Writer
from loadtest.pmta.clock import Clock
from loadtest.pmta.records import COLUMNS
from settings.hold import Accounting, Stream
from tests.conftest import CreateDatabase
from tests.support.control import build
from tests.support.smtpwire import SmtpWire
from tests.support.standin import StandInProcess

NOW = 1_772_323_200_000
DAY = NOW // 86_400_000


@pytest.fixture
async def url(create_database: CreateDatabase) -> str:
    return await create_database("control", build)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


class Calendar:
    """Calendar time that moves by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = NOW

    async def __call__(self) -> int:
        self.now += 1000
        return self.now


@asynccontextmanager
async def reading(url: str, path: Path, batch: int = 2_000) -> AsyncIterator[Reader]:
    """A reader at work; it is cut off wherever it stands."""
    settings = Accounting(batch=batch, poll=0.01)
    reader = Reader(url, Stream(server="pmta1", path=str(path)), settings, Calendar())
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.005)


async def stream(database: Any) -> Any:
    return await database.fetchrow("SELECT * FROM accounting_stream WHERE server = 'pmta1'")


async def caught_up(database: Any, records: int) -> Any:
    """Until so many records have been read and the end was reached behind them."""

    async def there() -> bool:
        row = await stream(database)
        return row is not None and row["records"] >= records and row["read_at"] > 0

    await until(there)
    return await stream(database)


async def relayed(database: Any) -> dict[tuple[str, str], int]:
    rows = await database.fetch("SELECT * FROM relayed")
    assert {row["day"] for row in rows} <= {DAY}
    return {(row["vmta"], row["provider"]): row["count"] for row in rows}


def record(kind: str, envelope: str, rcpt: str = "a@gmail.com", vmta: str = "v1") -> Any:
    named = {"type": kind, "envId": envelope, "rcpt": rcpt, "vmta": vmta}
    named |= {"dsnDiag": 'smtp;550 "no, \r\nnever"', "timeLogged": "2026-03-01 00:00:01+0000"}
    return tuple(named.get(column, "") for column in COLUMNS)


class Mail:
    """Records written as PowerMTA writes them, and what they have to add up to."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.writer = Writer(directory, Clock())
        self.random = random.Random(seed)
        self.kinds: dict[tuple[str, int], str] = {}
        self.relayed: Counter[tuple[str, str]] = Counter()
        self.records = 0

    def write(self, count: int) -> None:
        for _ in range(count):
            message = f"message{len(self.kinds)}"
            vmta = self.random.choice(["v1", "v2", "pool"])
            rcpt, provider = self.random.choice(
                [("a@gmail.com", "gmail"), ("b@x.example", "other"), ('"a, b"@yahoo.fr', "yahoo")]
            )
            kinds = self.random.choice(["r", "rd", "rtb", "rtd"])
            for kind in kinds:
                self.writer.write(record(kind, f"{DAY}-{message}.1-key", rcpt, vmta))
            self.kinds[message, 1] = kinds
            self.relayed[vmta, provider] += 1
            self.records += len(kinds)
            self.writer.flush()
            if self.random.random() < 0.1:
                self.writer.rotate()

    async def check(self, database: Any) -> None:
        rows = await database.fetch("SELECT * FROM receipt")
        assert {(row["message"], row["attempt"]): row["kinds"] for row in rows} == self.kinds
        assert {(row["server"], row["key"], row["day"]) for row in rows} == {("pmta1", "key", DAY)}
        assert await relayed(database) == self.relayed
        row = await stream(database)
        assert (row["records"], row["gap_at"], row["gap"]) == (self.records, 0, "")


async def test_the_stand_ins_mail_and_probes_are_read_through_rotations(
    url: str, database: Any, tmp_path: Path
) -> None:
    path = tmp_path / "acct.csv"
    await database.execute("INSERT INTO probe (id, server, sent) VALUES ('p1', 'pmta1', 1), "
                           "('p2', 'pmta1', 1), ('p1x', 'pmta2', 1)")  # fmt: skip
    pmta = await StandInProcess.run("--accounting", str(tmp_path))
    wire = await SmtpWire.open(pmta.smtp_port)

    async def send(envelope: str, *rcpts: str) -> None:
        assert (await wire.send(*rcpts, body=f"X-Envid: {envelope}\r\n\r\n")).startswith("250")

    async with reading(url, path):
        await send(f"{DAY}-message1.1-key", "a@gmail.com", "b@gmail.com", "transient@c.example")
        assert (await caught_up(database, 6))["file"] == "acct.csv"
        await pmta.command("rotate acct")
        await send("probe-p1", "probe@probe.sendgate.invalid")
        await pmta.command("rotate acct")
        await pmta.command("rotate acct")
        await send("somebody-elses", "d@x.example")
        await send(f"{DAY}-message1.2", "bounce@x.example")
        row = await caught_up(database, 12)
    await wire.close()
    await pmta.stop()
    assert await relayed(database) == {
        ("{default}", "gmail"): 2,
        ("{default}", "other"): 2,
    }
    receipts = await database.fetch("SELECT attempt, key, kinds FROM receipt ORDER BY attempt")
    assert [tuple(found) for found in receipts] == [(1, "key", "rdt"), (2, "", "rb")]
    probes = await database.fetch("SELECT id, read FROM probe ORDER BY id")
    assert [tuple(found) for found in probes] == [("p1", True), ("p1x", False), ("p2", False)]
    assert (row["file"], row["gap_at"], row["problem"], len(row["done"])) == ("acct.csv", 0, "", 2)
    assert row["since"] <= row["read_at"]


@pytest.mark.parametrize("batch", [1, 3, 7])
async def test_stopped_after_any_batch_and_started_again_the_counts_are_exact(
    url: str, database: Any, tmp_path: Path, batch: int
) -> None:
    mail = Mail(tmp_path, batch)
    for _ in range(15):
        mail.write(4)
        before = await stream(database)
        async with reading(url, tmp_path / "acct.csv", batch):

            async def moved(before: Any = before) -> bool:
                return before is None or (await stream(database))["records"] != before["records"]

            await until(moved)
    async with reading(url, tmp_path / "acct.csv", batch):
        await caught_up(database, mail.records)
    mail.writer.close()
    await mail.check(database)


@pytest.mark.parametrize("seed", range(3))
async def test_killed_at_any_moment_the_counts_are_exact(
    url: str, database: Any, tmp_path: Path, seed: int
) -> None:
    mail, moments = Mail(tmp_path, seed), random.Random(seed)
    for _ in range(20):
        mail.write(3)
        async with reading(url, tmp_path / "acct.csv", 5):
            # Any moment is right, in a transaction or out of it: nothing is waited for.
            await asyncio.sleep(moments.random() * 0.06)
            await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                "pg_backend_pid() AND datname = current_database()"
            )
    async with reading(url, tmp_path / "acct.csv"):
        await caught_up(database, mail.records)
    mail.writer.close()
    await mail.check(database)


async def test_evidence_and_position_are_stored_together_or_not_at_all(
    url: str, database: Any
) -> None:
    start = await store.begin(database, "pmta1", "/acct.csv", NOW)
    evidence = Evidence(relayed={(DAY, "v1", "gmail"): 3}, records=3)
    found = Look(Position(file="acct.csv", inode=1, offset=90), [], end=True)
    await store.advance(database, "pmta1", start, found, evidence, NOW)
    with pytest.raises(store.OutrunError):
        await store.advance(database, "pmta1", start, found, evidence, NOW)
    assert await relayed(database) == {("v1", "gmail"): 3}
    further = Look(Position(file="acct.csv", inode=1, offset=120), [], end=True)
    impossible = Evidence(relayed={(DAY, "v1", "gmail"): 1, (DAY, "\0", "gmail"): 1})
    with pytest.raises(asyncpg.PostgresError):
        await store.advance(database, "pmta1", found.at, further, impossible, NOW)
    assert (await stream(database))["position"] == 90
    assert await relayed(database) == {("v1", "gmail"): 3}


async def test_a_truncated_file_is_a_gap_and_reading_goes_on(
    url: str, database: Any, tmp_path: Path
) -> None:
    path = tmp_path / "acct.csv"
    header = ",".join(COLUMNS) + "\r\n"
    path.write_text(header + f"r,,,,,,,,,,,,,,,,,,v1,,{DAY}-message1.1\r\n" * 2)
    async with reading(url, path):
        assert (await caught_up(database, 2))["gap_at"] == 0
        path.write_text(header + f"r,,,,,,,,,,,,,,,,,,v1,,{DAY}-message2.1\r\n")
        row = await caught_up(database, 3)
    assert row["gap_at"] >= NOW
    assert "cut off" in row["gap"]
    assert await relayed(database) == {("v1", "other"): 3}


async def test_a_file_that_vanished_is_a_gap_and_survives_a_restart(
    url: str, database: Any, tmp_path: Path
) -> None:
    mail = Mail(tmp_path, 0)
    mail.writer.write(record("r", f"{DAY}-message1.1"))
    mail.writer.flush()
    async with reading(url, tmp_path / "acct.csv"):
        await caught_up(database, 1)
    finished = mail.writer.rotate()
    assert finished is not None
    finished.unlink()
    mail.writer.write(record("r", f"{DAY}-message2.1"))
    mail.writer.close()
    async with reading(url, tmp_path / "acct.csv"):
        row = await caught_up(database, 2)
    # Some file systems give the new file the inode of the old one: "written anew" then.
    assert "vanished" in row["gap"] or "anew" in row["gap"]
    gap_at = row["gap_at"]
    async with reading(url, tmp_path / "acct.csv"):
        await until(lambda: _later(database, row["read_at"]))
    assert (await stream(database))["gap_at"] == gap_at, "it is one gap, not one each start"


async def _later(database: Any, read_at: int) -> bool:
    return bool((await stream(database))["read_at"] > read_at)


async def test_of_two_readers_one_reads_and_the_other_takes_over(
    url: str, database: Any, tmp_path: Path
) -> None:
    mail, path = Mail(tmp_path, 1), tmp_path / "acct.csv"

    async def sessions(count: int) -> bool:
        found: int = await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND query LIKE '%pg_try_advisory_lock%'"
        )
        return found == count

    async with reading(url, path) as first:
        mail.write(5)
        await caught_up(database, mail.records)
        async with reading(url, path):
            await until(lambda: sessions(1))
            mail.write(5)
            await caught_up(database, mail.records)
            locks = await database.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            assert locks == 1
            await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND granted AND database = (SELECT oid FROM pg_database "
                "WHERE datname = current_database())"
            )
            mail.write(5)
            await caught_up(database, mail.records)
    assert first is not None
    mail.writer.close()
    await mail.check(database)


async def test_what_is_wrong_with_a_file_is_shown_until_it_is_mended(
    url: str, database: Any, tmp_path: Path
) -> None:
    path = tmp_path / "pmta" / "acct.csv"

    async def problem(text: str) -> bool:
        row = await stream(database)
        return row is not None and bool(text in row["problem"] if text else not row["problem"])

    async with reading(url, path):
        await until(lambda: problem("No such file"))
        path.parent.mkdir()
        await until(lambda: problem("yet"))
        assert (await stream(database))["read_at"] == 0
        path.write_text("type,rcpt\r\nr,a@x.example\r\n")
        await until(lambda: problem("no envId column"))
        path.rename(path.with_name("acct-2026-03-01-0001.csv"))
        path.write_text("type,envId\r\nr,x\r\n")
        await until(lambda: problem(""))
        assert (await caught_up(database, 2))["read_at"] > 0


async def test_old_evidence_is_forgotten_in_bounded_steps(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "FORGOTTEN_AT_ONCE", 2)
    for number in range(8):
        key = (DAY + number // 6, f"m{number}", "gmail")
        await database.execute(
            "INSERT INTO receipt VALUES ($1, $2, 1, '', 'pmta1', 'r', 0)", *key[:2]
        )
        await database.execute("INSERT INTO relayed VALUES ($1, $2, $3, 1)", *key)
    assert await store.forget(database, DAY + 1) == 12
    for table in ("receipt", "relayed"):
        left = await database.fetch(f"SELECT day FROM {table}")
        assert [row["day"] for row in left] == [DAY + 1] * 2
