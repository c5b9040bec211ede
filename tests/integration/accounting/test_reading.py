"""Reading accounting on a real PostgreSQL: receipts exactly once, whatever ends the reader."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from control.accounting import reader as reader_module
from control.accounting import store
from control.accounting.door import Door
from control.accounting.look import Look
from control.accounting.position import Position
from control.accounting.reader import Reader
from control.accounting.receipts import Receipt, Receipts, Taken
from loadtest.pmta.accounting import Accounting as Writer
from loadtest.pmta.clock import Clock
from loadtest.pmta.records import COLUMNS
from settings.accounting import Accounting, Stream
from settings.tasks import cancel
from tests.conftest import CreateDatabase
from tests.support.control.acctfiles import Files
from tests.support.control.core import build
from tests.support.pmta.standin import StandInProcess
from tests.support.session.smtpwire import SmtpWire

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


class Ticking:
    """Calendar time that moves by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = NOW

    async def __call__(self) -> int:
        self.now += 1000
        return self.now


def door() -> Door:
    """With nobody behind it."""
    return Door((), kept=90 * 86_400)


@asynccontextmanager
async def reading(url: str, path: Path, batch: int = 2_000) -> AsyncIterator[Reader]:
    """A reader at work; it is cut off wherever it stands."""
    settings = Accounting(batch=batch, poll=0.01)
    reader = Reader(url, Stream(server="pmta1", path=str(path)), settings, Ticking(), door())
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        await cancel([task])


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
        assert (await caught_up(database, 6))["file"].endswith("-0001.csv")
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
    assert (row["file"][-9:], row["gap_at"], row["problem"]) == ("-0003.csv", 0, "")
    assert (row["received"], row["named"]) == (6, 5)
    states = await database.fetch("SELECT state FROM accounting_file ORDER BY file")
    assert [state["state"] for state in states] == ["whole", "whole", "reading"]
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


async def test_receipts_and_position_are_stored_together_or_not_at_all(
    url: str, database: Any
) -> None:
    start = await store.begin(database, "pmta1", "/acct.csv", NOW)
    moment = store.Moment(NOW, NOW, NOW)

    def look(offset: int, *messages: str) -> Look:
        taken = [Taken(bytes(8), "v1", "gmail")]
        attempts = {(DAY, message, 1): Receipt("", "r", NOW, taken) for message in messages}
        receipts = Receipts(attempts=attempts, records=len(attempts))
        return Look(Position(file="acct-2026-03-01-0001.csv", offset=offset), [], receipts, True)

    found = look(90, "message1", "message2", "message3")
    turn, _ = await store.advance(database, "pmta1", start.turn, found, moment, door())
    with pytest.raises(store.OutrunError):
        await store.advance(database, "pmta1", start.turn, found, moment, door())
    assert await relayed(database) == {("v1", "gmail"): 3}
    with pytest.raises(asyncpg.PostgresError):
        await store.advance(database, "pmta1", turn, look(120, "message4", "\0"), moment, door())
    again = await store.begin(database, "pmta1", "/acct.csv", NOW)
    assert [position.offset for position in again.files] == [90]
    assert await relayed(database) == {("v1", "gmail"): 3}


@pytest.mark.parametrize("looks", [1, 100])
async def test_a_growing_file_counts_each_receipt_once(
    url: str, database: Any, tmp_path: Path, looks: int
) -> None:
    """Read from its beginning after each change, a hundred receipts counted as 550."""
    mail = Mail(tmp_path, 3)
    async with reading(url, tmp_path / "acct.csv", 3):
        for number in range(10):
            mail.write(10)
            if looks > 1 or number == 9:
                await caught_up(database, mail.records)
    mail.writer.close()
    await mail.check(database)


async def test_copies_and_files_written_anew_count_nothing_again(
    url: str, database: Any, tmp_path: Path
) -> None:
    mail, path = Mail(tmp_path, 2), tmp_path / "acct.csv"
    mail.write(30)
    mail.writer.close()
    newest = max(tmp_path.glob("acct-*.csv"))
    async with reading(url, path):
        await caught_up(database, mail.records)
        head, _, tail = newest.read_bytes().partition(b"\r\n")
        more = f"r{',' * COLUMNS.index('rcpt')}a@gmail.com"
        more += f"{',' * (COLUMNS.index('vmta') - COLUMNS.index('rcpt'))}v1,,{DAY}-another1.1"
        newest.write_bytes(head + b"\r\n" + more.encode() + b"\r\n" + tail)
        mail.relayed["v1", "gmail"] += 1

        async def told(why: str) -> bool:
            return why in (await stream(database))["gap"]

        await until(lambda: told("written anew"))
        copy = newest.with_name(f"{newest.stem[:-4]}{int(newest.stem[-4:]) + 1:04}.csv")
        first = min(tmp_path.glob("acct-*.csv"))
        copy.write_bytes(first.read_bytes())
        await until(lambda: told("repeats"))
        assert await relayed(database) == mail.relayed


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
    assert "vanished" in row["gap"]
    gap_at = row["gap_at"]
    async with reading(url, tmp_path / "acct.csv"):
        await until(lambda: _later(database, row["read_at"]))
    assert (await stream(database))["gap_at"] == gap_at, "it is one gap, not one each start"


async def test_the_growing_file_stays_open_from_one_session_to_the_next(
    url: str, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections live for a minute; what is deleted meanwhile is read to its end all the same."""
    monkeypatch.setattr(reader_module, "_SESSION", 0.1)
    files = Files(tmp_path)
    async with reading(url, files.path):
        files.add(1, "a")
        row = await caught_up(database, 1)
        for number in range(2, 5):
            files.add(number - 1, f"b{number}").unlink()
            first = await database.fetchval(_SESSIONS)

            async def another(first: Any = first) -> bool:
                return bool(await database.fetchval(_SESSIONS) not in (None, first))

            await until(another)
            await until(lambda row=row: _later(database, row["read_at"]))  # type: ignore[misc]
            files.add(number, f"c{number}")
            row = await caught_up(database, 2 * number - 1)
    assert (row["gap"], row["records"]) == ("", 7)


_SESSIONS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'sendgate accounting'"
)


async def test_what_the_first_reading_does_not_prove_is_not_claimed(
    url: str, database: Any, tmp_path: Path
) -> None:
    """Nobody watched the days before the newest: what was sent then is not proved absent, though
    no number is missing."""
    header = ",".join(COLUMNS) + "\r\n"
    for day in (1, 2, 3):
        text = ",".join(record("r", f"{DAY}-message{day}.1")).replace(
            "2026-03-01", f"2026-02-0{day}"
        )
        file = tmp_path / f"acct-2026-02-0{day}-0001.csv"
        quoted = text.replace('smtp;550 "no, \r\nnever"', "")
        file.write_text(f"{header}{quoted}\r\n", newline="")
    async with reading(url, tmp_path / "acct.csv"):
        row = await caught_up(database, 3)
    third = 1_770_076_801_000
    assert (row["gap"], row["since"]) == ("", third + 3_600_000)


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
        first, second = (path.with_name(f"acct-2026-03-01-000{n}.csv") for n in (1, 2))
        first.write_text("type,rcpt\r\nr,a@x.example\r\n", newline="")
        await until(lambda: problem("no vmta and envId columns"))
        second.write_text("type,rcpt,vmta,envId\r\nr,a@x.example,v,x\r\n", newline="")
        await until(lambda: problem(""))
        assert (await caught_up(database, 2))["read_at"] > 0


async def test_old_receipts_are_forgotten_in_bounded_steps(
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
