"""Days that are over: counted once in PostgreSQL, compared with accounting, then let go."""

import asyncio
from typing import Any

import msgspec
import pytest

from control.accounting.ledgertime import LedgerTime
from control.consolidation import consolidation
from control.consolidation.consolidation import Consolidation, Day, alarming
from control.consolidation.view import DayRow, DayView
from control.ledger.clock import ClockMove
from control.parts import Parts
from control.problem import RefusedError
from control.timetable import timetable
from policy.isotime import date_of
from policy.ledger.daycounts import TOTAL, day_counts
from policy.ledger_port import Granted, Reserve
from policy.limits import DAY, day_of
from tests.support.control.core import TOKEN, Api, Command
from tests.support.control.records import book, record

IP = "192.0.2.10"
BOUNCE_AFTER = 388_800.0
SENT = {"gmail": 5, "yahoo": 3}


class Scene:
    """A tenant with one IP, and days on which it sends."""

    def __init__(self, core: Parts) -> None:
        self.core = core
        self.nightly = Consolidation(core.pool, core.admin, bounce_after=BOUNCE_AFTER)

    async def now(self) -> int:
        return await self.core.calendar()

    async def today(self) -> int:
        return day_of(await self.now())

    async def send(self, sent: dict[str, int], *, receipts: int | None = None) -> None:
        """Grants of today, and their receipts: all, or so many."""
        day = await self.today()
        number = 0
        for provider, count in sent.items():
            for _ in range(count):
                ask = Reserve("acme", "acme", f"a{number}@acme.test", ((provider, 1),))
                batch = await self.core.ledger.decide([ask])
                assert isinstance(batch.decisions[0], Granted)
                if receipts is None or number < receipts:
                    await self.tell("r", number, day, f"{provider}.com")
                number += 1

    async def tell(self, kind: str, number: int, day: int, domain: str = "gmail.com") -> None:
        """One record of a message of that day's, written now."""
        at = str(await self.now() // 1000)
        one = record(kind, f"abcdefgh{number:03}", day=day, timeLogged=at)
        one |= {"rcpt": f"user{number}@{domain}", "vmta": self.vmta}
        await book(self.core, one | {"bounceCat": "bad-mailbox" if kind == "b" else ""})

    vmta = ""

    async def to_night(self, days: int = 1) -> None:
        """To 00:30, so many days ahead."""
        now = await self.now()
        left = (day_of(now) + days) * DAY + 1_800_000 - now
        await self.core.clock.move(ClockMove(advance=f"{-(-left // 1000)}s"))

    async def night(self) -> list[Day]:
        return await self.nightly.night(await self.today() - 1, await self.now())

    async def written(self) -> list[tuple[int, str, int]]:
        rows = await self.core.pool.fetch("SELECT * FROM ledger_day ORDER BY day, provider")
        return [(row["day"], row["provider"], row["sent"]) for row in rows]

    async def in_ledger(self, day: int) -> int:
        """What it still knows of the day."""
        admin = self.core.admin
        found = await day_counts(admin.client, admin.root, [IP], [day])
        return found[IP, day].charged[TOTAL] if found else 0


@pytest.fixture
async def here(core: Parts, api: Api) -> Scene:
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    source: dict[str, Any] = {"tenant": "acme", "domain": "acme.test", "ip": IP}
    status, made = await api(
        "POST", "/api/v2/domains", source | {"quota": 100, "hourly_share": 1.0}
    )
    assert status == 201, made
    scene = Scene(core)
    scene.vmta = await core.pool.fetchval("SELECT name FROM virtual_mta")
    return scene


async def test_a_day_goes_to_postgresql_and_the_ledger_lets_go_when_nobody_asks_any_more(
    here: Scene,
) -> None:
    monday = await here.today()
    await here.send(SENT)
    for number, kind in enumerate("ddbf"):
        await here.tell(kind, number, monday)
    await here.to_night()
    assert await here.night() == [Day(monday, 8, 8, 8, 0)]
    assert await here.written() == [(monday, "gmail", 5), (monday, "yahoo", 3)]
    rows = await here.core.pool.fetch("SELECT * FROM daily_statistics WHERE day = $1", monday)
    gmail = next(row for row in rows if row["provider"] == "gmail")
    assert (gmail["sent"], gmail["delivered"], gmail["bounced"]) == (5, 2, 1)
    assert (gmail["complaints"], gmail["deferred"]) == (1, 0)
    # Carry-over, removals and warm-up ask the ledger for a week.
    await here.to_night(6)
    await here.night()
    assert await here.in_ledger(monday) == 8
    await here.to_night()
    before = here.core.carry_over
    await before.publish(await here.now())
    opening = (await here.core.admin.usage([IP]))[1][IP].opening
    await here.night()
    assert await here.in_ledger(monday) == 0
    assert await here.written() == [(monday, "gmail", 5), (monday, "yahoo", 3)]
    await before.publish(await here.now())
    assert (await here.core.admin.usage([IP]))[1][IP].opening == opening
    # Once more: known by what is written.
    again = await here.nightly.day(monday, await here.now())
    assert (again.sent, again.difference) == (8, 0)
    assert await here.written() == [(monday, "gmail", 5), (monday, "yahoo", 3)]


STEPS = ("day_counts", "clear_days", "_compare", "note", "cleared")


@pytest.mark.parametrize("step", STEPS)
async def test_ended_anywhere_it_is_done_again_and_totals_are_right(
    here: Scene, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What stands behind `step` does not happen any more, and the night begins again."""
    monday = await here.today()
    await here.send(SENT)
    await here.tell("d", 0, monday)
    await here.to_night(8)

    async def die(*_: object, **__: object) -> None:
        raise ConnectionError("killed")

    with monkeypatch.context() as patch:
        if step in ("day_counts", "clear_days"):
            whole = getattr(consolidation, step)

            async def then_die(*arguments: Any) -> None:
                await whole(*arguments)
                await die()

            patch.setattr(consolidation, step, then_die)
        elif step == "_compare":
            patch.setattr(Consolidation, step, die)
        else:
            statements = {name: consolidation._SQL[name] for name in consolidation._SQL.names()}
            patch.setattr(consolidation, "_SQL", statements | {step: "SELECT 1 / 0"})
        with pytest.raises(Exception, match=r"killed|division|expects"):
            await here.night()
    if step != "clear_days" and step != "cleared":
        assert await here.in_ledger(monday) == 8, "it forgot what was not committed"
    await here.night()
    assert await here.written() == [(monday, "gmail", 5), (monday, "yahoo", 3)]
    assert await here.in_ledger(monday) == 0
    assert (await here.nightly.day(monday, await here.now())).sent == 8


async def test_two_nodes_at_once_count_it_once(here: Scene) -> None:
    monday = await here.today()
    await here.send(SENT)
    await here.to_night(8)
    other = Consolidation(here.core.pool, here.core.admin, bounce_after=BOUNCE_AFTER)
    now = await here.now()
    await asyncio.gather(*(one.day(monday, now) for one in (here.nightly, other, here.nightly)))
    assert await here.written() == [(monday, "gmail", 5), (monday, "yahoo", 3)]
    assert await here.in_ledger(monday) == 0


async def test_nights_that_were_missed_are_caught_up(here: Scene) -> None:
    monday = await here.today()
    await here.send({"gmail": 1})
    await here.to_night()
    await here.night()
    for count in (2, 3, 4):
        await here.send({"gmail": count})
        await here.to_night()
    found = await here.night()
    assert [(day.day, day.sent) for day in found] == [(monday + n, n + 1) for n in range(4)]


async def test_a_difference_is_shown_and_alarming_over_a_thousandth_or_ten(here: Scene) -> None:
    monday = await here.today()
    await here.send({"gmail": 8}, receipts=6)
    await here.to_night()
    (found,) = await here.night()
    assert found == Day(monday, 8, 8, 6, 2)
    assert found.alarming
    assert (
        found.sentence()
        == f"{date_of(monday)}: 8 recipients sent, 8 compared: accounting has 6, 2 differ"
    )
    # Read late: the next look is right.
    for number in (6, 7):
        await here.tell("r", number, monday)
    assert await here.night() == [Day(monday, 8, 8, 8, 0)]
    assert not alarming(0, 0)
    assert not alarming(10, 10_000)
    assert alarming(11, 10_000)
    assert alarming(11, 1_000_000)
    assert alarming(1, 999)


async def test_an_ip_whose_server_tells_nothing_is_not_compared(here: Scene) -> None:
    monday = await here.today()
    await here.send({"gmail": 3}, receipts=0)
    await here.to_night()
    (found,) = await here.night()
    assert (found.day, found.sent, found.compared, found.difference) == (monday, 3, 0, 0)
    assert not found.alarming


async def test_a_server_without_receipts_is_compared_when_the_last_recipient_has_ended(
    here: Scene,
) -> None:
    monday = await here.today()
    await here.send({"gmail": 3}, receipts=0)
    await here.tell("d", 0, monday)
    await here.to_night()
    assert [day.compared for day in await here.night()] == [0]
    await here.to_night(6)
    first = (await here.night())[0]
    assert (first.compared, first.accounted, first.difference) == (3, 1, 2)


async def test_a_ledger_that_is_closed_is_not_believed(here: Scene) -> None:
    monday = await here.today()
    await here.send(SENT)
    await here.to_night(8)
    await here.core.admin.close(await here.core.admin.incarnation())
    with pytest.raises(RefusedError, match="not open"):
        await here.night()
    assert await here.written() == []
    assert await here.in_ledger(monday) == 8


async def test_the_job_does_it_and_the_command_shows_it(
    here: Scene, api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    monday = await here.today()
    await here.send(SENT)
    assert "is not over" in await sendgate(
        "warmup", "consolidate", "--day", date_of(monday), code=1
    )
    assert "00:30" in await sendgate("warmup", "days")
    await here.to_night()
    runner = timetable(here.core)
    assert isinstance(here.core.calendar, LedgerTime)
    for job in runner.jobs:
        await runner.look(job)
    said = await sendgate("warmup", "days", "--json")
    (day,) = msgspec.json.decode(said, type=list[DayView])
    assert (day.day, day.sent, day.difference, day.cleared) == (date_of(monday), 8, 0, None)
    again = await sendgate("warmup", "consolidate", "--day", date_of(monday), "--json")
    assert msgspec.json.decode(again, type=DayView).sent == 8
    rows = await sendgate("warmup", "days", "--day", date_of(monday), "--json")
    shown = {row.provider: row.sent for row in msgspec.json.decode(rows, type=list[DayRow])}
    assert shown == SENT
    assert date_of(monday) in await sendgate("warmup", "days")
    assert "yahoo" in await sendgate("warmup", "days", "--day", date_of(monday))
    assert (await api("GET", "/api/v2/days/yesterday"))[0] == 400


async def test_a_day_that_is_not_consolidated_has_no_rows_and_one_nobody_knows_is_not_made(
    here: Scene, api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    today = await here.today()
    await here.send(SENT)
    said = await sendgate("warmup", "days", "--day", date_of(today), code=1)
    assert f"{date_of(today)} is not consolidated" in said
    old = date_of(today - 41)
    said = await sendgate("warmup", "consolidate", "--day", old, code=1)
    assert said == f"sendgate: --day: {old}: neither the ledger nor accounting knows of it\n"
    assert (await api("GET", "/api/v2/days"))[1] == []
    # A day without mail is one: nights make it, too.
    await sendgate("warmup", "consolidate", "--day", date_of(today - 1))
    assert f"nothing was sent on {date_of(today - 1)}" in await sendgate(
        "warmup", "days", "--day", date_of(today - 1)
    )


async def test_a_page_of_a_day_has_whole_ips(here: Scene, api: Api) -> None:
    day = await here.today()
    rows = [(ip, provider) for ip in ("192.0.2.1", "192.0.2.2") for provider in ("gmail", "yahoo")]
    for ip, provider in rows:
        await here.core.pool.execute(
            "INSERT INTO ledger_day (day, ip, provider, sent, around) VALUES ($1, $2, $3, 1, 0)",
            *(day - 1, ip, provider),
        )
    await api("POST", f"/api/v2/days/consolidate?day={date_of(day - 1)}")
    path, found = f"/api/v2/days/{date_of(day - 1)}?limit=1", []
    for after in ("", "&after=192.0.2.1"):
        status, page = await api("GET", path + after)
        assert status == 200
        found += [(row["ip"], row["provider"]) for row in page]
    assert found == rows
