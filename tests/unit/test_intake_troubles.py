"""What `sendgate status` says of accounting that waits or could not be read, and what is next."""

import msgspec

from control.accounting.inbox import InboxState
from control.accounting.lacking import judge
from control.accounting.setaside import Backlog
from control.explain.follows import carried, suppressions
from control.explain.intake import lacks, posted
from control.ledger.carryover import Figure
from control.suppressions.listed import Listed
from policy.limits import DAY

NOW = 20_000 * DAY
EMPTY = InboxState(waiting=0, octets=0, oldest=0, age=0.0, most=1_000, stuck=0)
WELL = Backlog(inbox=EMPTY, set_aside=0, set_aside_at=0)


def said(set_aside: int = 0, at: int = 0, **inbox: float) -> list[tuple[str, str]]:
    state = msgspec.structs.replace(EMPTY, **inbox)
    found = Backlog(inbox=state, set_aside=set_aside, set_aside_at=at)
    return [(one.what, one.next) for one in posted(found, NOW)]


def test_what_waits_as_it_should_is_no_trouble() -> None:
    assert posted(WELL, NOW) == []
    assert said(waiting=30, octets=800, age=900.0) == []


def test_a_batch_that_waits_and_a_full_inbox_are_told_before_powermta_is_turned_away() -> None:
    ((what, next_),) = said(waiting=1, octets=1, age=1_800.0)
    assert "waited for 30 minutes" in what
    assert next_ == "journalctl -u sendgate-control"
    ((what, next_),) = said(waiting=4, octets=801)
    assert "80% of accounting.inbox are taken by 4 posted batches" in what
    assert next_ == "sendgate accounting inbox"


def test_what_was_given_up_names_the_command_that_tries_it_again() -> None:
    ((what, next_),) = said(waiting=2, stuck=2)
    assert "2 posted batches could not be taken in" in what
    assert "sendgate accounting rejected --again" in next_


def test_records_set_aside_are_told_for_a_day() -> None:
    ((what, next_),) = said(set_aside=7, at=NOW - DAY)
    assert "7 accounting records could not be read" in what
    assert "the last of 2024-10-03T00:00:00Z" in what
    assert next_ == "sendgate accounting rejected"
    assert said(set_aside=7, at=NOW - DAY - 1) == []


def test_a_feed_without_deliveries_or_bounces_is_told_and_no_other() -> None:
    assert judge({"pmta1": (20_000, 9_000, 1), "new": (900, 0, 0), "clean": (0, 4_999, 0)}) == []
    receipts, deliveries = judge({"pmta1": (1_000, 0, 0), "pmta2": (0, 5_000, 0)})
    assert (receipts.server, receipts.kind) == ("pmta1", "d")
    assert (deliveries.server, deliveries.kind) == ("pmta2", "b")
    ((what, next_), _) = [(one.what, one.next) for one in lacks([receipts, deliveries])]
    assert what.startswith("accounting of pmta1 tells of no deliveries (d records)")
    assert "records r,d,b" in next_
    # Batches that name no server may be of any.
    assert judge({"pmta1": (1_000, 0, 0), "": (0, 10, 0)}) == []
    assert judge({"pmta2": (0, 5_000, 0), "": (0, 10, 3)}) == []


def test_late_carry_over_and_a_full_list_of_suppressions_are_told() -> None:
    assert carried([Figure("pmta1", 12, late=False)]) == []
    (late,) = carried([Figure("pmta1", 12, late=True), Figure("pmta2", 3, late=False)])
    assert "records of pmta1 stopped: the 12 recipients" in late.what
    assert suppressions(Listed()) == []
    assert suppressions(Listed(entries=900, most=1_000)) == []
    (full,) = suppressions(Listed(entries=901, most=1_000))
    assert "901 of 1000 suppressions" in full.what
