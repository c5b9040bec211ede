"""What users of warm-up call: how far mailboxes are, each of its own tenant alone."""

import urllib.parse
from typing import Any

import pytest

from control.parts import Parts
from control.timetable import timetable
from control.users.token import new_token, put
from policy.ledger_port import Granted, Refund, Reserve
from policy.limits import DAY, HOUR, day_of
from tests.support.control.core import TOKEN, Api, Command
from tests.support.control.outcomes import read_all, tell

NOON = "2030-01-02T12:00:00Z"
TODAY = 21_916
"""Its day."""


@pytest.fixture
async def acme(api: Api, core: Parts) -> Api:
    """With two tenants at noon: five mailboxes with a minimum, and one of the other's."""
    for name, ip in (("acme", "192.0.2.10"), ("globex", "192.0.2.20")):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        domain = {"tenant": name, "domain": f"{name}.example", "ip": ip, "quota": 1000}
        assert (await api("POST", "/api/v2/domains", {**domain, "hourly_share": 1.0}))[0] == 201
    for letter in "edcba":
        path = f"/api/v2/tenants/acme/mailboxes/{letter}@acme.example"
        assert (await api("PUT", path, {"daily_min": 30, "daily_max": 40}))[0] == 200
    path = "/api/v2/tenants/globex/mailboxes/g@globex.example"
    assert (await api("PUT", path, {"daily_min": 2}))[0] == 200
    assert (await api("POST", "/api/v2/clock", {"set": NOON}))[0] == 200
    return api


async def send(core: Parts, tenant: str, mailbox: str, count: int) -> Granted:
    """As gateways ask."""
    ask = Reserve(tenant, tenant, mailbox, (("gmail", count),))
    (found,) = (await core.ledger.decide([ask])).decisions
    assert isinstance(found, Granted), found
    return found


async def asked(api: Api, path: str, *, token: str = "", **query: Any) -> Any:
    """The answer, the same with a slash behind the path."""
    said = f"?{urllib.parse.urlencode(query)}" if query else ""
    token = token or "sgt_" + "t" * 40
    status, answer = await api("GET", f"/api/warmup/{path}{said}", token=token)
    assert status == 200, answer
    status, again = await api("GET", f"/api/warmup/{path}/{said}", token=token)
    assert (status, type(again)) == (200, type(answer)), again
    return answer


async def bounced(core: Parts, tenant: str, ip: str, mailbox: str, count: int) -> None:
    """As accounting counts."""
    await core.pool.execute(
        "INSERT INTO statistics_mailbox (day, tenant, mailbox, relayed, bounced) "
        "VALUES ($1, $2, $3, 40, $4)",
        *(TODAY, tenant, mailbox, count),
    )
    await core.pool.execute(
        "INSERT INTO statistics_ip (day, tenant, ip, provider, relayed, bounced) "
        "VALUES ($1, $2, $3, 'gmail', 40, $4)",
        *(TODAY, tenant, ip, count),
    )


async def test_those_behind_their_quota_are_found(acme: Api, core: Parts) -> None:
    for letter, count in (("a", 30), ("b", 15), ("c", 14), ("e", 40)):
        await send(core, "acme", f"{letter}@acme.example", count)
    await send(core, "acme", "nobody@acme.example", 3)
    await core.progress.look()
    whole = await asked(acme, "quota")
    assert (whole["date"], whole["total"], whole["with_quota"]) == ("2030-01-02", 7, 6)
    assert (whole["active"], whole["reached"], whole["behind"]) == (5, 2, 3)
    assert (whole["missing"], whole["completion_rate"]) == (1 + 15 + 1, 50.0)
    assert whole["after"] is None
    behind = await asked(acme, "quota", status="behind")
    shown = [(m["tenant"], m["mailbox"], m["behind_by"]) for m in behind["mailboxes"]]
    assert shown == [
        ("acme", "c@acme.example", 1),
        ("acme", "d@acme.example", 15),
        ("globex", "g@globex.example", 1),
    ]
    none = await asked(acme, "quota", status="no_quota", tenant="acme")
    assert [m["mailbox"] for m in none["mailboxes"]] == ["nobody@acme.example"]
    assert none["mailboxes"][0]["id"] is None
    assert [
        m["mailbox"][0] for m in (await asked(acme, "quota", status="reached"))["mailboxes"]
    ] == [
        "a",
        "e",
    ]


