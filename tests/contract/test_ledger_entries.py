"""Duplicate entries and marks of held mail: both ledgers, the same cases, and the real one with
entries in either form.

Rules: policy/README.md, duplicates and hold.
"""

from typing import Any

import msgspec
import pytest

from policy.denial import Denied, Limit
from policy.ledger_port import (
    ENDED,
    Change,
    Decision,
    Duplicate,
    EntryState,
    Granted,
    Look,
    Mark,
    Reserve,
)  # fmt: skip
from policy.limits import DAY
from tests.support.gateway.generations import generation, vmta
from tests.support.ledger.twins import MIDNIGHT, LedgerUnderTest, Start

GMAIL = (("gmail", 1),)
KEY = "0123456789abcdef0123456789abcdef"
T, H, S, D, F = (
    EntryState.TRYING, EntryState.HELD, EntryState.SENT, EntryState.DOUBT, EntryState.FREE,
)  # fmt: skip


@pytest.fixture(params=["memory", "valkey", "strings"])
def form(request: pytest.FixtureRequest) -> str:
    """As the conftest's."""
    return str(request.param)


def ask(owner: str = "one", attempt: int = 1, **changes: Any) -> Reserve:
    base = Reserve("acme", "acme-pool", "anna@acme.test", GMAIL, (), (), False, KEY, owner, attempt)
    return msgspec.structs.replace(base, **changes)


async def one(ledger: LedgerUnderTest, item: Any) -> Decision:
    return (await ledger.ledger.decide([item])).decisions[0]


async def test_a_repeat_meets_the_first_one_and_is_not_charged(start: Start) -> None:
    ledger = await start(generation())
    assert isinstance(await one(ledger, ask()), Granted)
    assert await one(ledger, ask("two")) == Duplicate(T, "one", 1, "pmta1")
    assert await ledger.used("192.0.2.1") == 1


async def test_the_owner_is_never_a_duplicate_and_each_attempt_is_charged(start: Start) -> None:
    ledger = await start(generation())
    for attempt in (1, 2, 3):
        assert isinstance(await one(ledger, ask(attempt=attempt)), Granted)
    assert await ledger.used("192.0.2.1") == 3
    assert await one(ledger, Look(KEY)) == Duplicate(T, "one", 3, "pmta1")


async def test_a_denied_message_is_tried_too_and_went_nowhere(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=0)))
    assert isinstance(await one(ledger, ask()), Denied)
    assert await one(ledger, ask("two")) == Duplicate(T, "one", 1, "")


