"""Warm-up runs itself: evidence through the database, decisions through the door of changes."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import asyncpg
import pytest

from control.ledger.clock import ClockMove
from control.parts import Parts
from control.plan.publish import Publisher
from control.warmup.decision import DecisionQuery, DecisionView, Kind, decisions
from control.warmup.engine import Engine
from policy.ledger_port import Granted, Reserve
from policy.limits import DAY, day_of
from tests.support.control.core import Api
from tests.support.control.records import book, record
from tests.support.servers.halt import Halt, Place

IP, VMTA = "192.0.2.10", "vmta-192-0-2-10"
BLOCK = "smtp;550 5.7.606 Access denied, banned sending IP [192.0.2.10]"
DEFER = (
    "smtp;421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your "
    "IP address. To protect our users from spam, mail sent from your IP address has been "
    "temporarily rate limited."
)


class Scene:
    """A tenant with one IP on the default plan, and days that pass."""

    def __init__(self, core: Parts, api: Api) -> None:
        self.core, self.api = core, api

    async def today(self) -> int:
        return day_of(await self.core.calendar())

    async def sent(
        self,
        count: int = 50,
        *,
        provider: str = "gmail",
        bounced: int = 0,
        complaints: int = 0,
        deferred: int = 0,
        delivered: int | None = None,
        day: int | None = None,
        ip: str = IP,
    ) -> None:
        """A day's sums, as accounting leaves them; today's, unless `day` says another."""
        await self.core.pool.execute(
            "INSERT INTO statistics_ip AS s (day, tenant, ip, provider, relayed, delivered,"
            " bounced, bounced_address, complaints, deferred)"
            " VALUES ($1, 'acme', $2, $3, $4, $5, $6, $6, $7, $8)"
            " ON CONFLICT (day, tenant, ip, provider) DO UPDATE SET"
            " relayed = s.relayed + excluded.relayed, delivered = s.delivered + excluded.delivered,"
            " bounced = s.bounced + excluded.bounced,"
            " bounced_address = s.bounced_address + excluded.bounced_address,"
            " complaints = s.complaints + excluded.complaints",
            await self.today() if day is None else day,
            *(ip, provider, count, count - bounced if delivered is None else delivered),
            *(bounced, complaints, deferred),
        )
        await self.core.pool.execute(
            "INSERT INTO statistics_changed VALUES ($1, $2) ON CONFLICT (ip) DO UPDATE"
            " SET at = statistics_changed.at + 1",
            *(ip, await self.core.calendar()),
        )

    async def midnight(self, *, turn: bool = True) -> int:
        """The day turns; returns how many decisions are new."""
        now = await self.core.calendar()
        left = (day_of(now) + 1) * DAY + 1000 - now
        await self.core.clock.move(ClockMove(advance=f"{-(-left // 1000)}s"))
        return await self.core.warmup.look(turn=True) if turn else 0

    async def days(self, count: int, relayed: int = 50, **of: Any) -> None:
        """So many days with that on each, and their midnights."""
        for _ in range(count):
            await self.sent(relayed, **of)
            await self.midnight()

    async def ip(self, ip: str = IP) -> dict[str, Any]:
        status, view = await self.api("GET", f"/api/v2/ips/{ip}")
        assert status == 200, view
        return view

    async def quota(self) -> int:
        """As the ledger has it."""
        generation = await self.core.publisher.current()
        assert generation is not None
        daily = generation.vmta[VMTA].daily
        assert isinstance(daily, int)
        return daily

    async def both(self, place: Place) -> None:
        """Two engines take a turn: the second has come up to the first, which waits there."""
        await self.behind(place, *(self.elsewhere().look(turn=True) for _ in range(2)))

    def elsewhere(self) -> Engine:
        """Of another control node: in one, changes wait for each other without PostgreSQL."""
        core = self.core
        publisher = Publisher(core.pool, core.admin, core.settings)
        return Engine(core.pool, core.admin, publisher, core.settings.warmup, core.calendar)

    async def behind(self, place: Place, *both: Awaitable[Any]) -> None:
        """One of them waits there until the other can get no further."""
        connection = await asyncpg.connect(self.core.settings.database.url)
        halt = Halt(connection)
        await halt.prepare()
        await halt.at(place)
        async with asyncio.timeout(20):
            work = [asyncio.ensure_future(both[0])]
            await halt.reached()
            work.append(asyncio.ensure_future(both[1]))
            await halt.reached(behind=1)
            await halt.open()
            await asyncio.gather(*work)
        await connection.close()

    async def decided(self, act: Kind | None = None) -> list[DecisionView]:
        wanted = DecisionQuery(tenant="acme", act=act)
        return (await decisions(self.core.pool, wanted)).decisions


@pytest.fixture
async def here(core: Parts, api: Api) -> Scene:
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    source: dict[str, Any] = {"tenant": "acme", "domain": "acme.test", "ip": IP}
    status, made = await api("POST", "/api/v2/domains", source)
    assert status == 201, made
    return Scene(core, api)


async def test_an_ip_takes_each_stage_after_seven_days_and_is_active_then(here: Scene) -> None:
    quotas = []
    for stage, quota in enumerate((50, 200, 500, 1_500, 5_000, 10_000), 1):
        await here.days(6, quota // 2 + 1)
        quotas.append(await here.quota())
        assert (await here.ip())["stage"] == stage
        await here.days(1, quota // 2 + 1)
    assert quotas == [50, 200, 500, 1_500, 5_000, 10_000]
    view = await here.ip()
    assert (view["state"], view["quota"], view["stage"]) == ("active", 10_000, 6)
    steps = await here.decided("advance")
    assert [(d.stage_before, d.stage_after) for d in reversed(steps)] == [
        (n, n + 1) for n in range(1, 6)
    ]
    assert steps[-1].sentence == (
        "192.0.2.10 takes stage 2 (200 a day): 7 counted days, 182 relayed, 0 bounces (0 %), "
        "0 complaints (0 %)."
    )
    assert steps[-1].quota_before, steps[-1].quota_after == (50, 200)
    (done,) = await here.decided("finish")
    assert (done.severity, done.state_after) == ("info", "active")
    # An ACTIVE IP keeps the last stage's quota, whatever else is changed of it.
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"weight": 2.0}))[0] == 200
    assert (await here.ip())["state"] == "active"


async def test_the_same_evidence_decides_once(here: Scene) -> None:
    await here.days(7)
    assert (await here.ip())["stage"] == 2
    before = await here.decided()
    first = await here.core.publisher.current()
    for _ in range(3):
        await here.core.warmup.look(turn=True)
    held = [d for d in await here.decided() if d not in before]
    assert [d.rule for d in held] in ([], ["thin"])
    assert await here.core.publisher.current() == first


async def test_two_engines_at_once_decide_once(here: Scene) -> None:
    """One is in the middle of a step while the other has judged the same evidence: what that comes
    to is judged again when its turn has come."""
    for _ in range(6):
        await here.sent(50)
        await here.midnight()
    await here.sent(50)
    await here.midnight(turn=False)
    await here.both(Place("generation", "AFTER INSERT", "NEW.who = 'warmup'"))
    assert (await here.ip())["stage"] == 2
    assert len(await here.decided("advance")) == 1
    for table, whose in (("warmup_history", "vmta"), ("audit_log", "subject"), ("generation", "")):
        subject = {"vmta": VMTA, "subject": IP}.get(whose)
        number = await here.core.pool.fetchval(
            f"SELECT count(*) FROM {table} WHERE who = 'warmup'"
            + (f" AND {whose} = '{subject}'" if whose else "")
        )
        assert number == 1, table


async def test_what_a_person_is_about_to_change_is_not_overruled(here: Scene) -> None:
    """The engine has judged what was before; its turn comes when the person's change is there."""
    await here.days(6)
    await here.sent(50)
    await here.midnight(turn=False)
    by_hand = here.api("PATCH", f"/api/v2/ips/{IP}", {"stage": 3, "reason": "known elsewhere"})
    place = Place("generation", "AFTER INSERT", "NEW.who = 'test'")
    await here.behind(place, by_hand, here.elsewhere().look(turn=True))
    assert (await here.ip())["stage"] == 3
    assert await here.decided("advance") == []


