"""A change compiles what it touched, and makes the plan that all rows make."""

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from control.mailboxes import limits
from control.mailboxes.limits import MailboxChange
from control.parts import Parts
from control.plan import compiler as compiling
from control.plan.compile import compile_generation
from control.plan.done import NEXT_STEP
from control.plan.publish import Publisher
from control.plan.rows import read
from control.pmta import server
from control.pmta.server import ServerAddresses
from control.problem import RefusedError
from control.sources import domain, ip, pool
from control.sources.domain import NewDomain
from control.sources.ip import IpChange
from control.store.change import Act
from control.tenants import tenant, terms
from control.tenants.tenant import NewPassword, NewTenant
from control.tenants.terms import TenantChange
from policy.model import Address
from policy.plan import Generation, encode
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import build, control_core, settings_for

STEPS = 80
EVERYTHING = {"tenants", "vmtas", "pools", "domain-key"}


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url, pmta_keys="/keys")


@pytest.fixture
async def core(settings: Settings) -> AsyncIterator[Parts]:
    async with control_core(settings) as opened:
        yield opened


async def whole(core: Parts, like: Generation) -> bytes:
    """What all rows make, under the number and at the time of `like`."""
    async with core.pool.acquire() as connection:
        compiled = compile_generation(
            await read(connection),
            core.settings.warmup,
            core.settings.hold,
            number=like.number,
            created=like.created,
            ledger=core.settings.ledger.name,
        )
    assert compiled.problems == []
    return encode(compiled.generation)


async def published(core: Parts) -> Generation:
    found = await core.admin.current()
    assert found is not None
    return found


class Operators:
    """What people do, at random: by two control nodes, and by hand in the database."""

    def __init__(self, nodes: list[Parts], dice: random.Random) -> None:
        self.nodes = nodes
        self.dice = dice
        self.warmup = nodes[0].settings.warmup
        self.tenants: list[str] = []
        self.ips: list[tuple[str, str]] = []
        self.domains = 0

    def acts(self) -> list[Callable[[], Callable[[Act], Awaitable[Any]]]]:
        made = [self.new_tenant, self.new_server]
        if self.tenants:
            made += [self.new_domain, self.terms, self.mailbox, self.pause, self.password]
            made += [self.mailbox, self.hours, self.campaigns, self.networks]
        if self.ips:
            made += [self.ip, self.ip, self.pool, self.second_domain]
        return made

    def tenant(self) -> str:
        return self.dice.choice(self.tenants)

    def new_tenant(self) -> Callable[[Act], Awaitable[Any]]:
        name = f"t{self.dice.randrange(1000)}"
        if name in self.tenants:
            name += "x"
        self.tenants.append(name)
        hold: dict[str, Any] = {"hold_age": 3600.0} if self.dice.random() < 0.5 else {}
        new = NewTenant(name=name, login=f"{name}-in", password="correct horse", **hold)
        return lambda a: tenant.add(a, new)

    def new_server(self) -> Callable[[Act], Awaitable[Any]]:
        host = f"10.0.0.{self.dice.randrange(1, 200)}"
        found = ServerAddresses(name="pmta1", addresses=(Address(host=host, port=2525),))
        return lambda a: server.put(a, found)

    def new_domain(self, ip_of: tuple[str, str] | None = None) -> Callable[[Act], Awaitable[Any]]:
        self.domains += 1
        name, address = ip_of or (self.tenant(), f"192.0.2.{self.domains}")
        if ip_of is None:
            self.ips.append((name, address))
        quota: dict[str, Any] = {} if ip_of else self.dice.choice([{}, {"quota": 7}])
        new = NewDomain(
            tenant=name,
            domain=f"d{self.dice.randrange(10_000)}-{self.domains}.example",
            ip=address,
            pool=self.dice.choice([None, f"{name}-{self.dice.randrange(3)}"]),
            overflow=name if self.dice.random() < 0.2 else None,
            **quota,
        )
        seal = self.nodes[0].seal
        return lambda a: domain.add(a, new, seal=seal, warmup=self.warmup)

    def second_domain(self) -> Callable[[Act], Awaitable[Any]]:
        return self.new_domain(self.dice.choice(self.ips))

    def terms(self) -> Callable[[Act], Awaitable[Any]]:
        wanted = TenantChange(
            max_recipients=self.dice.randrange(1, 9), mailbox_max=self.dice.choice([None, 5])
        )
        name = self.tenant()
        return lambda a: terms.change(a, name, wanted)

    def hours(self) -> Callable[[Act], Awaitable[Any]]:
        wanted = self.dice.choice(
            [TenantChange(hours=None), TenantChange(hours="09:00-17:00", zone="Europe/Paris")]
        )
        name = self.tenant()
        return lambda a: terms.change(a, name, wanted)

    def networks(self) -> Callable[[Act], Awaitable[Any]]:
        name = self.tenant()
        wanted = TenantChange(networks=(f"10.{self.tenants.index(name)}.0.0/16",))
        if self.dice.random() < 0.5:
            wanted = TenantChange(networks=())
        return lambda a: terms.change(a, name, wanted)

    def mailbox(self) -> Callable[[Act], Awaitable[Any]]:
        name, address = self.tenant(), f"m{self.dice.randrange(20)}@d.example"
        wanted = MailboxChange(daily_max=self.dice.randrange(9))
        return lambda a: limits.set_mailbox(a, name, address, wanted)

    def pause(self) -> Callable[[Act], Awaitable[Any]]:
        name, paused = self.tenant(), self.dice.random() < 0.5
        return lambda a: tenant.set_paused(a, name, paused)

    def password(self) -> Callable[[Act], Awaitable[Any]]:
        name = self.tenant()
        return lambda a: tenant.set_password(
            a, name, NewPassword(login=f"{name}-in", password="battery staple")
        )

    def campaigns(self) -> Callable[[Act], Awaitable[Any]]:
        name = self.tenant()

        async def act(a: Act) -> None:
            found = [f"campaign{self.dice.randrange(5)}"]
            await a.connection.execute(
                "UPDATE tenant SET paused_campaigns = $2 WHERE name = $1", name, found
            )

        return act

    def ip(self) -> Callable[[Act], Awaitable[Any]]:
        _, address = self.dice.choice(self.ips)
        wanted = self.dice.choice(
            [
                IpChange(quota=self.dice.randrange(100)),
                IpChange(quota="plan", stage=self.dice.randrange(1, 5)),
                IpChange(state="pause"),
                IpChange(state="resume"),
                IpChange(weight=float(self.dice.randrange(1, 9))),
                IpChange(ceilings={"gmail": self.dice.randrange(9)}),
            ]
        )
        return lambda a: ip.change(a, address, wanted, warmup=self.warmup)

    def pool(self) -> Callable[[Act], Awaitable[Any]]:
        name, paused = self.dice.choice(self.ips)[0], self.dice.random() < 0.5
        return lambda a: pool.set_paused(a, name, paused)

    async def by_hand(self) -> None:
        """What no function of ours writes."""
        statement = self.dice.choice(
            [
                "DELETE FROM mailbox WHERE address < 'm11'",
                "UPDATE virtual_mta SET plan = 'slow', stage = 1, quota_source = 'plan'",
                "UPDATE warmup_stage SET quota = quota + 1",
                "UPDATE mailbox SET address = 'z' || address WHERE address < 'm15'",
                "DELETE FROM pool_member WHERE vmta LIKE '%1'",
                "DELETE FROM sending_domain WHERE domain LIKE 'd1%'",
                "DELETE FROM login WHERE name LIKE 't1%'",
                "TRUNCATE mailbox",
            ]
        )
        await self.nodes[0].pool.execute(statement)


