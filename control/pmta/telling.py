"""The last report of each PowerMTA server, kept and looked at."""

from typing import Any

import msgspec

from control.pmta.told import Report, ToldView, troubles
from control.problem import bad, missing
from control.values.name import printable
from settings.statements import statements

_SQL = statements(__package__, "told")
_NAME = 64


async def keep(pool: Any, report: Report, now: int) -> None:
    """In the place of the one before. `now` in calendar milliseconds. Raises RefusedError."""
    for field in ("agent", "server", "agent_version"):
        text = getattr(report, field)
        if not 1 <= len(text) <= _NAME or not printable(text):
            raise bad(field, f"1 to {_NAME} printable characters are wanted")
    body = msgspec.json.encode(report).decode().replace("\\u0000", "")
    if await pool.fetchval(_SQL["put"], report.server, report.agent, now, body) is None:
        raise missing("PowerMTA server", report.server)


async def told(pool: Any, now: int) -> list[ToldView]:
    """Of every server whose agent told something. `now` in calendar milliseconds."""
    found = []
    for row in await pool.fetch(_SQL["all"]):
        report = msgspec.json.decode(row["body"], type=Report)
        at = row["at"]
        found.append(
            ToldView(
                server=row["server"],
                agent=row["agent"],
                agent_version=report.agent_version,
                at=at,
                age=max(0, now - at) / 1000,
                told=report.told,
                troubles=troubles(row["server"], report.told, at, now),
            )
        )
    return found
