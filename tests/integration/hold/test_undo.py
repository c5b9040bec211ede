"""A drop or a release that is undone: what was there is as it was, what went stays gone, and
nothing is left of either."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.hold.database import Database
from gateway.hold.upkeep.requests import Requests
from gateway.watch.log import Log
from policy.ledger_port import ENDED, Change, EntryState
from tests.support.hold.held import MIDNIGHT, hold

NOW = MIDNIGHT + 3_600_000
UNDO = 300


class Case:
    """A releaser's part that does orders, by a clock that is moved; `again` is another process."""

    def __init__(self, link: Any, database: Database) -> None:
        self.link = link
        self.now = NOW
        self.changes: list[Change] = []
        self._database = database
        self.again()

    def again(self) -> None:
        self.requests = Requests(
            self._database, change=self.changes.append, now=lambda: self.now, log=Log()
        )

    async def order(self, action: str, *, undo: int = UNDO, **where: str) -> int:
        columns = ", ".join(where or {"tenant": ""})
        values = list(where.values()) or ["acme"]
        places = ", ".join(f"${n}" for n in range(3, len(values) + 3))
        return int(
            await self.link.fetchval(
                f"INSERT INTO hold_request (at, who, action, undo, {columns}) "
                f"VALUES (now(), 'me', $1, $2, {places}) RETURNING id",
                *(action, undo, *values),
            )
        )

    async def undo(self, number: int) -> None:
        await self.link.execute(
            "UPDATE hold_request SET state = 'undoing' WHERE id = $1 "
            "AND state IN ('waiting', 'running', 'open')",
            number,
        )

    async def all(self) -> None:
        while await self.requests.step():
            pass

    async def rows(self) -> list[dict[str, Any]]:
        """All there is of each but since when a releaser may know that it is ready."""
        found = await self.link.fetch("SELECT * FROM held ORDER BY id")
        return [{k: v for k, v in dict(row).items() if k != "readied"} for row in found]

    async def one(self, number: int) -> tuple[str, int, int]:
        row = await self.link.fetchrow("SELECT * FROM hold_request WHERE id = $1", number)
        return row["state"], row["changed"], row["undone"]

    async def marks(self) -> int:
        return int(await self.link.fetchval("SELECT count(*) FROM hold_marked"))


@pytest.fixture
async def case(link: Any, hold_url: str) -> AsyncIterator[Case]:
    database = Database(hold_url, connections=2, timeout=30.0, log=Log())
    await database.open()
    yield Case(link, database)
    await database.close()


async def a_few(case: Case) -> None:
    """Each way in which a message can wait, and what no order of these takes."""
    tomorrow = MIDNIGHT + 86_400_000
    await hold(case.link, "1ready", key="k1")
    await hold(case.link, "2waits", waiting=True, due=tomorrow, key="k2")
    await hold(case.link, "3called", waiting=True, due=0, reason="mailbox_max")
    await hold(case.link, "4paused", paused=True, reason="paused")
    await hold(case.link, "5campaign", paused=True, reason="campaign_paused", waiting=True, due=9)
    await hold(case.link, "6claimed", state="claimed")
    await hold(case.link, "7doubt", state="doubt")
    await hold(case.link, "8other", tenant="globex")


async def test_a_drop_undone_leaves_every_row_as_it_was(case: Case) -> None:
    await a_few(case)
    before = await case.rows()
    number = await case.order("drop")
    await case.all()
    assert await case.one(number) == ("open", 5, 0)
    held = {row["id"]: row for row in await case.rows()}
    for name in ("1ready", "2waits", "3called", "4paused", "5campaign"):
        assert (held[name]["state"], held[name]["paused"]) == ("held", True), "nobody sends it"
        assert held[name]["reason"] == "dropping"
    assert case.changes == [], "a copy of it is known still"
    await case.undo(number)
    await case.all()
    assert await case.one(number) == ("undone", 5, 5)
    assert await case.rows() == before
    assert await case.marks() == 0
    case.now += 2 * UNDO * 1000
    await case.all()
    assert await case.rows() == before


async def test_what_was_dropped_is_gone_when_it_cannot_be_undone_any_more(case: Case) -> None:
    await a_few(case)
    number = await case.order("drop")
    await case.all()
    case.now += UNDO * 1000 - 1
    await case.all()
    assert (await case.one(number))[0] == "open"
    case.now += 1
    await case.all()
    assert await case.one(number) == ("done", 5, 0)
    ended = [row for row in await case.rows() if row["ending"] == "dropped"]
    assert [row["id"][0] for row in ended] == ["1", "2", "3", "4", "5"]
    assert {row["state"] for row in ended} == {"refused"}
    assert case.changes == [
        Change(key, name, ENDED, EntryState.FREE)
        for key, name in (("k1", "1ready"), ("k2", "2waits"))
    ]
    assert await case.marks() == 0
    assert await case.link.fetchval("SELECT count(*) FROM hold_event") == 0, "nobody is told"