async def test_two_engines_at_once_write_what_stays_once(here: Scene) -> None:
    await here.sent(50, complaints=1, provider="yahoo")
    await here.both(Place("warmup_decision", "AFTER INSERT", "NEW.act = 'hold'"))
    held = [d.rule for d in await here.decided("hold") if not d.provider]
    assert held == ["complaints"]


async def test_bounces_pause_an_ip_at_once_and_its_cool_down_ends_a_stage_lower(
    here: Scene,
) -> None:
    await here.days(7)
    await here.sent(50, bounced=5, delivered=44)
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["state"] == "warming"
    # The guard looks at seven days; a fresh window of 50 mails has proof at six.
    await here.sent(0, bounced=1, delivered=0)
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["state"] == "paused"
    (pause,) = await here.decided("pause")
    assert "pauses: 6 bounces of 50 relayed (12 %), where the limit is 5 %" in pause.sentence
    assert (pause.severity, pause.rule, pause.who) == ("warning", "bounces", "warmup")
    assert (pause.watched["bounced"], pause.thresholds["bounces"]) == (6, 5.0)
    for _ in range(6):
        await here.midnight()
    assert (await here.ip())["state"] == "paused"
    await here.midnight()
    view = await here.ip()
    assert (view["state"], view["stage"]) == ("warming", 1)
    assert [d.rule for d in await here.decided("resume")] == ["cool_down"]


