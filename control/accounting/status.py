"""How far every stream has been read, for people."""

import asyncio
from pathlib import Path
from typing import Any

from control.accounting.store import position_of
from control.accounting.trail import behind
from control.store.statements import statements
from control.view.accounting import StreamView
from settings.hold import Accounting

_SQL = statements("accounting")


async def streams(pool: Any, settings: Accounting, now: int) -> list[StreamView]:
    """The configured streams, and those read before or by other nodes. `now` in calendar ms."""
    rows = await pool.fetch(_SQL["streams"])
    return await asyncio.to_thread(_views, rows, settings, now)


def _views(rows: list[Any], settings: Accounting, now: int) -> list[StreamView]:
    configured = {stream.server: stream.path for stream in settings.streams}
    begun = {row["server"] for row in rows}
    waiting = "not begun yet: see the log of the control process"
    views = [
        StreamView(server=server, path=path, problem=waiting)
        for server, path in configured.items()
        if server not in begun
    ]
    views += [_view(row, now, row["server"] in configured) for row in rows]
    return sorted(views, key=lambda view: view.server)


def _view(row: Any, now: int, configured: bool) -> StreamView:
    return StreamView(
        server=row["server"],
        path=row["path"],
        file=row["file"],
        position=row["position"],
        behind=_behind(row),
        read_at=row["read_at"],
        age=max(0, now - row["read_at"]) / 1000 if row["read_at"] else None,
        since=row["since"],
        records=row["records"],
        skipped=row["skipped"],
        gap_at=row["gap_at"],
        gap=row["gap"],
        problem=row["problem"] if configured else "not in the configuration of this node",
    )


def _behind(row: Any) -> int | None:
    try:
        return behind(Path(row["path"]), position_of(row))
    except OSError:
        return None
