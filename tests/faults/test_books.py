"""The books find each broken promise, and nothing where all were kept."""

import msgspec
import pytest

from tests.faults.books import Findings, Quota, Row, close, named_recipients
from tests.faults.load import Answer, Offer
from tests.faults.mail import Mail
from tests.faults.receipts import Receipt

DAY = 20_000
QUOTAS = {"v": Quota(3, {"gmail": 1})}


def offer(number: int, *codes: int, domain: str = "dest.test") -> Offer:
    return Offer(Mail(number, domain, True), [Answer(code, "", 0.0, 0.0) for code in codes])


def message(number: int) -> str:
    return f"{number:027d}"


def taken(number: int, *, day: int = DAY, domain: str = "dest.test", attempt: int = 1) -> Receipt:
    return Receipt(f"u{number}@{domain}", "v", f"{day}-{message(number)}.{attempt}", 0.0)


def row(number: int, state: str, reason: str = "ip_day", ending: str = "") -> Row:
    return Row(message(number), f"u{number}@dest.test", state, reason, ending)


def books(
    *offers: Offer,
    receipts: list[Receipt] | None = None,
    rows: list[Row] | None = None,
    named: set[str] | None = None,
) -> Findings:
    return close(
        offers=offers, receipts=receipts or [], rows=rows or [], named=named or set(), quotas=QUOTAS
    )


def test_kept_promises_leave_no_problem() -> None:
    found = books(
        *(
            offer(1, 250),
            offer(2, 250),
            offer(3, 451),
            offer(4, 0),
            offer(5, 0, 250),
            offer(6, 550),
        ),
        receipts=[taken(1), taken(4)],
        rows=[row(2, "held"), row(5, "doubt", "unknown")],
    )
    assert found.problems == []
    counts = msgspec.structs.asdict(found)
    assert {name: counts[name] for name in ("offered", "acknowledged", "refused", "deferred")} == {
        "offered": 6,
        "acknowledged": 3,
        "refused": 1,
        "deferred": 1,
    }
    assert (found.unheard, found.delivered, found.held, found.doubt) == (1, 2, 1, 1)


@pytest.mark.parametrize(
    "rows",
    [[], [row(1, "doubt", "")], [row(1, "done", ending="relayed")], [row(2, "held")]],
    ids=["nowhere", "doubt without a reason", "said to be relayed", "another one's row"],
)
def test_an_acknowledged_message_that_is_nowhere_is_lost(rows: list[Row]) -> None:
    assert books(offer(1, 250), rows=rows).lost == ["u1@dest.test"]


@pytest.mark.parametrize(
    "kept",
    [row(1, "held"), row(1, "claimed"), row(1, "doubt"), row(1, "refused", ending="refused")],
    ids=lambda kept: kept.state,
)
def test_an_acknowledged_message_may_wait_in_any_of_these_states(kept: Row) -> None:
    assert books(offer(1, 250), rows=[kept]).problems == []


def test_a_second_copy_is_found_whichever_attempt_made_it() -> None:
    found = books(offer(1, 0, 250), receipts=[taken(1), taken(1, attempt=2)])
    assert found.twice == ["u1@dest.test"]


def test_a_message_that_was_taken_and_waits_again_is_found() -> None:
    """Its repeat under another id is another thing: the ledger knows it for a duplicate."""
    assert books(offer(1, 250), receipts=[taken(1)], rows=[row(1, "held")]).due_again
    repeat = Row(message(9), "u1@dest.test", "held", "ledger_away")
    assert books(offer(1, 250), receipts=[taken(1)], rows=[repeat]).problems == []


def test_the_quota_counts_by_the_day_of_the_grant_and_by_provider() -> None:
    many = [taken(n) for n in range(3)] + [taken(n, day=DAY + 1) for n in range(3, 8)]
    assert books(receipts=many).excess == {f"{DAY + 1} v": 2}
    two = [taken(n, domain="gmail.com") for n in range(2)]
    assert books(receipts=two).excess == {f"{DAY} v gmail": 1}


def test_a_virtualmta_that_nobody_allowed_has_no_quota() -> None:
    assert books(receipts=[Receipt("u1@dest.test", "x", f"{DAY}-{message(1)}.1", 0.0)]).excess


@pytest.mark.parametrize("code", [451, 550])
def test_told_not_sent_and_taken_is_found_unless_the_log_names_it(code: int) -> None:
    assert books(offer(1, code), receipts=[taken(1)]).denied_and_taken == ["u1@dest.test"]
    assert not books(offer(1, code), receipts=[taken(1)], named={"u1@dest.test"}).problems


def test_the_log_names_what_is_unknown_and_what_came_late() -> None:
    lines: list[dict[str, object]] = [
        {"event": "message", "outcome": "unknown", "recipients": ["a@x"]},
        {"event": "late_reply", "recipients": ["b@x"]},
        {"event": "message", "outcome": "relayed", "recipients": ["c@x"]},
        {"event": "draining"},
    ]
    assert named_recipients(lines) == {"a@x", "b@x"}