async def test_pages_follow_one_another_over_tenants(acme: Api, core: Parts) -> None:
    found, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = await asked(acme, "quota", **query)
        found += [m["mailbox"] for m in page["mailboxes"]]
        after = page["after"]
        if after is None:
            break
    assert found == [*(f"{letter}@acme.example" for letter in "abcde"), "g@globex.example"]
    rest = await asked(acme, "mailbox", after="acme/d@acme.example", limit=10)
    assert [m["mailbox"] for m in rest] == ["e@acme.example", "g@globex.example"]


async def test_a_mailbox_tells_what_it_sent_and_when_it_may_go_on(acme: Api, core: Parts) -> None:
    path = "/api/v2/tenants/acme/mailboxes/a@acme.example"
    assert (await acme("PUT", path, {"spacing": 3600}))[0] == 200
    await send(core, "acme", "a@acme.example", 20)
    await bounced(core, "acme", "192.0.2.10", "a@acme.example", 3)
    refused = {"outcome": "refused", "mailbox": "a@acme.example"}
    await tell(core, {**refused, "recipients": ["x@gmail.com", "y@gmail.com"]}, {"outcome": "held"})
    await read_all(core)
    one = await asked(acme, "mailbox", id="A@acme.example")
    assert (one["quota"], one["most"], one["sent"], one["status"]) == (30, 40, 20, "on_track")
    assert (one["bounced"], one["refused"], one["failed"]) == (3, 2, 5)
    assert one["failure_rate"] == round(100 * 5 / 22, 2)
    assert (one["fill"], one["behind_by"], one["streak"]) == (66.67, 0, 0)
    assert one["last_sent"].startswith("2030-01-02T12:00")
    assert one["next_possible"].startswith("2030-01-02T13:00")
    assert (await asked(acme, "mailbox", id=one["id"]))["mailbox"] == one["mailbox"]
    listed = await asked(acme, "mailbox", tenant="acme")
    assert [m["mailbox"][0] for m in listed] == list("abcde")
    assert listed[0]["failed"] == 5
    status, answer = await acme("GET", "/api/warmup/mailbox?id=999999")
    assert (status, "mailbox" in answer["detail"]) == (404, True)  # type: ignore[index]
    assert (await acme("POST", "/api/v2/tenants/acme/pause"))[0] == 200
    assert (await asked(acme, "mailbox", id="a@acme.example"))["next_possible"] is None


