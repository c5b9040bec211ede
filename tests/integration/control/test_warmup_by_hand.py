"""What people do to warm-up, what they are told, and the older paths and views."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.parts import Parts
from tests.integration.control.test_warmup_engine import IP, Scene, here
from tests.support.control.core import TOKEN, Api, Command

__all__ = ["here"]
PATH = f"/api/v2/warmup/ips/{IP}"


async def do(here: Scene, action: str, **more: Any) -> dict[str, Any]:
    status, answer = await here.api("POST", PATH, {"action": action, "reason": "because"} | more)
    assert status == 200, answer
    view: dict[str, Any] = answer["view"]
    return view


async def refused(here: Scene, action: str, **more: Any) -> str:
    status, answer = await here.api("POST", PATH, {"action": action, "reason": "because"} | more)
    assert status in (400, 409), answer
    return str(answer["detail"])


async def test_a_stage_by_hand_stands_until_its_end_and_is_never_taken_back_silently(
    here: Scene,
) -> None:
    view = await do(here, "advance", days=3)
    assert (view["stage"], view["quota"]) == (2, 200)
    assert view["override"] == "moved to stage 2: because (by test)"
    assert "stands already" in await refused(here, "advance")
    assert "stands already" in await refused(here, "override")
    for _ in range(2):
        await here.midnight()
    assert (await here.ip())["stage"] == 2
    assert [d.act for d in await here.decided()] == ["advance"]
    (made,) = await here.decided("advance")
    assert (made.who, made.reason, made.stage_before, made.stage_after) == ("test", "because", 1, 2)
    # The guard proves all the same, and says so.
    await here.sent(50, bounced=20)
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["state"] == "paused"
    assert "20 bounces" in (await here.decided("pause"))[0].sentence


async def test_what_stands_is_cancelled_or_over(here: Scene) -> None:
    await do(here, "override", days=30)
    await here.days(7)
    assert (await here.ip())["stage"] == 1
    assert (await do(here, "cancel"))["override"] == ""
    assert "nothing stands" in await refused(here, "cancel")
    await here.core.warmup.look(turn=True)
    assert (await here.ip())["stage"] == 2
    await do(here, "override", days=1)
    await here.days(2, 150)
    assert (await here.api("GET", PATH))[1]["override"] == ""


async def test_a_pause_with_an_end_ends_at_the_same_stage_and_one_without_does_not(
    here: Scene,
) -> None:
    await here.days(7)
    view = await do(here, "pause", days=2)
    assert view["state"] == "paused"
    assert view["pause_ends"] is not None
    assert "paused already" in await refused(here, "pause")
    await here.midnight()
    assert (await here.ip())["state"] == "paused"
    await here.midnight()
    assert ((await here.ip())["state"], (await here.ip())["stage"]) == ("warming", 2)
    # An older pause's end is none of a new pause's.
    await do(here, "pause", days=2)
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"state": "resume"}))[0] == 200
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"state": "pause"}))[0] == 200
    for _ in range(12):
        await here.midnight()
    assert (await here.ip())["state"] == "paused"
    assert (await do(here, "resume", stage=1))["stage"] == 1


async def test_one_provider_by_hand(here: Scene) -> None:
    view = await do(here, "pause", provider="yahoo", days=1)
    assert [(p["provider"], p["state"]) for p in view["providers"]] == [("yahoo", "paused")]
    assert (await here.ip())["ceilings"]["yahoo"] == 0
    await here.midnight()
    assert (await here.ip())["ceilings"]["yahoo"] == 20
    await do(here, "pause", provider="yahoo")
    await here.midnight()
    assert (await here.ip())["ceilings"]["yahoo"] == 0
    assert await refused(here, "resume") == (
        f"IP {IP} is not paused, only at yahoo: `sendgate warmup resume {IP} --provider yahoo`"
    )
    assert (await do(here, "resume", provider="yahoo"))["providers"] == []
    assert await refused(here, "resume") == f"IP {IP} is not paused"
    assert "advance the IP" in await refused(here, "advance", provider="yahoo")
    assert "no provider" in await refused(here, "pause", provider="gmial")


async def test_a_provider_follows_its_ip_by_hand_and_never_passes_it(here: Scene) -> None:
    await do(here, "advance")
    view = await do(here, "resume", provider="yahoo", stage=1)
    assert [(p["provider"], p["stage"]) for p in view["providers"]] == [("yahoo", 1)]
    assert (await here.ip())["ceilings"]["yahoo"] == 20
    assert "its IP is at 2" in await refused(here, "advance", provider="yahoo", stage=3)
    assert "nothing stands" in await refused(here, "cancel", provider="yahoo")
    await do(here, "advance", provider="yahoo", days=2)
    assert (await here.ip())["ceilings"]["yahoo"] == 80
    assert "stands already" in await refused(here, "override", provider="yahoo")
    await do(here, "cancel", provider="yahoo")
    sentences = [d.sentence for d in reversed(await here.decided()) if d.provider == "yahoo"]
    assert sentences == [
        f"yahoo at {IP} is at stage 1",
        f"yahoo at {IP} is at stage 2",
        f"yahoo at {IP}: what stood by hand stands no more",
    ]


async def test_resume_gives_an_ip_with_a_quota_of_its_own_back_to_its_plan(here: Scene) -> None:
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"quota": 700}))[0] == 200
    assert "not on a warm-up plan" in await refused(here, "advance")
    view = await do(here, "resume")
    assert (view["plan"], view["stage"], view["quota"]) == ("default", 1, 50)


async def test_plans_are_stored_used_and_kept_while_used(here: Scene) -> None:
    new = {"name": "steady", "quotas": [100, 300], "days": 2, "growth": 1.3}
    status, answer = await here.api("POST", "/api/v2/warmup/plans", new)
    assert status == 200, answer
    assert answer["view"]["stages"][0]["ceilings"]["gmail"] == 60
    assert (await here.api("POST", "/api/v2/warmup/plans", new))[0] == 409
    for wrong, said in (
        ({"quotas": [100, 50]}, "stage 2: 50 a day is not above the 100 of stage 1"),
        ({"quotas": [0]}, "0 a day is no stage"),
        ({}, "at least one stage"),
        ({"quotas": [1], "ready": "doubling"}, "give one of them"),
        ({"quotas": [1], "shares": {"gmail": 1.5}}, "shares"),
    ):
        status, answer = await here.api("POST", "/api/v2/warmup/plans", {"name": "bad"} | wrong)
        assert status in (400, 409)
        assert said in str(answer), answer
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"plan": "steady"}))[0] == 200
    await here.days(2, 100)
    assert await here.quota() == 300
    await here.days(2, 300)
    assert (await here.ip())["state"] == "active"
    await here.days(2, 300)
    assert await here.quota() == 390, "it grows past its plan"
    assert (await here.ip())["ceilings"]["gmail"] == 234
    status, answer = await here.api("DELETE", "/api/v2/warmup/plans/steady")
    assert (status, "1 IP (192.0.2.10) on it" in answer["detail"]) == (409, True)
    assert (await here.api("DELETE", "/api/v2/warmup/plans/default"))[0] == 409
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"plan": "default"}))[0] == 200
    assert (await here.api("DELETE", "/api/v2/warmup/plans/steady"))[0] == 200
    assert await here.quota() == 50


async def test_older_paths_answer_what_their_callers_read(here: Scene) -> None:
    await here.days(7, bounced=1)
    await here.sent(100, complaints=1)
    status, rows = await here.api("GET", "/api/v1/warmup/plans/")
    assert status == 200
    (row,) = rows
    assert (row["phase"], row["current_daily_quota"], row["paused"]) == ("week_2", 200, False)
    assert (row["bounce_rate_7d"], row["spam_rate_7d"]) == (1.5, 0.2538)
    status, sums = await here.api("GET", "/api/v1/warmup")
    assert (sums["total_ips"], sums["daily_quota"]) == (1, 200)
    assert sums["phases"] == [{"phase": "week_2", "ips": 1, "daily_quota": 200}]


async def test_operators_own_queries_are_answered_by_views(here: Scene, core: Parts) -> None:
    await here.days(7, bounced=1)
    await here.sent(100, complaints=1)
    await core.warmup.look(turn=True)
    plan = dict(await core.pool.fetchrow("SELECT * FROM warmup_plans WHERE ip = $1", IP))
    assert {name: str(value) for name, value in plan.items()} == {
        "id": "1",
        "ip": IP,
        "tenant": "acme",
        "bounce_rate_7d": "1.5000",
        "spam_rate_7d": "0.2538",
        "phase": "week_2",
        "current_daily_quota": "200",
        "paused": "False",
        "target": "10000",
    }
    days = await core.pool.fetch(
        "SELECT date, sent, delivered, bounced, complaints FROM warmup_daily_stats"
        " WHERE plan_id = $1 ORDER BY date DESC LIMIT 7",
        plan["id"],
    )
    assert [tuple(row)[1:] for row in days][:2] == [(100, 100, 0, 1), (50, 49, 1, 0)]
    over = "SELECT ip FROM warmup_plans WHERE spam_rate_7d > 0.1 AND NOT paused"
    assert await core.pool.fetchval(over) == IP
    status, answer = await here.api("PATCH", f"/api/v2/ips/{IP}", {"quota": "unlimited"})
    assert status == 200, answer
    row = await core.pool.fetchrow("SELECT phase, current_daily_quota FROM warmup_plans")
    assert tuple(row) == ("active", None)


async def test_decisions_are_listed_in_parts_and_of_one_tenant(here: Scene, api: Api) -> None:
    await here.days(7)
    await do(here, "pause")
    status, part = await api("GET", "/api/v2/warmup/decisions?limit=2")
    assert (status, len(part["decisions"])) == (200, 2)
    assert part["decisions"][0]["act"] == "pause"
    status, more = await api("GET", f"/api/v2/warmup/decisions?before={part['before']}")
    assert all(one["id"] < part["before"] for one in more["decisions"])
    status, none = await api("GET", "/api/v2/warmup/decisions?ip=192.0.2.99")
    assert none["decisions"] == []


@pytest.mark.parametrize("field", ["reason", "days", "stage"])
async def test_what_is_wrong_is_named_and_changes_nothing(here: Scene, field: str) -> None:
    wrong = {"reason": "", "days": 0, "stage": 0}[field]
    body = {"action": "advance", "reason": "because", field: wrong}
    status, answer = await here.api("POST", PATH, body)
    assert (status, answer["errors"][0]["field"]) == (400, field)
    assert (await here.ip())["stage"] == 1


async def test_the_commands_say_it(
    here: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(here.api, capsys)
    await here.days(2)
    assert "2/7" in await sendgate("warmup", "status")
    assert "2 of 7 counted days" in await sendgate("warmup", "status", IP)
    await sendgate("warmup", "advance", IP, "--reason", "known IP", "--dry-run")
    assert (await here.ip())["stage"] == 1
    await sendgate("warmup", "advance", IP, "--reason", "known IP", "--stage", "3")
    assert "500" in await sendgate("warmup", "status")
    assert "known IP" in await sendgate("warmup", "decisions", IP, "--act", "advance")
    await sendgate("warmup", "cancel", IP, "--reason", "enough")
    await sendgate("warmup", "override", IP, "--reason", "watch it", "--days", "3")
    await sendgate("warmup", "pause", IP, "--reason", "odd", "--provider", "gmail", "--days", "2")
    assert "paused" in await sendgate("warmup", "status", IP)
    await sendgate("warmup", "resume", IP, "--reason", "seen", "--provider", "gmail")
    await sendgate("warmup", "plan", "add", "fast", "--ready", "doubling", "--target", "20000")
    assert "iPost" in await sendgate("warmup", "plan", "list")
    assert "20000" in (await sendgate("warmup", "plan", "show", "fast")).replace(",", "")
    assert "does not exist" in await sendgate("warmup", "plan", "remove", "none", code=1)
    await sendgate("warmup", "plan", "remove", "fast")
    await sendgate("warmup", "pause", IP, code=2)


async def test_simulate_and_growth_play_the_rule_forward_and_change_nothing(
    here: Scene,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(here.api, capsys)
    before = await here.core.publisher.current()
    await here.days(3, bounced=1)
    found = msgspec.json.decode(await sendgate("warmup", "simulate", IP, "--json"))
    assert (found["plan"], found["bounces"]) == ("default", 2.0)
    stages = [day["stage"] for day in found["days"]]
    assert stages.index(2) == 4, "three days counted already"
    svg = tmp_path / "curve.svg"
    text = await sendgate("warmup", "simulate", "--bounces", "9", "--days", "30", "--svg", str(svg))
    assert "it pauses on" in text
    assert "recipients a day: █ sent, ┄ may be sent" in text
    assert text.splitlines()[2].startswith("50 ┤█"), text
    assert svg.read_text().startswith("<svg")
    mix = ("--share", "gmail=0.1", "--share", "yahoo=0.3", "--bounces-at", "gmail=6")
    text = await sendgate("warmup", "simulate", *mix, "--bounces", "0", "--days", "12")
    assert "gmail at the IP stays at stage 1: " in text, "behind its IP"
    found = msgspec.json.decode(await sendgate("warmup", "simulate", *mix, "--json"))
    assert [(p["provider"], p["stage"]) for p in found["days"][7]["providers"]] == [
        *(("gmail", 1), ("yahoo", 2))
    ]
    for wrong, said in (
        (("--share", "gmial=0.5"), "--share: 'gmial' is no provider; known: "),
        (("--share", "gmail=0.7", "--share", "yahoo=0.4"), "--share: they are 1.1 together"),
        (("--share", "gmail=1.1"), "--share: gmail: expected a number <= 1"),
        (("--bounces-at", "gmail=1"), "--bounces-at: gmail has no part of the mail"),
    ):
        assert said in await sendgate("warmup", "simulate", *wrong, code=2), wrong
    growth = await sendgate("plan", "growth", "--domains", "5", "--every", "7d", "--json")
    weeks = msgspec.json.decode(growth)["weeks"]
    assert [week["capacity"] for week in weeks[:6]] == [50, 250, 750, 2_250, 7_250, 17_200]
    assert "all 50 are ACTIVE in week 56" in await sendgate("plan", "growth")
    assert "no warm-up plan" in await sendgate("warmup", "simulate", "--plan", "none", code=1)
    await sendgate("plan", "growth", "--every", "soon", code=2)
    for every in ("36h", "4000d"):
        said = await sendgate("plan", "growth", "--every", every, code=2)
        assert "--every: expected whole days up to 365d, such as 7d" in said
    assert "it is ACTIVE in week 7" in await sendgate("plan", "growth", "--domains", "1")
    # It was looked no further: that is no word of ever.
    late = await sendgate("plan", "growth", "--domains", "20", "--every", "365d")
    assert "not all of them are ACTIVE after 521 weeks, with these rates" in late
    assert await here.core.publisher.current() == before


async def test_running_ips_are_taken_over_at_their_stage_and_day_all_or_none(
    here: Scene,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(here.api, capsys)
    file = tmp_path / "ips.csv"
    file.write_text(
        "tenant,domain,ip,stage,day,sent,bounced\n"
        f"acme,acme.test,{IP},3,6,2400,10\n"
        "acme,new.example,192.0.2.20,5,1,,\n"
    )
    assert "nothing was changed" in await sendgate("warmup", "import", str(file))
    assert (await here.ip())["stage"] == 1
    await sendgate("warmup", "import", str(file), "--apply", "--reason", "from the old system")
    assert (await here.ip())["quota"] == 500
    assert (await here.ip("192.0.2.20"))["quota"] == 5_000
    # Five days are over: two more, and it takes the next stage.
    await here.days(1, 400)
    assert (await here.ip())["stage"] == 3
    await here.days(1, 400)
    assert (await here.ip())["stage"] == 4
    (step,) = await here.decided("advance")
    assert (step.counted["relayed"], step.counted["bounced"]) == (3_200, 10)
    for text, said in (
        (f"tenant,domain,ip,stage\nacme,acme.test,{IP},9\n", "9 is too high"),
        ("tenant,domain,ip,stage\nother,acme.test,192.0.2.10,2\n", "not available to tenant"),
        (f"tenant,domain,ip,stage\nacme,a.test,{IP},2\nacme,b.test,{IP},2\n", "stands in row 1"),
        ("tenant,domain,ip\nacme,acme.test,192.0.2.10\n", "column stage is missing"),
        (f"tenant,domain,ip,stage\nacme,acme.test,{IP},two\n", "not a whole number"),
        (f"tenant,domain,ip,stage,sent\nacme,acme.test,{IP},1,900\n", "more than 50 a day"),
    ):
        file.write_text(text)
        assert said in await sendgate("warmup", "import", str(file), "--apply", code=1)
    assert (await here.ip())["stage"] == 4
