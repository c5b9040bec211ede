"""How far every stream has been read, for people."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from control.accounting.folder import Folder
from control.accounting.position import Position
from control.accounting.store import positions
from control.accounting.trail import behind
from settings.accounting import Accounting, Stream
from settings.statements import statements

_SQL = statements(__package__, "accounting")

NO_RECEIPTS = "it has no r records, which alone prove an absence: add r to the block's `records`"

SILENT = 10_000
"""Records without a receipt among them, after which receipts are missed."""


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    """One server's accounting; times are calendar milliseconds, 0 for never."""

    server: str
    path: str
    file: str = ""
    """The file being read."""
    position: int = 0
    """Octets of it that were read."""
    agent: str = ""
    """The agent that ships its files; empty: a control process reads them."""
    behind: int | None = None
    """Octets written and not read yet; null where this node cannot see the files."""
    read_at: int = 0
    """Up to then everything written was read."""
    age: float | None = None
    """Seconds since `read_at`; null when it has never been."""
    since: int = 0
    """What was sent before cannot be proved absent, nor what was sent before `gap_at`."""
    records: int = 0
    received: int = 0
    """Of the records, receipts (r)."""
    skipped: int = 0
    gap_at: int = 0
    gap: str = ""
    problem: str = ""


async def streams(pool: Any, settings: Accounting, now: int) -> list[StreamView]:
    """The configured streams, and those read before or by other nodes. `now` in calendar ms."""
    rows = await pool.fetch(_SQL["streams"])
    files = {row["server"]: await positions(pool, row["server"]) for row in rows}
    return await asyncio.to_thread(_views, rows, files, settings, now)


def unwritten(stream: StreamView) -> bool:
    """Whether its folder can be read and nothing was ever written there: PowerMTA begins a file
    with the first message, and where none went that is as it should be."""
    return not (stream.file or stream.read_at or stream.records) and stream.behind == 0


def _views(
    rows: list[Any], files: dict[str, list[Position]], settings: Accounting, now: int
) -> list[StreamView]:
    configured = {stream.server: stream for stream in settings.streams}
    begun = {row["server"] for row in rows}
    waiting = "not begun yet: see the log of the control process"
    views = [
        StreamView(server=server, path=stream.path, problem=waiting)
        for server, stream in configured.items()
        if server not in begun
    ]
    views += [_view(row, files[row["server"]], now, configured.get(row["server"])) for row in rows]
    return sorted(views, key=lambda view: view.server)


def _view(row: Any, files: list[Position], now: int, stream: Stream | None) -> StreamView:
    at = next((file for file in files if file.file == row["file"]), Position())
    moved = Path(stream.move_to) if stream is not None and stream.move_to else None
    return StreamView(
        server=row["server"],
        path=row["path"],
        file=row["file"],
        position=at.offset,
        agent=row["agent"],
        behind=row["behind"] if row["agent"] else _behind(Folder(Path(row["path"]), moved), files),
        read_at=row["read_at"],
        age=max(0, now - row["read_at"]) / 1000 if row["read_at"] else None,
        since=row["since"],
        records=row["records"],
        received=row["received"],
        skipped=row["skipped"],
        gap_at=row["gap_at"],
        gap=row["gap"],
        problem=_problem(row)
        if stream is not None or row["agent"]
        else "not in the configuration of this node",
    )


def _problem(row: Any) -> str:
    return "; ".join(filter(None, [row["problem"], _no_receipts(row), _unaddressed(row)]))


def _no_receipts(row: Any) -> str:
    """What is said of a stream whose receipts are missed; '' for one that has them."""
    if row["received"]:
        if row["behind_receipt"] >= SILENT:
            return f"no r record among the last {row['behind_receipt']} records: see `records`"
        if not row["named"]:
            return (
                f"none of its {row['received']} r records has an envId of Sendgate: "
                "`process-x-envid yes` for the gateway's <source>, `record-fields r` with envId"
            )
        return ""
    if row["records"] or row["skipped"]:
        return NO_RECEIPTS
    return ""


def _unaddressed(row: Any) -> str:
    if not row["unaddressed"]:
        return ""
    return (
        f"{row['unaddressed']} r records of ours lack rcpt or vmta: name both in `record-fields r`"
    )


def _behind(folder: Folder, files: list[Position]) -> int | None:
    try:
        return behind(folder, files)
    except OSError:
        return None