async def test_a_release_undone_stops_what_has_not_gone(case: Case) -> None:
    tomorrow = MIDNIGHT + 86_400_000
    await a_few(case)
    await hold(case.link, "9goes", waiting=True, due=tomorrow)
    await hold(case.link, "9soon", waiting=True, due=NOW + 500)
    before = {row["id"]: row for row in await case.rows()}
    number = await case.order("release")
    await case.all()
    assert await case.one(number) == ("open", 4, 0)
    ready = {r["id"] for r in await case.rows() if r["state"] == "held" and not r["waiting"]}
    assert {"2waits", "3called", "9goes", "9soon"} <= ready
    await case.link.execute("UPDATE held SET state = 'claimed' WHERE id = '9goes'")
    await case.undo(number)
    await case.all()
    assert await case.one(number) == ("undone", 4, 2)
    for row in await case.rows():
        if row["id"] == "9goes":
            assert row["state"] == "claimed", "it is being sent: nobody stops it"
        elif row["id"] == "9soon":
            assert not row["waiting"], "it would go by itself this moment"
        else:
            assert row == before[row["id"]]
    assert await case.marks() == 0


async def test_what_met_a_limit_after_its_release_waits_for_that(case: Case) -> None:
    tomorrow = MIDNIGHT + 86_400_000
    await hold(case.link, "1", waiting=True, due=tomorrow)
    number = await case.order("release")
    await case.requests.step()
    later = {"waiting": True, "due": tomorrow + 5, "reason": "mailbox_max"}
    await case.link.execute("UPDATE held SET waiting = $1, due = $2, reason = $3", *later.values())
    await case.all()
    assert await case.one(number) == ("open", 1, 0), "once released it is not taken again"
    await case.undo(number)
    await case.all()
    [row] = await case.rows()
    assert {name: row[name] for name in later} == later


async def test_a_later_release_is_not_undone_with_an_earlier_one(case: Case) -> None:
    tomorrow = MIDNIGHT + 86_400_000
    await hold(case.link, "1", waiting=True, due=tomorrow)
    first = await case.order("release")
    await case.all()
    await case.link.execute("UPDATE held SET waiting = true, due = $1", tomorrow + 5)
    second = await case.order("release")
    await case.all()
    await case.undo(first)
    await case.all()
    assert [row["waiting"] for row in await case.rows()] == [False]
    await case.undo(second)
    await case.all()
    assert [(row["waiting"], row["due"]) for row in await case.rows()] == [(True, tomorrow + 5)]
    assert await case.marks() == 0


async def test_other_orders_leave_what_is_being_dropped_alone(case: Case) -> None:
    await a_few(case)
    number = await case.order("drop")
    await case.all()
    before = await case.rows()
    for action in ("pause", "resume", "release", "drop"):
        other = await case.order(action, undo=0)
        await case.all()
        assert (await case.one(other))[1] == 0, action
    assert await case.rows() == before
    await case.order("forget", undo=0, recipient="anna@gmail.com", tenant="globex")
    await case.order("forget", undo=0, recipient="anna@gmail.com")
    await case.link.execute("UPDATE held SET state = 'done' WHERE state = 'claimed'")
    await case.all()
    await case.undo(number)
    await case.all()
    assert await case.one(number) == ("undone", 5, 0), "who is forgotten does not come back"
    assert {row["state"] for row in await case.rows()} == {"refused", "done"}
    assert await case.marks() == 0


@pytest.mark.parametrize("undone", [True, False])
async def test_it_goes_on_in_another_process_at_any_step(case: Case, undone: bool) -> None:
    many = 1_700
    await hold(case.link, "0", key="k")
    names = await case.link.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'held'::regclass AND attnum > 0"
        " AND NOT attisdropped AND attname NOT IN ('id', 'readied')"
    )
    columns = ", ".join(row["attname"] for row in names)
    await case.link.execute(
        f"INSERT INTO held (id, {columns}) SELECT n::text, {columns} "
        "FROM held, generate_series(1, $1::int) n",
        many,
    )
    before = await case.rows()
    number = await case.order("drop")
    steps = 0
    while (await case.one(number))[0] != "open":
        case.again()
        await case.requests.step()
        steps += 1
    assert steps > 3
    assert (await case.one(number))[1] == many + 1
    if undone:
        await case.undo(number)
    else:
        case.now += UNDO * 1000
    for _ in range(2):
        case.again()
        await case.requests.step()
    assert 0 < await case.marks() < many, "in the middle of it"
    if not undone:
        await case.undo(number)  # too late: what is gone does not come back
        assert (await case.one(number))[0] == "ending"
    case.again()
    await case.all()
    assert await case.marks() == 0
    if undone:
        assert await case.one(number) == ("undone", many + 1, many + 1)
        assert await case.rows() == before
        assert case.changes == []
    else:
        assert await case.one(number) == ("done", many + 1, 0)
        assert {row["ending"] for row in await case.rows()} == {"dropped"}
        assert len(case.changes) == many + 1
