"""Held rows by the thousand, all alike but for their id and when they came."""

from typing import Any

from tests.support.hold.held import MIDNIGHT, hold


async def hold_many(link: Any, first: int, count: int) -> None:
    """`count` rows of one line, their ids nine figures from `first` on."""
    await hold(link, "template", arrived=MIDNIGHT - 1)
    names = await link.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'held'::regclass AND attnum > 0"
        " AND NOT attisdropped AND attname NOT IN ('id', 'arrived', 'readied')"
    )
    columns = ", ".join(row["attname"] for row in names)
    await link.execute(
        f"INSERT INTO held (id, arrived, {columns}) SELECT lpad(n::text, 9, '0'), arrived + n, "
        f"{columns} FROM held, generate_series($1::int, $2::int) n WHERE id = 'template'",
        first,
        first + count - 1,
    )
    await link.execute("DELETE FROM held WHERE id = 'template'")