async def test_limits_of_a_minute_and_an_hour_are_seen_at_every_level(
    acme: Api,
    core: Parts,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await asked(acme, "quota"))["limits"] == []
    for path, limits in (
        ("/api/v2/tenants/acme", {"per_hour": 40, "mailbox_minute": 7}),
        ("/api/v2/tenants/globex", {"per_minute": 9}),
        ("/api/v2/pools/acme", {"per_minute": 8, "per_hour": 100}),
        ("/api/v2/ips/192.0.2.10", {"per_hour": 10}),
    ):
        assert (await acme("PATCH", path, limits))[0] == 200, path
    path = "/api/v2/tenants/acme/mailboxes/a@acme.example"
    assert (await acme("PUT", path, {"per_minute": 5}))[0] == 200
    await send(core, "acme", "a@acme.example", 5)
    await send(core, "acme", "b@acme.example", 3)
    await core.progress.look()
    shown = (await asked(acme, "quota"))["limits"]
    assert [(one["level"], one["name"], one["span"], one["used"]) for one in shown] == [
        ("pool", "acme", "minute", 8),
        ("ip", "192.0.2.10", "hour", 8),
        ("tenant", "acme", "hour", 8),
        ("pool", "acme", "hour", 8),
        ("tenant", "globex", "minute", 0),
    ]
    assert (shown[0]["fill"], shown[1]["fill"], shown[1]["next"]) == (100.0, 80.0, None)
    assert shown[0]["next"].startswith("2030-01-02T12:01")
    one = await asked(acme, "mailbox", id="a@acme.example")
    assert (one["per_minute"], one["sent_minute"], one["per_hour"]) == (5, 5, None)
    assert one["next_possible"].startswith("2030-01-02T12:01")
    other = await asked(acme, "mailbox", id="b@acme.example")
    assert (other["per_minute"], other["sent_minute"]) == (7, 3)
    text = str((await acme("GET", "/metrics"))[1])
    assert 'sendgate_limit_fill_ratio{level="pool",span="minute"} 1.0' in text
    assert 'sendgate_limits_full{level="pool",span="minute"} 1.0' in text
    assert 'sendgate_limits_full{level="tenant",span="minute"} 0.0' in text
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    said = await Command(acme, capsys)("quota", "--limits", "--tenant", "globex")
    assert "globex" in said
    assert "acme" not in said
    # Over the turn of the minute they come back by themselves.
    assert (await acme("POST", "/api/v2/clock", {"advance": "61s"}))[0] == 200
    await core.progress.look()
    used = {one["span"]: one["used"] for one in (await asked(acme, "quota"))["limits"][::-1]}
    assert used == {"minute": 0, "hour": 8}


async def test_what_was_given_back_is_not_sent(acme: Api, core: Parts) -> None:
    charge = await send(core, "acme", "a@acme.example", 1)
    await core.ledger.decide([Refund(charge)])
    assert (await asked(acme, "mailbox", id="a@acme.example"))["sent"] == 0


async def test_a_tenants_token_sees_its_own_alone(acme: Api, core: Parts) -> None:
    made = new_token()
    await core.publisher.change("test", lambda a: put(a, "globex's", made, "read", "globex"))
    await send(core, "acme", "a@acme.example", 30)
    for path in ("quota", "mailbox", "metrics"):
        answer = await asked(acme, path, token=made)
        assert "acme" not in str(answer), path
    assert (await asked(acme, "quota", token=made))["total"] == 1
    assert (await asked(acme, "metrics", token=made))["warmup_total_mailboxes"] == 1
    assert "acme" not in await asked(acme, "metrics", token=made, format="prometheus")
    number = (await asked(acme, "mailbox", id="a@acme.example"))["id"]
    for query in (f"id={number}", "id=a@acme.example", "tenant=acme"):
        assert (await acme("GET", f"/api/warmup/mailbox?{query}", token=made))[0] == 404, query
    after = await asked(acme, "mailbox", token=made, after="acme/a@acme.example")
    assert [m["mailbox"] for m in after] == ["g@globex.example"]
    assert (await acme("POST", "/api/warmup/control", {"action": "stop"}, token=made))[0] == 403


async def test_the_metrics_by_the_names_users_know(acme: Api, core: Parts) -> None:
    await send(core, "acme", "a@acme.example", 30)
    await send(core, "globex", "g@globex.example", 4)
    await bounced(core, "acme", "192.0.2.10", "a@acme.example", 3)
    await tell(core, {"outcome": "refused", "mailbox": "b@acme.example"})
    await read_all(core)
    await core.progress.look()
    found = await asked(acme, "metrics")
    assert {name: n for name, n in found.items() if name[7:] in WANTED} == {
        f"warmup_{name}": n for name, n in WANTED.items()
    }
    fills = {one["mailbox"][0]: one["fill"] for one in found["warmup_mailbox_quota_fill"]}
    assert fills == {"a": 100.0, "g": 200.0, "b": 0.0, "c": 0.0, "d": 0.0, "e": 0.0}
    text = await asked(acme, "metrics", format="prometheus")
    shown = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert {f"warmup_{name}" for name in WANTED} <= shown.keys()
    assert shown["warmup_emails_failed_today"] == "4.0"
    assert not any("_total" in name.removeprefix("warmup_total") for name in shown)
    scraped = str((await acme("GET", "/metrics"))[1])
    assert "\nwarmup_emails_sent_today 34.0\n" in scraped
    assert "\nwarmup_system_health " in scraped


