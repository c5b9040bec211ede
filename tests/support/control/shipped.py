"""What control has of what PowerMTA wrote, and what it has to have."""

import asyncio
import csv
import io
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from control.parts import Parts
from loadtest.pmta.accounting import Accounting as Writer
from loadtest.pmta.clock import Clock
from loadtest.pmta.records import COLUMNS
from policy.limits import DAY

TODAY = int(time.time() * 1000) // DAY


def record(
    kind: str, message: str, rcpt: str = "a@gmail.com", vmta: str = "v1", at: float | None = None
) -> tuple[str, ...]:
    """One record of PowerMTA's; `at` in epoch seconds, of today by default."""
    logged = time.gmtime(TODAY * DAY // 1000 + 1 if at is None else at)
    named = {
        "type": kind,
        "envId": f"{TODAY}-{message}.1-key",
        "rcpt": rcpt,
        "vmta": vmta,
        "dsnDiag": 'smtp;550 "no, \r\nnever"',
        "timeLogged": time.strftime("%Y-%m-%d %H:%M:%S+0000", logged),
    }
    return tuple(named.get(column, "") for column in COLUMNS)


HEADER = ",".join(COLUMNS).encode() + b"\r\n"


def lines(records: Iterable[tuple[str, ...]]) -> bytes:
    """As PowerMTA writes them."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(records)
    return out.getvalue().encode()


class Mail:
    """Records written as PowerMTA writes them, and what they have to add up to."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.path = folder / "acct.csv"
        folder.mkdir(parents=True, exist_ok=True)
        self.writer = Writer(folder, Clock())
        self.random = random.Random(seed)
        self.kinds: dict[str, str] = {}
        self.records: Counter[str] = Counter()

    def write(self, count: int, *, rotate: float = 0.05) -> None:
        for _ in range(count):
            message = f"message{len(self.kinds):05}"
            rcpt = self.random.choice(["a@gmail.com", "b@x.example", '"a, b"@yahoo.fr'])
            kinds = self.random.choice(["r", "rd", "rrd", "rtb", "rtd"])
            for kind in kinds:
                self.writer.write(record(kind, message, rcpt))
            self.kinds[message] = "".join(dict.fromkeys(kinds))
            self.records.update(kinds)
            self.writer.flush()
            if self.random.random() < rotate:
                self.writer.rotate()


async def counts(core: Parts) -> dict[str, tuple[int, int]]:
    """Type to (records that counted, repeated ones)."""
    rows = await core.pool.fetch(
        "SELECT kind, sum(records)::bigint AS n, sum(repeated)::bigint AS again "
        "FROM accounting_kind GROUP BY kind"
    )
    return {row["kind"]: (row["n"], row["again"]) for row in rows}


async def stream(core: Parts) -> Any:
    return await core.pool.fetchrow("SELECT * FROM accounting_stream WHERE server = 'pmta1'")


async def until(true: Callable[[], Awaitable[bool]], within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not await true():
            await asyncio.sleep(0.01)


async def all_there(core: Parts, mail: Mail, within: float = 30) -> None:
    """Until control has every record, each once, and no gap was told."""

    async def whole() -> bool:
        row = await stream(core)
        return row is not None and row["records"] >= mail.records.total() and row["behind"] == 0

    await until(whole, within)
    assert {kind: n for kind, (n, _) in (await counts(core)).items()} == mail.records
    rows = await core.pool.fetch("SELECT message, kinds FROM receipt")
    assert {row["message"]: row["kinds"] for row in rows} == mail.kinds
    taken = await core.pool.fetchval("SELECT sum(count)::bigint FROM relayed")
    row = await stream(core)
    assert (taken, row["records"]) == (mail.records["r"], mail.records.total())
    assert (row["gap"], row["gap_at"], row["problem"]) == ("", 0, "")


MakeMail = Callable[..., Mail]
"""A seed."""
