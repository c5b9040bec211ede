"""/api/v2/traffic: what goes through each IP now, looked at in turns."""

import asyncio
from typing import Any

import pytest

from control.parts import Parts
from control.traffic import look
from control.traffic.look import Looks
from control.traffic.traffic import Traffic, TrafficQuery
from policy.ledger.bulletin import FIGURES, Figures, encode_figures
from policy.ledger.known import Counters
from policy.limits import day_of
from tests.support.control.core import Api
from tests.support.hold.held import hold

PATH = "/api/v2/traffic"


class Time:
    """Seconds of a process's own clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def looks(core: Parts, time: Time) -> Looks:
    return Looks(*(core.pool, core.publisher, core.opening, core.admin, core.settings), clock=time)


@pytest.fixture(autouse=True)
async def tenants(api: Api) -> None:
    for tenant, ip, quota in (("acme", "192.0.2.10", 100), ("globex", "192.0.2.9", "unlimited")):
        named = {"name": tenant, "login": f"{tenant}-smtp", "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", named))[0] == 201
        source = {"tenant": tenant, "domain": f"{tenant}.test", "ip": ip, "quota": quota}
        assert (await api("POST", "/api/v2/domains", source))[0] == 201


async def charge(core: Parts, ip: str, total: int) -> None:
    now, _ = await core.admin.now()
    counters = Counters(ip=ip, day=day_of(now), total=total, by_provider={"gmail": total})
    await core.admin.raise_counters([counters])


async def many(core: Parts, api: Api, count: int) -> None:
    """So many more IPs of acme."""
    await core.pool.execute(
        "INSERT INTO virtual_mta (name, tenant, ip, host_name, server, state, quota_source,"
        " plan, stage, hourly_share, created)"
        " SELECT 'many-' || lpad(n::text, 5, '0'), 'acme', '10.0.0.0'::inet + n,"
        " 'm' || n || '.acme.test', 'pmta1', 'warming', 'plan', 'default', 1 + n % 6, 0.2, now()"
        " FROM generate_series(1, $1) n",
        count,
    )
    await core.pool.execute(
        "INSERT INTO pool_member (tenant, pool, vmta) SELECT 'acme', 'acme', name"
        " FROM virtual_mta WHERE name LIKE 'many-%'"
    )
    assert (await api("POST", "/api/v2/generation"))[0] == 200


def by_ip(found: Traffic) -> dict[str, Any]:
    return {row.ip: row for row in found.rows}


async def test_it_says_of_each_ip_what_went_and_what_binds(core: Parts, api: Api) -> None:
    await charge(core, "192.0.2.10", 100)
    now, _ = await core.admin.now()
    await core.pool.execute(
        "INSERT INTO statistics_ip (day, tenant, ip, provider, relayed, delivered, deferred,"
        " bounced) VALUES ($1, 'acme', '192.0.2.10', 'gmail', 100, 90, 7, 3),"
        " ($1, 'acme', '192.0.2.10', 'yahoo', 0, 1, 1, 1),"
        " ($1 - 1, 'acme', '192.0.2.10', 'gmail', 50, 50, 50, 50)",
        day_of(now),
    )
    status, found = await api("GET", PATH)
    assert status == 200, found
    full, free = found["rows"]
    assert (full["ip"], full["used"], full["left"], full["quota"]) == ("192.0.2.10", 100, 0, 100)
    assert (full["delivered"], full["bounced"], full["deferred"]) == (91, 4, 8)
    assert "the daily quota of" in full["why"]
    assert (free["ip"], free["left"], free["why"]) == ("192.0.2.9", "unlimited", "")
    assert (found["ips"], found["quota"], found["used"], found["left"]) == (2, 100, 100, 0)
    assert (found["unlimited"], found["bound"], found["binds"]) == (1, 1, {"ip_quota": 1})
    assert (found["known"], found["all"], found["held"]) == (2, 2, 0)


async def test_filters_and_sorting(core: Parts, api: Api) -> None:
    async def ips(query: str) -> list[str]:
        status, found = await api("GET", f"{PATH}?{query}")
        assert status == 200, found
        return [row["ip"] for row in found["rows"]]

    assert await ips("sort=ip") == ["192.0.2.9", "192.0.2.10"]
    assert await ips("sort=-ip") == ["192.0.2.10", "192.0.2.9"]
    assert await ips("sort=-left") == ["192.0.2.9", "192.0.2.10"]
    assert await ips("containing=GLOB") == ["192.0.2.9"]
    assert await ips("tenant=acme") == ["192.0.2.10"]
    assert await ips("state=paused") == []
    assert await ips("sort=ip&limit=1") == ["192.0.2.9"]
    assert (await api("GET", f"{PATH}?tenant=nobody"))[0] == 404
    assert (await api("GET", f"{PATH}?sort=colour"))[0] == 400


async def test_of_one_tenant_nothing_of_others_is_said(core: Parts, api: Api) -> None:
    figures = Figures(sessions=1, minute={"relayed": 6, "held": 2, "released": 1})
    seconds, _ = await core.admin.client.time()
    await core.admin.client.zadd(f"{core.admin.root}workers", {"w1": seconds})
    await core.admin.client.hset(f"{core.admin.root}{FIGURES}", "w1", encode_figures(figures))
    whole = (await api("GET", PATH))[1]
    assert (whole["mail"]["came"], whole["mail"]["relayed"], whole["mail"]["held"]) == (8, 6, 2)
    own = (await api("GET", f"{PATH}?tenant=acme"))[1]
    assert own["mail"] is None
    assert [row["tenant"] for row in own["rows"]] == ["acme"]
    assert own["ips"] == 1


async def test_a_rate_is_of_seconds_and_begins_anew(core: Parts, looks: Looks, time: Time) -> None:
    asked = TrafficQuery()
    assert by_ip(await looks(asked))["192.0.2.10"].rate is None
    await charge(core, "192.0.2.10", 10)
    time.now += 1
    assert by_ip(await looks(asked))["192.0.2.10"].rate is None
    time.now += 9
    assert by_ip(await looks(asked))["192.0.2.10"].rate == 60.0
    # Who watches again after a while gets no rate of a time in which nobody looked.
    time.now += look.FORGET + 1
    await charge(core, "192.0.2.10", 50)
    assert by_ip(await looks(asked))["192.0.2.10"].rate is None


async def test_those_who_ask_within_a_second_share_a_look(
    core: Parts, looks: Looks, time: Time
) -> None:
    first = await looks(TrafficQuery())
    await charge(core, "192.0.2.10", 10)
    time.now += look.EVERY / 2
    assert (await looks(TrafficQuery())).used == first.used == 0
    time.now += look.EVERY
    both = await asyncio.gather(looks(TrafficQuery()), looks(TrafficQuery()))
    assert [one.used for one in both] == [10, 10]


async def test_many_ips_are_seen_in_turns_and_those_shown_each_time(
    core: Parts, api: Api, looks: Looks, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "PART", 10)
    await many(core, api, 30)
    known = []
    for _ in range(4):
        found = await looks(TrafficQuery(sort="-ip", limit=2))
        known.append((found.known, found.all))
        time.now += 1
    assert known == [(10, 32), (20, 32), (30, 32), (32, 32)]
    last = found.rows[0].ip
    assert last == "192.0.2.10"
    # It is not of the next part, but was shown.
    await charge(core, last, 7)
    assert (await looks(TrafficQuery(sort="-ip", limit=2))).rows[0].used == 7
    # What is removed goes with the end of a round.
    await core.pool.execute("DELETE FROM pool_member WHERE vmta = 'many-00030'")
    await core.pool.execute("DELETE FROM virtual_mta WHERE name = 'many-00030'")
    assert (await api("POST", "/api/v2/generation"))[0] == 200
    time.now += 1
    assert (await looks(TrafficQuery(containing="10.0.0.30"))).rows == []


async def test_what_waits_is_counted_by_pool(core: Parts, api: Api) -> None:
    pool = (await api("GET", "/api/v2/pools?tenant=acme"))[1][0]["name"]
    for number, state in enumerate(("held", "doubt", "done")):
        await hold(core.pool, f"m{number}", pool=pool, state=state)
    found = (await api("GET", f"{PATH}?sort=-held"))[1]
    assert [(row["tenant"], row["held"]) for row in found["rows"]] == [("acme", 2), ("globex", 0)]
    assert found["held"] == 2
    assert (await api("GET", f"{PATH}?tenant=globex"))[1]["held"] == 0


async def test_a_closed_ledger_is_said(core: Parts, api: Api) -> None:
    await core.admin.close(await core.admin.incarnation())
    status, found = await api("GET", PATH)
    assert status == 503
    assert "ledger main is closed" in found["detail"]
