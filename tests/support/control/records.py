"""Accounting records made by hand and booked through the real door."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from control.accounting.door import Batch, Booked
from control.accounting.identity import Reading
from control.accounting.payload import shares
from control.intake import Intake
from control.parts import Parts
from policy.limits import DAY

COLUMNS = (
    *(
        "type",
        "timeLogged",
        "timeQueued",
        "rcpt",
        "orig",
        "envId",
        "dsnStatus",
        "dsnDiag",
        "dsnMta",
    ),
    *("bounceCat", "dsnAction", "vmta", "dlvSourceIp", "jobId", "header_From", "feedbackType"),
)


def record(kind: str, message: str = "abcdefgh01", *, day: int, **fields: str) -> dict[str, str]:
    """Of a message granted on `day` and told of in its first second, unless `timeLogged` says
    otherwise."""
    named = {
        "type": kind,
        "timeLogged": str(day * DAY // 1000 + 1),
        "rcpt": "anna@gmail.com",
        "orig": "news@acme.test",
        "envId": f"{day}-{message}.1",
    }
    if kind not in ("rb", "rs", "f"):
        named["vmta"] = "vmta-192-0-2-10"
        named["jobId"] = "spring"
    return named | fields


async def book(
    parts: Parts, *records: dict[str, str], origin: str = "file", server: str = "pmta1"
) -> Booked:
    """Them, as one batch in a transaction of its own."""
    async with parts.pool.acquire() as connection, connection.transaction():
        return await book_in(
            connection, parts.intake, records, await parts.calendar(), origin, server
        )


async def book_in(
    connection: Any,
    intake: Intake,
    records: Iterable[dict[str, str]],
    now: int,
    origin: str = "file",
    server: str = "pmta1",
) -> Booked:
    """As `book`, in the caller's transaction."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(records)
    (share,) = shares(text.getvalue().encode(), 100_000)
    facts = Reading().facts(share.pieces, now)
    assert not share.set_aside, share.set_aside
    return await intake.door.book(connection, Batch(origin, server, "test", facts, ()), now)