@pytest.mark.timeout(300)
async def test_changes_make_the_plan_that_all_rows_make(
    core: Parts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    compiled_whole = 0
    real = compiling.compile_generation

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal compiled_whole
        compiled_whole += 1
        return real(*arguments, **named)

    monkeypatch.setattr(compiling, "compile_generation", counted)
    await core.pool.execute(
        "WITH slow AS (INSERT INTO warmup_plan (name, created) VALUES ('slow', now()) RETURNING *) "
        "INSERT INTO warmup_stage (plan, stage, quota) SELECT name, 1, 11 FROM slow"
    )
    async with control_core(settings) as other:
        operators = Operators([core, other], dice)
        number = await core.admin.number()
        met: set[str] = set()
        steps = 0
        # Some dice come to an IP late: they are thrown on until everything was in a plan.
        for step in range(4 * STEPS):
            if step >= STEPS and met == EVERYTHING:
                break
            steps = step + 1
            if dice.random() < 0.15:
                await operators.by_hand()
            node = dice.choice([core, core, other])
            act = dice.choice(operators.acts())()
            try:
                done = await node.publisher.change("test", act, dry=dice.random() < 0.1)
            except RefusedError:
                continue
            if done.dry or not done.changed:
                continue
            generation = await published(core)
            assert generation.number == done.generation > number
            number = done.generation
            made = encode(generation)
            assert made == await whole(core, generation), f"seed {seed}, step {step}"
            text = await core.publisher.config_text(generation)
            digest = await core.pool.fetchval(
                "SELECT pmta_digest FROM generation WHERE number = $1", number
            )
            assert digest == sha256(text.encode()).hexdigest(), f"seed {seed}, step {step}"
            # All of it may be taken away again in the last steps.
            met |= {kind for kind in ("tenants", "vmtas", "pools") if getattr(generation, kind)}
            met |= {"domain-key"} if "domain-key" in text else set()
    assert met == EVERYTHING
    assert compiled_whole < steps / 3, "most changes compile what they touched"


async def add_tenant(core: Parts, name: str) -> None:
    new = NewTenant(name=name, login=f"{name}-login", password="correct horse")
    await core.publisher.change("test", lambda act: tenant.add(act, new))


async def test_a_change_reads_no_row_of_what_it_does_not_touch(
    core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was written before by another hand comes into force with it."""
    for name in ("acme", "globex"):
        await add_tenant(core, name)

    async def refused(_: Any) -> Any:
        raise AssertionError("all rows are read")

    monkeypatch.setattr(compiling.rows, "read", refused)
    await core.pool.execute("UPDATE tenant SET max_recipients = 3 WHERE name = 'acme'")
    before = await published(core)
    await core.publisher.change("test", lambda act: tenant.set_paused(act, "globex", True))
    after = await published(core)
    assert (after.tenant["acme"].max_recipients, after.tenant["globex"].paused) == (3, True)
    assert before.tenant["acme"].max_recipients == 100
    noted = await core.pool.fetchval("SELECT count(*) FROM plan_touched")
    assert noted == 0


async def test_a_change_that_is_refused_leaves_what_was_touched_to_the_next(core: Parts) -> None:
    await add_tenant(core, "acme")
    await core.pool.execute("UPDATE tenant SET max_recipients = 20000")
    with pytest.raises(RefusedError, match="max_recipients"):
        await add_tenant(core, "globex")
    await core.pool.execute("UPDATE tenant SET max_recipients = 20")
    await add_tenant(core, "globex")
    assert (await published(core)).tenant["acme"].max_recipients == 20


async def test_a_mailbox_that_gateways_would_refuse_stops_the_change_that_brings_it(
    core: Parts,
) -> None:
    """By hand: the database lets it pass. Of a tenant's mailboxes those are looked at."""
    await add_tenant(core, "acme")
    for name, most in (("a", 1), ("b", 2_000_000_000), ("c", 1)):
        await core.pool.execute(
            "INSERT INTO mailbox (tenant, address, daily_max) VALUES ('acme', $1, $2)",
            *(f"{name}@d.example", most),
        )
    with pytest.raises(RefusedError, match="Tenant acme: Expected `int` <= 1000000000"):
        await add_tenant(core, "globex")
    await core.pool.execute("UPDATE mailbox SET daily_max = 2")
    await add_tenant(core, "globex")
    assert len((await published(core)).tenant["acme"].mailboxes) == 3


async def test_a_plan_that_is_not_what_all_rows_make_is_put_right_and_said_loudly(
    core: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    await add_tenant(core, "acme")
    await core.pool.execute("UPDATE tenant SET max_recipients = 7")
    assert await core.publisher.reconcile() is None, "what waits for a change is no difference"
    await core.pool.execute("DELETE FROM plan_touched")
    assert await core.publisher.reconcile() is None, "looked for now and then, not each time"
    again = Publisher(core.pool, core.admin, core.settings)
    with caplog.at_level(logging.ERROR):
        number = await again.reconcile()
    assert number == await core.admin.number()
    assert "is not what all rows make" in caplog.text
    assert (await published(core)).tenant["acme"].max_recipients == 7


async def test_a_generation_that_does_not_say_how_it_was_made_is_made_whole(core: Parts) -> None:
    """As the first change after an upgrade finds it."""
    for name in ("acme", "globex"):
        await add_tenant(core, name)
    await core.pool.execute("UPDATE generation SET basis = NULL, pmta_digest = NULL")
    await core.pool.execute("UPDATE tenant SET max_recipients = 7 WHERE name = 'acme'")
    await core.pool.execute("DELETE FROM plan_touched")
    done = await core.publisher.change("test", lambda act: tenant.set_paused(act, "globex", True))
    assert NEXT_STEP not in done.notes, "PowerMTA's configuration is as it was"
    assert (await published(core)).tenant["acme"].max_recipients == 7


async def test_an_update_that_changes_nothing_of_the_plan_touches_nothing(core: Parts) -> None:
    await add_tenant(core, "acme")
    await core.pool.execute("UPDATE tenant SET max_recipients = max_recipients")
    assert await core.pool.fetchval("SELECT count(*) FROM plan_touched") == 0
    await core.pool.execute("UPDATE tenant SET max_recipients = 9")
    noted = await core.pool.fetch("SELECT kind, name, part FROM plan_touched")
    assert [tuple(row) for row in noted] == [("tenant", "acme", "")]


async def test_sending_hours_are_made_anew_with_each_generation(core: Parts) -> None:
    await add_tenant(core, "acme")
    await add_tenant(core, "globex")
    hours = TenantChange(hours="09:00-17:00", zone="Europe/Paris")
    await core.publisher.change("test", lambda act: terms.change(act, "acme", hours))
    before = (await published(core)).tenant["acme"].window
    later = await core.publisher.now() + timedelta(days=40)
    await core.admin.set_clock(round(later.timestamp() * 1000))
    await core.publisher.change("test", lambda act: tenant.set_paused(act, "globex", True))
    generation = await published(core)
    after = generation.tenant["acme"].window
    assert before is not None
    assert after is not None
    assert after.offsets[0][0] - before.offsets[0][0] in (40 * 86_400, 41 * 86_400)
    assert encode(generation) == await whole(core, generation)