async def test_tried_for_longer_than_an_answer_may_take_is_doubt(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    await ledger.age(24_000)
    assert (await one(ledger, ask("two"))).state is T  # type: ignore[union-attr]
    await ledger.age(1_500)
    assert await one(ledger, ask("two")) == Duplicate(D, "one", 1, "pmta1")


@pytest.mark.parametrize("state", [H, S, D])
async def test_a_repeat_hears_what_became_of_the_first(start: Start, state: EntryState) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    assert await one(ledger, Change(KEY, "one", 1, state)) is None
    assert await one(ledger, ask("two")) == Duplicate(state, "one", 1, "pmta1")


async def test_a_freed_key_lets_the_repeat_go(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    await one(ledger, Change(KEY, "one", 1, F))
    assert isinstance(await one(ledger, ask("two")), Granted)
    assert await one(ledger, ask("one", 2)) == Duplicate(T, "two", 1, "pmta1")


async def test_a_change_of_an_earlier_attempt_changes_nothing(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    await one(ledger, ask(attempt=2))
    await one(ledger, Change(KEY, "one", 1, F))
    assert await one(ledger, Look(KEY)) == Duplicate(T, "one", 2, "pmta1")


async def test_a_late_change_does_not_bring_a_freed_entry_back(start: Start) -> None:
    """Dropped by an operator while the mark of its commit was on its way: the next copy of this
    message would get a 250 and never be sent."""
    ledger = await start(generation())
    await one(ledger, ask())
    await one(ledger, Change(KEY, "one", 1, F))
    await one(ledger, Change(KEY, "one", 1, H))
    assert isinstance(await one(ledger, ask("two")), Granted)


async def test_a_stranger_changes_nothing(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    for state in (H, S, D, F):
        await one(ledger, Change(KEY, "two", 9, state))
    assert await one(ledger, Look(KEY)) == Duplicate(T, "one", 1, "pmta1")


async def test_sent_stays_sent(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    await one(ledger, Change(KEY, "one", 1, S))
    for state in (H, D, F):
        await one(ledger, Change(KEY, "one", 1, state))
    assert await one(ledger, Look(KEY)) == Duplicate(S, "one", 1, "pmta1")


async def test_a_sent_entry_ends_after_seven_days_by_the_calendar(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    await one(ledger, Change(KEY, "one", 1, S))
    await ledger.at(MIDNIGHT + 7 * DAY - 60_000)
    assert isinstance(await one(ledger, ask("two")), Duplicate)
    await ledger.at(MIDNIGHT + 7 * DAY + 60_000)
    assert isinstance(await one(ledger, ask("two")), Granted)


async def test_a_held_message_stays_held_while_it_is_tried_again(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, ask())
    await one(ledger, Change(KEY, "one", 1, H))
    assert isinstance(await one(ledger, ask(attempt=2, held=True)), Granted)
    assert await one(ledger, Look(KEY)) == Duplicate(H, "one", 2, "pmta1")


async def test_a_message_held_without_a_reserve_gets_its_entry(start: Start) -> None:
    ledger = await start(generation())
    await one(ledger, Change(KEY, "one", 0, H))
    assert (await one(ledger, ask("two"))).state is H  # type: ignore[union-attr]


async def test_a_dry_question_leaves_no_entry(start: Start) -> None:
    ledger = await start(generation())
    assert isinstance(await one(ledger, ask(dry=True)), Granted)
    assert await one(ledger, Look(KEY)) is None


async def test_messages_without_a_key_never_meet(start: Start) -> None:
    ledger = await start(generation())
    for owner in ("one", "two"):
        assert isinstance(await one(ledger, ask(owner, key="")), Granted)


async def test_held_mail_goes_first_where_allowance_is_scarce(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=10), vmta(2, daily=10, ceilings={"gmail": 3})))
    await one(ledger, Mark("acme-pool", "gmail", 12))
    live = ask(key="")
    assert isinstance(await one(ledger, live), Granted)  # 13 - 12 leaves one
    denied = await one(ledger, live)
    assert denied == Denied(Limit.HELD_FIRST, "acme-pool", 0, 0, 12)
    assert isinstance(await one(ledger, msgspec.structs.replace(live, held=True)), Granted)
    assert isinstance(
        await one(ledger, msgspec.structs.replace(live, providers=(("yahoo", 1),))), Granted
    )


async def test_one_batch_cannot_slip_past_a_mark(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=10)))
    await one(ledger, Mark("acme-pool", "gmail", 8))
    answer = await ledger.ledger.decide([ask(key="")] * 4)
    kinds = [type(decision) for decision in answer.decisions]
    assert kinds == [Granted, Granted, Denied, Denied]


async def test_a_mark_dies_with_its_releaser(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=10)))
    await one(ledger, Mark("acme-pool", "gmail", 10))
    assert isinstance(await one(ledger, ask(key="")), Denied)
    await ledger.age(5_001)
    assert isinstance(await one(ledger, ask(key="")), Granted)


async def test_a_mark_of_none_lets_live_mail_go(start: Start) -> None:
    ledger = await start(generation(vmta(1, daily=10)))
    await one(ledger, Mark("acme-pool", "gmail", 10))
    await one(ledger, Mark("acme-pool", "gmail", 0))
    assert isinstance(await one(ledger, ask(key="")), Granted)


async def test_hazard_17_denied_releases_do_not_outrun_who_ends_the_message(start: Start) -> None:
    """A held row is denied again and again, then expires: its key must be free, or the campaign
    sent again would get a 250 and go nowhere."""
    ledger = await start(generation(vmta(1, daily=0)))
    await one(ledger, ask())
    await one(ledger, Change(KEY, "one", 1, H))
    for _ in range(3):
        assert isinstance(await one(ledger, ask(attempt=2, held=True)), Denied)
    assert await one(ledger, Look(KEY)) == Duplicate(H, "one", 1, "")
    await one(ledger, Change(KEY, "one", ENDED, F))
    assert isinstance(await one(ledger, ask("two")), Denied)
    assert (await one(ledger, Look(KEY))).owner == "two"  # type: ignore[union-attr]
