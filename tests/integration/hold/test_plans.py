"""What a statement of the releaser reads does not grow with what waits, whatever PostgreSQL
believes is there: it learns of a day's mail minutes after that came."""

import json
from typing import Any

import pytest

from settings.statements import statements
from tests.support.hold.held import DAY, MIDNIGHT
from tests.support.hold.many import hold_many

_RELEASE = statements("gateway.hold.release", "release")
_NAMES = [f"{number:09}" for number in range(100, 120)]
_DAYS = [DAY] * len(_NAMES)
_EMPTY = [""] * len(_NAMES)
_ZERO = [0] * len(_NAMES)
_LINE = (["acme"], ["news@acme.example"], ["gmail"], [True], [DAY], [MIDNIGHT + 99], ["~"], [20])

_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "rows": _LINE,
    "lock": (_DAYS, _NAMES),
    "await_rows": (_DAYS, _NAMES),
    "claim": (0, "r", _DAYS, _NAMES, _ZERO, _EMPTY, _EMPTY, _EMPTY),
    "unclaim": ("r", _DAYS, _NAMES, 0),
    "bodies": (_DAYS, _NAMES),
}


@pytest.mark.parametrize("name", _ARGUMENTS)
async def test_twenty_rows_of_twenty_thousand_take_few_pages(link: Any, name: str) -> None:
    for day in range(DAY, DAY + 3):
        await link.execute("SELECT hold_partition($1)", day)
        await link.execute(f"ALTER TABLE held_{day} SET (autovacuum_enabled = false)")
    await hold_many(link, 0, 20_000)
    await link.execute("UPDATE held SET paused = true")
    await link.execute("ANALYZE held")
    await link.execute("UPDATE held SET paused = false")
    # Five times with its values, then as PostgreSQL would for any.
    for mode in ("force_custom_plan", "force_generic_plan"):
        await link.execute(f"SET plan_cache_mode = {mode}")
        async with link.transaction():
            plan = json.loads(
                await link.fetchval(
                    f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_RELEASE[name]}", *_ARGUMENTS[name]
                )
            )[0]["Plan"]
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        assert pages < 20 * 40, (mode, json.dumps(plan["Plans"]))
