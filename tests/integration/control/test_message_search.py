"""Searching what became of messages: page by page, by recipient, and what only the hold knows."""

from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import Api
from tests.support.control.outcomes import found, read_all, tell
from tests.support.hold.held import hold

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
ANNA = "anna@gmail.com"
LONG = "0" * 26


async def pages(api: Api, limit: int, **query: str) -> list[dict[str, Any]]:
    """All of them, page by page."""
    rows: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    for _ in range(50):
        page = await found(api, limit=str(limit), **query, **before)
        assert len(page["messages"]) <= limit
        rows += page["messages"]
        if page["before"] is None:
            return rows
        before = {"before": page["before"]}
    raise AssertionError("the pages do not end")


async def test_a_page_may_end_between_recipients_of_one_moment(api: Api, core: Parts) -> None:
    many = [f"r{n}@dest.test" for n in range(7)]
    await tell(core, {"message": "m1", "recipients": many}, {"message": "m2", "recipients": many})
    await read_all(core)
    for limit in (1, 3, 5, 14):
        rows = await pages(api, limit)
        assert len(rows) == 14
        assert len({(row["message"], row["recipient"]) for row in rows}) == 14
    assert len(await pages(api, 3, message="m1")) == 7


async def test_pages_go_through_what_was_told_and_what_only_the_hold_knows(
    api: Api, core: Parts
) -> None:
    await tell(core, *[{"message": f"t{n}"} for n in range(3)])
    await read_all(core)
    at = await core.pool.fetchval("SELECT max(at) FROM outcome")
    for number in range(3):
        await hold(core.pool, f"h{number}", state="refused", ending="expired", since=at)
    for limit in (1, 2, 4):
        rows = [row["message"] for row in await pages(api, limit, to=ANNA)]
        assert rows == ["t2", "t1", "t0", "h2", "h1", "h0"]


@pytest.mark.parametrize("cursor", ["x", "1.", "1.h", "1.2.3", "9" * 30 + ".1", "-1.1"])
async def test_an_end_that_no_page_gave_is_refused(api: Api, core: Parts, cursor: str) -> None:
    status, answer = await api("GET", f"/api/v2/messages?before={cursor}")
    assert (status, answer["errors"][0]["field"]) == (400, "before")


async def test_each_recipient_of_a_held_message_waits_for_itself_and_is_found_by_id(
    api: Api, core: Parts
) -> None:
    name, to = f"{LONG}a", ["a@dest.test", "b@B\u00dcCHER.example", "c@dest.test"]
    await tell(core, {"message": name, "recipients": to, "outcome": "held"})
    for number, (state, ending) in enumerate([("held", ""), ("doubt", ""), ("done", "relayed")]):
        await hold(
            core.pool, f"{name}x{number}", body=name, recipient=to[number], state=state,
            ending=ending,
        )  # fmt: skip
    await tell(core, {"message": f"{name}x2", "recipients": to[2:], "outcome": "relayed"})
    await tell(core, {"message": f"{name}x1", "recipients": to[1:2], "outcome": "unknown"})
    await tell(core, {"message": f"{LONG}b", "recipients": to})
    await read_all(core)
    rows = (await found(api, message=name))["messages"]
    assert sorted((r["message"][26:], r["recipient"], r["outcome"], r["waits"]) for r in rows) == [
        ("a", "a@dest.test", "held", "held"),
        ("a", "b@xn--bcher-kva.example", "held", "doubt"),
        ("a", "c@dest.test", "held", ""),
        ("ax1", "b@xn--bcher-kva.example", "unknown", "doubt"),
        ("ax2", "c@dest.test", "relayed", ""),
    ]
    (row,) = (await found(api, message=f"{name}x1"))["messages"]
    assert (row["outcome"], row["waits"]) == ("unknown", "doubt")


@pytest.mark.parametrize(
    ("state", "ending", "verdict"),
    [
        ("refused", "expired", "held for longer than allowed; last: ip_quota"),
        ("refused", "failed", "PowerMTA refused it three times"),
        ("refused", "refused", "the recipient is suppressed"),
        ("refused", "dropped", "dropped by ops"),
        ("done", "duplicate", "copy of m0"),
        ("done", "relayed", "an accounting record names it"),
    ],
)
async def test_how_held_mail_ended_is_found_though_no_gateway_told(
    api: Api, core: Parts, state: str, ending: str, verdict: str
) -> None:
    """Ended by the releasers' upkeep, by an order, by accounting: none of them is an attempt."""
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await tell(core, {"message": "m1", "outcome": "held", "reason": "ip_quota"})
    await tell(core, {"message": "m1", "outcome": "unknown", "why": "no reply"})
    await read_all(core)
    later = await core.pool.fetchval("SELECT max(at) FROM outcome") + 1
    await hold(core.pool, "m1", state=state, ending=ending, verdict=verdict, since=later)
    for query in ({"to": ANNA}, {"message": "m1"}):
        rows = (await found(api, **query))["messages"]
        assert [row["outcome"] for row in rows] == [ending, "unknown", "held"]
        assert (rows[0]["why"], rows[0]["recipient"], rows[0]["waits"]) == (verdict, ANNA, "")
    assert (await found(api, to=ANNA, tenant="acme"))["messages"][0]["outcome"] == ending


@pytest.mark.parametrize(("state", "ending"), [("done", "relayed"), ("refused", "refused")])
async def test_what_a_releaser_told_of_its_attempt_stands_once(
    api: Api, core: Parts, state: str, ending: str
) -> None:
    await tell(core, {"message": "m1", "outcome": "held"})
    await tell(core, {"message": "m1", "outcome": ending})
    await read_all(core)
    await hold(core.pool, "m1", state=state, ending=ending)
    rows = (await found(api, to=ANNA))["messages"]
    assert [row["outcome"] for row in rows] == [ending, "held"]


@pytest.mark.parametrize("state", ["held", "claimed", "doubt"])
async def test_mail_held_before_outcomes_were_told_is_found(
    api: Api, core: Parts, state: str
) -> None:
    await hold(core.pool, "old", state=state)
    await hold(core.pool, "gone", state="done", ending="withdrawn")
    await hold(core.pool, "never", state="tombstone")
    await hold(core.pool, "other", recipient="Anna@gmail.com", campaign="camp02")
    for query in ({"to": ANNA}, {"message": "old"}):
        (row,) = (await found(api, **query))["messages"]
        assert (row["message"], row["outcome"], row["waits"]) == ("old", "held", state)
        assert row["campaign"] == "camp01"
        assert row["at"].startswith("2026-")
    assert (await found(api, to=ANNA, since="2999-01-01"))["messages"] == []
