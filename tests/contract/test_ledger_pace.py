"""Pace marks that no charge can have made: of other hours, or of a clock that was put back."""

from policy.denial import Denied, Limit
from policy.ledger_port import Mark
from policy.limits import DAY, HOUR, MINUTE
from policy.model import Window
from tests.contract.asking import ask, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.twins import MIDNIGHT, LedgerUnderTest, Start

ROW = vmta(1, daily=240, hourly_share=0.1)
TENTH = 24
NINE_TO_FIVE = Window(start=9 * 3600, length=8 * 3600, offsets=((0, 0),))


async def goes(ledger: LedgerUnderTest, most: int) -> tuple[int, Denied]:
    """How many go at once, and what keeps the next."""
    answers = await decide(ledger, *[ask(mailbox="")] * most)
    count = names(answers).count("vmta-1")
    denied = answers[count]
    assert isinstance(denied, Denied), answers
    return count, denied


async def test_sending_hours_that_are_set_leave_an_ip_its_pace(start: Start) -> None:
    """Open time is counted from 1970 on: of eight hours a day it is a third."""
    ledger = await start(generation(ROW))
    await ledger.at(MIDNIGHT + 10 * HOUR)
    assert (await goes(ledger, 40))[0] == TENTH
    await ledger.publish(generation(ROW, number=2, tenants=(tenant(window=NINE_TO_FIVE),)))
    await ledger.at(MIDNIGHT + 11 * HOUR)
    # Empty, then a place every two minutes of the eight hours.
    count, denied = await goes(ledger, 1)
    assert (count, denied.limit) == (0, Limit.IP_PACE)
    assert abs(denied.until - (MIDNIGHT + 11 * HOUR + 2 * MINUTE)) < 5000
    await ledger.at(MIDNIGHT + 11 * HOUR + 10 * MINUTE + 5000)
    assert (await goes(ledger, 10))[0] == 5
    await ledger.at(MIDNIGHT + 13 * HOUR)
    assert (await goes(ledger, 40))[0] == TENTH


async def test_live_mail_behind_held_finds_room_in_hours_that_were_set(start: Start) -> None:
    ledger = await start(generation(ROW))
    await ledger.at(MIDNIGHT + 10 * HOUR)
    await goes(ledger, 40)
    await ledger.publish(generation(ROW, number=2, tenants=(tenant(window=NINE_TO_FIVE),)))
    await ledger.at(MIDNIGHT + 11 * HOUR)
    mark = Mark("acme-pool", "gmail", 3)
    await decide(ledger, mark)
    assert names(await decide(ledger, ask(mailbox=""))) == ["held_first"]
    await ledger.at(MIDNIGHT + 11 * HOUR + 10 * MINUTE + 5000)
    await decide(ledger, mark)
    assert names(await decide(ledger, *[ask(mailbox="")] * 3)) == ["vmta-1", "vmta-1", "held_first"]


async def test_a_clock_put_back_stops_no_paced_ip_for_longer_than_a_day(start: Start) -> None:
    ledger = await start(generation(ROW))
    await ledger.at(MIDNIGHT + 9 * DAY)
    assert (await goes(ledger, 40))[0] == TENTH
    await ledger.at(MIDNIGHT + HOUR)
    count, denied = await goes(ledger, 1)
    assert (count, denied.limit) == (0, Limit.IP_PACE)
    assert abs(denied.until - (MIDNIGHT + HOUR + 6 * MINUTE)) < 5000
    await ledger.at(MIDNIGHT + 2 * HOUR + 5000)
    assert (await goes(ledger, 40))[0] == 10


async def test_a_message_of_many_is_paid_off_in_full(start: Start) -> None:
    """Its mark lies most of a day behind an empty bucket: that is a charge's."""
    ledger = await start(generation(ROW))
    [granted] = await decide(ledger, ask((("gmail", 200),), mailbox=""))
    assert names([granted]) == ["vmta-1"]
    _, denied = await goes(ledger, 1)
    assert abs(denied.until - (MIDNIGHT + (200 - TENTH + 1) * 6 * MINUTE)) < 5000
