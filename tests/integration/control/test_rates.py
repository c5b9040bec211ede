"""Limits of a minute and an hour as operators set them: in the plan, shown, audited, explained."""

import re
from typing import Any

import pytest

from control.parts import Parts
from policy.ledger.ledger import RedisLedger
from policy.ledger_port import Granted, Reserve
from policy.model import OFF, Rate
from tests.support.control.core import TOKEN, Api, Command

ACME = {"name": "acme", "login": "acme", "password": "correct horse"}
DOMAIN = {"tenant": "acme", "domain": "mail1.acme.example", "ip": "192.0.2.10", "quota": 50}
QUESTION = {"tenant": "acme", "from": "a@mail1.acme.example", "to": "b@gmail.com"}


@pytest.fixture
async def sendgate(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    for path, body in (("tenants", ACME), ("domains", DOMAIN)):
        status, answer = await api("POST", f"/api/v2/{path}", body)
        assert status == 201, answer
    return Command(api, capsys)


async def _plan(core: Parts) -> Any:
    plan = await core.admin.current()
    assert plan is not None
    return plan


async def test_by_the_command_they_are_in_the_plan_shown_and_audited(
    sendgate: Command, api: Api, core: Parts
) -> None:
    await sendgate("pool", "set", "acme", "--per-minute", "7", "--per-hour", "70")
    await sendgate("ip", "set", "192.0.2.10", "--per-hour", "40")
    await sendgate("tenant", "set", "acme", "--per-minute", "9", "--mailbox-hour", "5")
    plan = await _plan(core)
    assert plan.pools[0].rate == Rate(minute=7, hour=70)
    assert plan.vmtas[0].rate == Rate(hour=40)
    assert plan.tenants[0].rate.minute == 9
    assert plan.tenants[0].mailbox_default.rate == Rate(hour=5)
    pool = (await api("GET", "/api/v2/pools/acme"))[1]
    assert (pool["per_minute"], pool["per_hour"]) == (7, 70)
    ip = (await api("GET", "/api/v2/ips/192.0.2.10"))[1]
    assert (ip["per_minute"], ip["per_hour"]) == (None, 40)
    acts = await core.pool.fetch(
        "SELECT action, after FROM audit_log WHERE action = ANY ($1) ORDER BY action",
        ["pool.set", "ip.set"],
    )
    assert [(a["action"], a["after"]) for a in acts] == [
        ("ip.set", {"per_hour": 40}),
        ("pool.set", {"per_hour": 70, "per_minute": 7}),
    ]
    number = plan.number
    await sendgate("pool", "set", "acme", "--per-minute", "7")
    assert (await _plan(core)).number == number, "nothing to publish"
    await sendgate("pool", "set", "acme", "--no-per-minute", "--no-per-hour")
    await sendgate("ip", "set", "192.0.2.10", "--no-per-hour")
    plan = await _plan(core)
    assert (plan.pools[0].rate, plan.vmtas[0].rate) == (OFF, OFF)


async def test_what_binds_is_explained_with_its_time_and_what_would_change_it(
    sendgate: Command, api: Api, core: Parts
) -> None:
    await sendgate("pool", "set", "acme", "--per-minute", "1")
    ledger = RedisLedger(core.admin.client)
    box = "a@mail1.acme.example"
    answer = await ledger.decide([Reserve("acme", "acme", box, (("gmail", 1),))])
    [granted] = answer.decisions
    assert isinstance(granted, Granted)
    status, said = await api("POST", "/api/v2/explain", QUESTION)
    assert status == 200, said
    assert (said["limit"], said["decision"]) == ("pool_minute", "defer")
    assert "pool acme has sent its 1 a minute, until" in said["sentence"]
    assert said["until"]
    assert "sendgate pool set POOL --per-minute N" in said["change"]


async def test_an_ips_tables_have_its_limits_and_now_is_no_more_than_they_admit(
    sendgate: Command, api: Api, core: Parts
) -> None:
    await sendgate("ip", "set", "192.0.2.10", "--per-hour", "3")
    for words in (("ip", "list"), ("ip", "show", "192.0.2.10")):
        said = await sendgate(*words)
        assert "an hour" in said, words
    now = (await api("GET", "/api/v2/quota"))[1][0]
    assert (now["pace_now"], now["why"]) == (3, "")
    ledger = RedisLedger(core.admin.client)
    box = "a@mail1.acme.example"
    await ledger.decide([Reserve("acme", "acme", box, (("gmail", 1),))] * 3)
    now = (await api("GET", "/api/v2/quota"))[1][0]
    assert now["pace_now"] == 0
    assert "has sent its 3 an hour" in now["why"]
    assert now["next_free"]
    shown = await sendgate("tenant", "show", "acme")
    assert re.search(r"dsn\W+by profile", shown), shown