WANTED = {
    "total_mailboxes": 6,
    "active_mailboxes": 2,
    "emails_sent_today": 34,
    "emails_failed_today": 4,
    "quota_completion_rate": round(100 * 2 / 6, 2),
}


async def test_a_streak_grows_by_days_that_reached_it_and_counts_each_once(
    acme: Api, core: Parts
) -> None:
    job = timetable(core).named("mailboxes")
    for night in range(3):
        await send(core, "acme", "a@acme.example", 30)
        await send(core, "acme", "b@acme.example", 30 if night != 1 else 29)
        assert (await asked(acme, "mailbox", id="a@acme.example"))["streak"] == night + 1
        assert (await acme("POST", "/api/v2/clock", {"advance": "1d"}))[0] == 200
        due = job.latest(await core.calendar())
        assert day_of(due) == TODAY + night + 1
        said = await job.work(due)
        reached = "1 mailbox reached its" if night == 1 else "2 mailboxes reached their"
        assert said.startswith(f"{reached} minimum")
        await job.work(due)
    assert (await asked(acme, "mailbox", id="a@acme.example"))["streak"] == 3
    assert (await asked(acme, "mailbox", id="b@acme.example"))["streak"] == 1
    assert (await asked(acme, "mailbox", id="c@acme.example"))["streak"] == 0
    # A night nobody was there is caught up by what accounting knows.
    await core.pool.execute(
        "INSERT INTO statistics_mailbox (day, tenant, mailbox, relayed) "
        "VALUES ($1, 'acme', 'a@acme.example', 30)",
        TODAY + 3,
    )
    assert (await acme("POST", "/api/v2/clock", {"advance": "2d"}))[0] == 200
    await job.work((TODAY + 4) * DAY + HOUR)
    await job.work((TODAY + 5) * DAY + HOUR)
    assert (await asked(acme, "mailbox", id="a@acme.example"))["streak"] == 0
    assert (await acme("DELETE", "/api/v2/tenants/globex"))[0] in (200, 409)


async def test_the_night_forgets_mailboxes_that_were_idle_for_a_month(
    acme: Api, core: Parts
) -> None:
    job = timetable(core).named("mailboxes")
    await send(core, "acme", "once@acme.example", 1)
    for advance, said in (("30d", ""), ("1d", "; 1 that sent nothing for 30 days are new again")):
        assert (await acme("POST", "/api/v2/clock", {"advance": advance}))[0] == 200
        await send(core, "acme", "a@acme.example", 1)
        assert (await job.work(job.latest(await core.calendar()))).partition("did not")[2] == said
    assert (await acme("GET", "/api/warmup/mailbox?id=once@acme.example"))[0] == 404
    assert (await asked(acme, "mailbox", id="a@acme.example"))["sent"] == 1


async def test_figures_are_not_older_than_they_may_be(acme: Api, core: Parts) -> None:
    assert (await asked(acme, "quota"))["reached"] == 0
    await send(core, "acme", "a@acme.example", 30)
    assert (await asked(acme, "quota"))["reached"] == 0, "of the last look"
    assert (await acme("POST", "/api/v2/clock", {"advance": "130s"}))[0] == 200
    assert (await asked(acme, "quota"))["reached"] == 1
    assert (await acme("POST", "/api/v2/clock", {"advance": "1d"}))[0] == 200
    assert (await asked(acme, "quota"))["reached"] == 0, "of another day"


async def test_a_token_may_come_as_x_api_key(acme: Api) -> None:
    for header, status in (({"X-API-Key": "sgt_" + "t" * 40}, 200), ({"X-API-Key": "no"}, 401)):
        async with acme.session.get(f"{acme.url}/api/warmup/quota/", headers=header) as answer:
            assert answer.status == status