async def test_complaints_hold_at_the_first_and_pause_at_proof(here: Scene) -> None:
    await here.sent(50, complaints=1, provider="yahoo")
    await here.core.warmup.look(turn=False)
    held = [d for d in await here.decided("hold") if not d.provider]
    assert [(d.rule, d.severity) for d in held] == [("complaints", "critical")]
    assert "1 more would pause it" in held[0].sentence
    await here.core.warmup.look(turn=False)
    assert len([d for d in await here.decided("hold") if not d.provider]) == 1
    await here.sent(0, complaints=1, delivered=0, provider="yahoo")
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["state"] == "paused"
    assert [d.severity for d in await here.decided("pause")] == ["critical"]


async def test_a_block_of_the_ip_pauses_it_at_that_provider_alone(here: Scene) -> None:
    await here.core.clock.move(ClockMove(advance="1m"))
    day = await here.today()
    said = {"dsnDiag": BLOCK, "dsnStatus": "5.7.606", "bounceCat": "spam-related"}
    at = str(await here.core.calendar() // 1000)
    await book(here.core, record("b", day=day, rcpt="a@hotmail.com", timeLogged=at, **said))
    await here.core.warmup.look(turn=False)
    view = await here.ip()
    assert (view["state"], view["ceilings"]["microsoft"]) == ("warming", 0)
    assert view["ceilings"]["gmail"] == 30
    (pause,) = await here.decided("pause")
    assert (pause.provider, pause.rule, pause.severity) == ("microsoft", "block", "critical")
    # Its cool-down ends the pause; the old reply does not bring it back.
    for _ in range(8):
        await here.midnight()
    assert (await here.ip())["ceilings"]["microsoft"] == 20
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["ceilings"]["microsoft"] == 20


async def test_a_reputation_deferral_holds_one_provider_while_the_ip_goes_on(here: Scene) -> None:
    for number in range(7):
        await here.sent(20, provider="gmail")
        await here.sent(30, provider="yahoo")
        if number == 3:
            at = str(await here.core.calendar() // 1000)
            said = {"dsnDiag": DEFER, "dsnStatus": "4.7.28", "timeLogged": at}
            await book(here.core, record("t", day=await here.today(), **said))
        await here.midnight()
    view = await here.ip()
    assert (view["stage"], view["quota"]) == (2, 200)
    # Gmail stays at the first stage's ceiling; yahoo has the second's.
    assert (view["ceilings"]["gmail"], view["ceilings"]["yahoo"]) == (30, 80)
    held = [d for d in await here.decided("hold") if d.provider == "gmail"]
    assert held[0].rule == "reputation"
    # Seven calm days later it follows.
    for _ in range(4):
        await here.sent(20, provider="gmail")
        await here.sent(100, provider="yahoo")
        await here.midnight()
    assert (await here.ip())["ceilings"]["gmail"] == 120


async def test_a_provider_that_steps_with_its_ip_takes_one_stage_and_not_its_ips(
    here: Scene,
) -> None:
    for number in range(14):
        await here.sent(30 if number < 7 else 80, provider="gmail")
        await here.sent(20 if number < 7 else 100, provider="yahoo")
        if number == 6:
            at = str(await here.core.calendar() // 1000)
            said = {"dsnDiag": DEFER, "dsnStatus": "4.7.28", "timeLogged": at}
            await book(here.core, record("t", day=await here.today(), **said))
        await here.midnight()
    # Gmail stayed at the first stage when its IP took the second, and was calm since.
    acts = [(d.provider, d.stage_after) for d in await here.decided("advance")]
    assert sorted(acts) == [("", 2), ("", 3), ("gmail", 2)]
    view = await here.ip()
    assert (view["stage"], view["ceilings"]["gmail"], view["ceilings"]["yahoo"]) == (3, 120, 200)


async def test_three_days_of_deferrals_step_a_provider_back(here: Scene) -> None:
    await here.days(7)
    for number in range(3):
        at = str(await here.core.calendar() // 1000)
        said = {"dsnDiag": DEFER, "dsnStatus": "4.7.28", "timeLogged": at}
        await book(here.core, record("t", f"abcdefg{number}01", day=await here.today(), **said))
        await here.sent(100)
        await here.midnight()
    view = await here.ip()
    assert (view["stage"], view["ceilings"]["gmail"]) == (2, 30)
    (back,) = await here.decided("step_back")
    assert (back.provider, back.rule, back.stage_after) == ("gmail", "reputation", 1)


async def test_late_reports_take_the_step_back_that_they_would_not_have_allowed(
    here: Scene,
) -> None:
    first = await here.today()
    await here.days(7)
    assert (await here.ip())["stage"] == 2
    await here.days(3, 150)
    await here.sent(0, bounced=20, delivered=0, day=first + 2)
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["stage"] == 1
    (back,) = await here.decided("step_back")
    assert back.rule == "late_bounces"
    assert "late reports about the days that earned its step: 20 bounces of 370" in back.sentence
    await here.core.warmup.look(turn=False)
    assert len(await here.decided("step_back")) == 1


async def test_silence_costs_a_stage_and_a_longer_one_more(here: Scene) -> None:
    await here.days(7)
    await here.days(7, 150)
    assert (await here.ip())["stage"] == 3
    await here.days(1, 150)
    stages = []
    for _ in range(32):
        await here.midnight()
        stages.append((await here.ip())["stage"])
    assert stages[6:8] == [3, 2]
    assert stages[13:15] == [2, 1]
    assert stages[-1] == 1
    assert [d.rule for d in await here.decided("step_back")] == ["idle", "idle"]


async def test_thin_evidence_stays_and_says_how_many_days_count(here: Scene) -> None:
    await here.days(7, 24)
    assert (await here.ip())["stage"] == 1
    newest = (await here.decided("hold"))[0]
    assert (newest.rule, newest.severity) == ("thin", "")
    assert "0 of 7 counted days" in newest.sentence


async def test_without_accounting_there_is_no_step(here: Scene) -> None:
    await here.days(8, 50, delivered=0)
    assert (await here.ip())["stage"] == 1
    newest = (await here.decided("hold"))[0]
    assert (newest.rule, newest.severity) == ("unheard", "warning")


async def test_a_pool_that_burns_stops_the_tenants_growth(here: Scene) -> None:
    others = ("192.0.2.11", "192.0.2.12")
    for ip in others:
        more = {"tenant": "acme", "domain": "acme.test", "ip": ip}
        assert (await here.api("POST", "/api/v2/domains", more))[0] == 201
    for number in range(7):
        for ip in (IP, *others):
            await here.sent(50, provider="yahoo", ip=ip)
        await here.midnight(turn=number < 6)
    # 2 of 350 prove nothing of one IP; 4 of 1,050 do of the pool, and the clean one waits, too.
    for ip in others:
        await here.sent(0, provider="yahoo", ip=ip, day=await here.today() - 4, complaints=2)
    await here.core.warmup.look(turn=True)
    stops = [d for d in await here.decided("hold") if d.pool]
    assert [(d.rule, d.provider, d.ip) for d in stops] == [("pool_complaints", "yahoo", "")]
    assert (await here.ip())["stage"] == 1
    held = [d for d in await here.decided("hold") if d.ip == IP and d.rule == "pool_complaints"]
    assert "but not now" in held[0].sentence


async def test_a_fixed_quota_is_guarded_and_never_moves(here: Scene) -> None:
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"quota": 1000}))[0] == 200
    await here.days(8, 1000)
    view = await here.ip()
    assert (view["quota"], view["state"]) == (1000, "active")
    await here.sent(100, bounced=100)
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["state"] == "active"
    await here.sent(0, bounced=300, delivered=0)
    await here.core.warmup.look(turn=False)
    assert (await here.ip())["state"] == "paused"


async def test_a_broken_change_leaves_nothing_and_is_done_later(
    here: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.days(6)
    await here.sent(50)
    await here.midnight(turn=False)

    async def broken(*_: object) -> int:
        raise ConnectionResetError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr("control.warmup.engine.apply", broken)
        with pytest.raises(ConnectionResetError):
            await here.core.warmup.look(turn=True)
    assert ((await here.ip())["stage"], await here.decided("advance")) == (1, [])
    await here.core.warmup.look(turn=True)
    assert ((await here.ip())["stage"], len(await here.decided("advance"))) == (2, 1)


async def test_a_day_counts_by_the_ledger_where_accounting_is_behind(here: Scene) -> None:
    """Of one recipient accounting tells that it went, of the others that they ended: the ledger
    knows how many there were, and `ledger_day` once it let go of the day."""
    assert (await here.api("PATCH", f"/api/v2/ips/{IP}", {"hourly_share": 1.0}))[0] == 200
    for number in range(7):
        for mail in range(25):
            ask = Reserve("acme", "acme", f"a{number}-{mail}@acme.test", (("gmail", 1),))
            batch = await here.core.ledger.decide([ask])
            assert isinstance(batch.decisions[0], Granted)
        await here.sent(0, delivered=20)
        day = await here.today()
        await here.midnight(turn=number == 6)
        if number < 6:
            await here.core.pool.execute(
                "INSERT INTO ledger_day VALUES ($1, $2, 'gmail', 25, 0)", day, IP
            )
            await here.core.admin.client.delete(f"{here.core.admin.root}day:{day}:{IP}")
    (step,) = await here.decided("advance")
    assert (step.counted["relayed"], step.counted["delivered"]) == (175, 140)
