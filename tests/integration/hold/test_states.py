"""Columns of a held row belong to states, and leave with them, whatever statement moves the row."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import asyncpg
import pytest

from settings.statements import statements
from tests.conftest import CreateDatabase
from tests.support.hold.held import DAY, MIDNIGHT, hold

FILLED: dict[str, Any] = {
    "reason": "mailbox_max",
    "detail": "mailbox news@acme.example has sent its 1 for today",
    "until": MIDNIGHT + 1,
    "waiting": True,
    "due": MIDNIGHT + 2,
    "paused": True,
    "server": "pmta9",
    "vmta": "vmta-9",
    "envelope": "20500-other.9",
    "claimant": "somebody/9",
    "behind": "another",
    "ending": "expired",
    "verdict": "held for longer than allowed",
}
"""A value for every column that belongs to some states only."""

EMPTY = {column: type(value)() for column, value in FILLED.items()}

WHY, WAITS = {"reason", "detail"}, {"until", "waiting", "due", "paused"}
TRIED, ENDED = {"server", "vmta", "envelope"}, {"ending", "verdict"}
ALLOWED: dict[str, set[str]] = {
    "held": WHY | WAITS,
    "claimed": WHY | TRIED | {"claimant"},
    "doubt": WHY | TRIED | {"claimant"},
    "behind": WHY | {"server", "behind"},
    "done": TRIED | ENDED,
    "refused": TRIED | ENDED,
    "tombstone": WHY,
}
"""The table of the schema. `behind` is doubt behind another message."""

Move = Callable[[Any], Awaitable[Any]]


def leave(
    state: str, *, reason: str = "", ending: str = "", behind: str = "", due: int = 0
) -> Move:
    async def move(link: Any) -> None:
        await link.execute(
            _named("leave"), MIDNIGHT, [DAY], ["m1"], [reason], ["said"], [0], [due], ["acme"],
            ["gmail"], [False], [state], [ending], [ending], [behind], ["pmta1" if behind else ""],
        )  # fmt: skip

    return move


def settle(state: str, *, reason: str = "", ending: str = "") -> Move:
    async def move(link: Any) -> None:
        await link.fetch(
            _named("settle"), [DAY], ["m1"], [1], [state], [reason], [reason], [0], [0],
            [0], [ending], [ending], [""], [""], MIDNIGHT,
        )  # fmt: skip

    return move


def _named(name: str) -> str:
    release, upkeep, settle = (
        statements(f"gateway.hold.{room}", room) for room in ("release", "upkeep", "settle")
    )
    found = [room[name] for room in (release, upkeep, settle) if name in room.names()]
    assert len(found) == 1
    return found[0]


def run(name: str, *arguments: Any) -> Move:
    async def move(link: Any) -> None:
        await link.execute(_named(name), *arguments)

    return move


async def restore(link: Any) -> None:
    await link.execute("SELECT hold_restore($1)", MIDNIGHT)


async def keep_again(link: Any) -> None:
    body = (DAY, "m1", b"s@x.test", 0, b"", b"", "zstd", b"")
    row = (
        DAY, "m1", "m1", "acme", "acme", "gmail", "news@acme.example", True, b"a@gmail.com", b"",
        b"", "", "", "", 1, MIDNIGHT, "held", "ip_quota", "", 0, False, 0, 0, "", "", "", 0, "", "",
    )  # fmt: skip
    sql = statements("gateway.hold.keep", "keep")
    found = await link.fetch(f"{sql['keep']}\n{sql['keep_again']}", [body], [row], 1)
    assert len(found) == 1


CLAIM = run("claim", MIDNIGHT, "me/1", [DAY], ["m1"], [2], ["pmta1"], ["vmta-1"], ["e"])
MINE = [DAY], ["m1"]

MOVES: list[tuple[str, str, str, Move]] = [
    ("held", "claimed", "claim", CLAIM),
    ("held", "held", "leave", leave("held", reason="ip_quota")),
    ("held", "held", "leave waiting", leave("held", reason="mailbox_max", due=5)),
    ("held", "behind", "leave", leave("doubt", reason="duplicate", behind="first")),
    ("held", "done", "leave", leave("done", ending="duplicate")),
    ("held", "refused", "leave", leave("refused", ending="refused")),
    ("held", "refused", "expire", run("expire", "acme", MIDNIGHT + 1, DAY, MIDNIGHT, False)),
    ("held", "refused", "drop", run("request_end", *MINE, MIDNIGHT, "dropped", "dropped")),
    ("held", "held", "pause", run("request_pause", *MINE, True)),
    ("held", "held", "release", run("request_release", *MINE)),
    ("held", "held", "stir", run("stir", MIDNIGHT + 9, 10, -1)),
    ("held", "doubt", "restore", restore),
    ("claimed", "held", "settle", settle("held", reason="failed")),
    ("claimed", "held", "unclaim", run("unclaim", "somebody/9", *MINE, MIDNIGHT)),
    ("claimed", "done", "settle", settle("done", ending="relayed")),
    ("claimed", "refused", "settle", settle("refused", ending="failed")),
    ("claimed", "doubt", "settle", settle("doubt", reason="unknown")),
    ("claimed", "doubt", "gone", run("gone", MIDNIGHT, 30.0)),
    ("claimed", "doubt", "restore", restore),
    ("doubt", "held", "settle", settle("held", reason="absent")),
    ("doubt", "held", "unclaim", run("unclaim", "somebody/9", *MINE, MIDNIGHT)),
    ("doubt", "done", "settle", settle("done", ending="relayed")),
    ("doubt", "refused", "settle", settle("refused", ending="refused")),
    ("doubt", "refused", "forget", run("request_end", *MINE, MIDNIGHT, "forgotten", "forgotten")),
    ("doubt", "done", "order", run("request_settle", *MINE, MIDNIGHT, "done")),
    ("doubt", "held", "order", run("request_settle", *MINE, MIDNIGHT, "held")),
    ("behind", "done", "order", run("request_settle", *MINE, MIDNIGHT, "done")),
    ("behind", "held", "order", run("request_settle", *MINE, MIDNIGHT, "held")),
    ("doubt", "doubt", "restore", restore),
    ("behind", "held", "settle", settle("held", reason="absent")),
    ("behind", "done", "settle", settle("done", ending="duplicate")),
    ("behind", "refused", "forget", run("request_end", *MINE, MIDNIGHT, "forgotten", "forgotten")),
    ("behind", "behind", "restore", restore),
    ("tombstone", "held", "keep again", keep_again),
]  # fmt: skip


async def dirty(link: Any, state: str) -> None:
    """A row with every column of every other state filled, as an older version may have left it."""
    said = await link.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conname = 'held_columns_of_state' AND conrelid = 'held'::regclass"
    )
    await link.execute("ALTER TABLE held DROP CONSTRAINT held_columns_of_state")
    row = {**FILLED, "state": state, "failures": 1}
    if state == "behind":
        row |= {"state": "doubt", "reason": "duplicate"}
    await hold(link, "m1", **row)
    await link.execute(f"ALTER TABLE held ADD CONSTRAINT held_columns_of_state {said}")


async def test_a_row_keeps_nothing_of_the_state_it_leaves(link: Any) -> None:
    wrong: dict[str, Any] = {}
    for before, after, how, move in MOVES:
        transaction = link.transaction()
        await transaction.start()
        await dirty(link, before)
        await move(link)
        row = await link.fetchrow("SELECT * FROM held")
        left = {c: row[c] for c in FILLED if c not in ALLOWED[after] and row[c] != EMPTY[c]}
        if left or row["state"] != ("doubt" if after == "behind" else after):
            wrong[f"{before} to {after} by {how}"] = (row["state"], left)
        await transaction.rollback()
    assert wrong == {}


def test_every_state_is_left_and_reached() -> None:
    assert {before for before, *_ in MOVES} | {"done", "refused"} == set(ALLOWED)
    assert {after for _, after, *_ in MOVES} | {"tombstone"} == set(ALLOWED)


async def test_nothing_else_can_be_written(link: Any) -> None:
    """The wall behind the door: what is inserted has the columns of its state and no others."""
    for state in ALLOWED:
        await only_its_columns(link, state)


async def only_its_columns(link: Any, state: str) -> None:
    real = "doubt" if state == "behind" else state
    plain = {**EMPTY, "state": real}
    if real in ("held", "claimed", "doubt", "tombstone"):
        plain["reason"] = "duplicate" if state == "behind" else "unknown"
    if state == "behind":
        plain["behind"] = "first"
    for column, value in FILLED.items():
        if column == "reason" and column in ALLOWED[state]:
            continue
        transaction = link.transaction()
        await transaction.start()
        if column in ALLOWED[state]:
            await hold(link, "m1", **{**plain, column: value})
        else:
            with pytest.raises(asyncpg.CheckViolationError, match="held_columns_of_state"):
                await hold(link, "m1", **{**plain, column: value})
        await transaction.rollback()


async def old_schema(url: str) -> None:
    link = await asyncpg.connect(url)
    for path in sorted(p.name for p in (files("control.store.migrations") / "sql").iterdir()):
        if path < "0006":
            await link.execute(_sql(path))
    await link.close()


def _sql(name: str) -> str:
    return (files("control.store.migrations") / "sql" / name).read_text(encoding="utf-8")


async def test_rows_of_before_are_put_right(create_database: CreateDatabase) -> None:
    """An upgrade meets rows that have columns of every state they ever were in."""
    link = await asyncpg.connect(await create_database("held_before", old_schema))
    try:
        for state in ALLOWED:
            real = {"state": "doubt", "reason": "duplicate"} if state == "behind" else {}
            await hold(link, state, **{**FILLED, "state": state, **real})
        await link.execute(_sql("0006_pre_hold_states.sql"))
        for row in await link.fetch("SELECT * FROM held"):
            filled = {column for column in FILLED if row[column] != EMPTY[column]}
            assert filled == ALLOWED[row["id"]], row["id"]
    finally:
        await link.close()
