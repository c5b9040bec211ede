"""What is carried over survives the ledger's loss, and control's absence."""

from collections.abc import AsyncIterator

import pytest

from control.ledger.status import LedgerState
from control.timetable import consolidation
from policy.ledger_port import Granted, Refund, Reserve
from policy.limits import day_of
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for
from tests.support.control.records import book, record
from tests.support.ledger.loss import WAIT, Scene, scene

IP, VMTA, QUOTA = "192.0.2.10", "vmta-192-0-2-10", 5


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Scene]:
    async with scene(settings) as made:
        yield made


async def deferred(here: Scene, number: int, day: int, origin: str = "file") -> None:
    """Record of one attempt that failed, written now."""
    at = str(await here.now() // 1000)
    one = record("t", f"abcdefgh{number:03}", day=day, timeLogged=at)
    await book(here.core, one, origin=origin)


async def publish(here: Scene) -> None:
    await here.core.carry_over.publish(await here.now())


async def lose_all_but_the_clock(here: Scene) -> None:
    now = await here.now()
    await here.core.admin.client.flushall()
    assert await here.core.admin.set_clock(now + 1_000)
    await here.attend()


async def opening(here: Scene) -> int:
    return (await here.core.admin.usage([IP]))[1][IP].opening


async def test_an_ip_whose_count_is_lost_stays_closed_whatever_is_carried_over(here: Scene) -> None:
    """Its records come by webhook: they are carried over, and prove no count."""
    today = day_of(await here.now())
    assert await here.send("acme", 4) == 4
    await deferred(here, 1, today, origin="webhook")
    await publish(here)
    await here.lose()
    status = await here.attend()
    assert (status.state, IP in status.closed) == (LedgerState.OPEN, True)
    await publish(here)
    assert await here.send("acme", QUOTA) == 0
    await here.opening.open_again("ops", "four went")
    await publish(here)
    assert await here.send("acme", QUOTA) == QUOTA


async def test_a_rebuilt_ledger_has_its_openings_before_its_first_grant(here: Scene) -> None:
    """Nobody publishes behind its opening: the first grant may come before."""
    await here.feed("pmta1", "pmta2")
    monday = day_of(await here.now())
    assert await here.send("acme", QUOTA) == QUOTA
    await here.core.pool.execute(
        "INSERT INTO relayed (day, vmta, provider, ip, count) VALUES ($1, $2, 'gmail', $3, $4)",
        *(monday, VMTA, IP, QUOTA),
    )
    await deferred(here, 1, monday)
    await publish(here)
    await here.next_day()
    await here.core.pool.execute("UPDATE accounting_stream SET read_at = $1", await here.now())
    assert await here.send("acme") == 0
    await lose_all_but_the_clock(here)
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    status = await here.attend()
    assert (status.state, status.closed) == (LedgerState.OPEN, [])
    assert await opening(here) == QUOTA
    assert await here.send("acme") == 0


async def test_days_that_come_while_control_is_away_have_their_openings(here: Scene) -> None:
    monday = day_of(await here.now())
    assert await here.send("acme", QUOTA) == QUOTA
    await deferred(here, 1, monday)
    await publish(here)
    found = []
    for _ in range(6):
        await here.next_day()
        found.append(await opening(here))
    # PowerMTA tries for four days and a half.
    assert found == [QUOTA] * 5 + [0]


async def test_what_was_written_down_of_a_day_is_carried_though_the_ledger_lost_it(
    here: Scene,
) -> None:
    """No receipts are read in their order: nothing else knows how many went on Monday."""
    monday = day_of(await here.now())
    assert await here.send("acme", QUOTA) == QUOTA
    await deferred(here, 1, monday, origin="webhook")
    await here.next_day()
    await consolidation(here.core).night(monday, await here.now())
    await lose_all_but_the_clock(here)
    assert (await here.attend()).state is LedgerState.OPEN
    await here.next_day()
    await deferred(here, 2, monday, origin="webhook")
    await publish(here)
    assert await opening(here) == QUOTA
    assert await here.send("acme") == 0


@pytest.mark.parametrize("refunded", [0, 2])
async def test_the_day_that_a_lost_ledger_counted_is_carried_though_no_receipt_tells_of_it(
    here: Scene, refunded: int
) -> None:
    """It is written down at the day's end, and this one is lost before."""
    monday = day_of(await here.now())
    ask = Reserve("acme", "acme", "", (("gmail", 1),))
    granted = (await here.gateway.decide([ask] * QUOTA)).decisions
    await deferred(here, 1, monday, origin="webhook")
    await publish(here)
    back = [Refund(one) for one in granted[:refunded] if isinstance(one, Granted)]
    await here.gateway.decide(back)
    await publish(here)
    await lose_all_but_the_clock(here)
    assert (await here.attend()).state is LedgerState.OPEN
    await publish(here)
    await here.next_day()
    await deferred(here, 2, monday, origin="webhook")
    await publish(here)
    assert await opening(here) == QUOTA - refunded
    # A final record ends it as ever.
    at = str(await here.now() // 1000)
    await book(here.core, record("d", "abcdefgh001", day=monday, timeLogged=at), origin="webhook")
    await publish(here)
    assert await opening(here) == QUOTA - refunded - 1
