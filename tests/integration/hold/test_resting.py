"""A place that came free calls a few rows of its mailbox, and reads no others for them."""

import json
from typing import Any

from settings.statements import statements
from tests.support.hold.held import MIDNIGHT, hold

_STIR = statements("gateway.hold.release", "release")["stir_mailbox"]


async def test_a_few_rows_of_a_mailbox_are_called_without_reading_what_rests(link: Any) -> None:
    await hold(
        link, "template", mailbox="m0@acme.example", waiting=True, due=9, reason="mailbox_max",
        arrived=MIDNIGHT - 1,
    )  # fmt: skip
    names = await link.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'held'::regclass AND attnum > 0"
        " AND NOT attisdropped AND attname NOT IN ('id', 'arrived', 'mailbox', 'readied')"
    )
    columns = ", ".join(row["attname"] for row in names)
    await link.execute(
        f"INSERT INTO held (id, arrived, mailbox, {columns}) SELECT lpad(n::text, 9, '0'), "
        f"arrived + n, 'm' || n % 500 || '@acme.example', {columns} "
        "FROM held, generate_series(1, 10000) n WHERE id = 'template'"
    )
    await link.execute("ANALYZE held")
    change = link.transaction()
    await change.start()
    plan = await link.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_STIR}", "acme", "m7@acme.example", 8
    )
    await change.rollback()
    found = json.loads(plan)[0]["Plan"]
    (reading,) = [node for node in _nodes(found) if node["Node Type"] == "LockRows"]
    assert reading["Actual Rows"] == 8
    assert reading["Shared Hit Blocks"] + reading["Shared Read Blocks"] < 60
    await link.execute(_STIR, "acme", "m7@acme.example", 8)
    rows = await link.fetch("SELECT id FROM held WHERE NOT waiting ORDER BY arrived")
    assert [int(row["id"]) for row in rows] == [7 + 500 * n for n in range(8)]


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in _nodes(part))]
