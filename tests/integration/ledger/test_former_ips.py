"""An IP keeps its counts through a loss, whatever its VirtualMTA was called and is called now."""

from collections.abc import AsyncIterator

import pytest

from control.bypass.charging import Charging
from control.ledger.status import LedgerState
from control.sources import domain
from control.sources.domain import NewDomain
from control.store.change import Act
from policy.ledger.known import Counters
from policy.limits import day_of
from settings.model import Settings
from settings.statements import statements
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for
from tests.support.ledger.loss import WAIT, Scene, scene

ACME, NAME = "192.0.2.10", "vmta-192-0-2-10"
GLOBEX = "192.0.2.20"
_BOOK = statements("control.accounting", "accounting")["add_relayed"]


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Scene]:
    async with scene(settings) as made:
        yield made


async def book(here: Scene, vmta: str, count: int) -> None:
    """As the reader of accounting does."""
    day = day_of(await here.now())
    await here.core.pool.execute(_BOOK, [day], [vmta], ["gmail"], [count])


async def remove(here: Scene, vmta: str, pool: str = "acme") -> None:
    """An IP, by its VirtualMTA."""

    async def act(a: Act) -> None:
        await a.connection.execute("DELETE FROM pool_member WHERE vmta = $1", vmta)
        await a.connection.execute("DELETE FROM sending_domain WHERE pool = $1", pool)
        await a.connection.execute("DELETE FROM virtual_mta WHERE name = $1", vmta)

    await here.core.publisher.change("test", act)


async def add(here: Scene, ip: str, vmta: str, tenant: str = "acme", server: str = "pmta1") -> None:
    new = NewDomain(
        tenant=tenant,
        domain=f"{tenant}.example",
        ip=ip,
        vmta=vmta,
        quota=5,
        hourly_share=1.0,
        server=server,
    )

    async def act(a: Act) -> None:
        await domain.add(a, new, seal=here.core.seal, warmup=here.settings.warmup)

    await here.core.publisher.change("test", act)


async def rebuild(here: Scene) -> None:
    """After a loss, with what accounting says of both servers."""
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    assert (await here.attend()).state is LedgerState.OPEN


async def counted(here: Scene, *ips: str) -> list[int]:
    _, usage = await here.core.admin.usage(list(ips))
    return [usage[ip].relayed for ip in ips]


async def test_an_ip_removed_and_added_again_keeps_its_counts(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await book(here, NAME, 3)
    await remove(here, NAME)
    await add(here, ACME, "again")
    await book(here, "again", 1)
    # The plans that had it under its former name are not needed.
    await here.core.pool.execute(
        "DELETE FROM generation WHERE number < (SELECT max(number) FROM generation)"
    )
    await rebuild(here)
    assert await counted(here, ACME) == [4]
    assert await here.send("acme", 5) == 1


async def test_an_ip_that_is_away_while_the_ledger_is_rebuilt_keeps_its_counts(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await book(here, NAME, 3)
    await remove(here, NAME)
    await rebuild(here)
    await add(here, ACME, "again")
    assert await here.send("acme", 5) == 2


async def test_a_name_that_was_another_ips_counts_for_whom_it_was_booked(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await book(here, NAME, 3)
    await remove(here, NAME)
    await add(here, "192.0.2.40", NAME)
    # Booked late, it may be either's: too high is not too low.
    await book(here, NAME, 1)
    await here.held(1, "doubt", envelope=f"{day_of(await here.now())}-message1.1")
    await rebuild(here)
    assert await counted(here, ACME, "192.0.2.40", GLOBEX) == [5, 2, 0]


async def test_what_was_claimed_under_a_former_name_counts(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await here.held(1, "claimed", envelope=f"{day_of(await here.now())}-message1.1")
    await remove(here, NAME)
    await add(here, ACME, "again")
    await rebuild(here)
    assert await here.send("acme", 5) == 4


async def test_an_ip_whose_counts_are_lost_stays_closed_when_it_is_added_later(here: Scene) -> None:
    await here.feed("pmta2")
    await remove(here, NAME)
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta2")
    status = await here.attend()
    assert (status.state, status.closed) == (LedgerState.OPEN, [ACME])
    await add(here, ACME, "again")
    assert await here.send("acme") == 0
    assert ACME in await here.opening.closed_ips()
    await here.opening.open_again("ops", "nothing went today")
    assert await here.send("acme", 6) == 5


async def test_a_gap_before_the_ip_was_added_again_is_a_gap(here: Scene) -> None:
    """The server's first VirtualMTA is the one that was removed."""
    await here.older()
    await here.feed("pmta1", "pmta2", gap_at=await here.now())
    await remove(here, NAME)
    await add(here, ACME, "again")
    await rebuild(here)
    assert await here.send("acme") == 0


async def test_an_ip_of_a_server_that_is_gone_stays_closed(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await remove(here, NAME)

    async def act(a: Act) -> None:
        for table, column in (("pmta_server_address", "server"), ("pmta_server", "name")):
            await a.connection.execute(f"DELETE FROM {table} WHERE {column} = 'pmta1'")

    await here.core.publisher.change("test", act)
    await here.lose()
    await here.attend(1, WAIT)
    assert set(await here.probes()) == {"pmta2"}
    await here.answer("pmta2")
    status = await here.attend()
    assert (status.state, status.closed) == (LedgerState.OPEN, [ACME])
    await add(here, ACME, "again", server="pmta2")
    assert await here.send("acme") == 0


async def former(here: Scene) -> None:
    """What a version left that wrote down no IP; the name is another one's by now."""
    await here.feed("pmta1", "pmta2")
    await here.relayed(NAME, 3)
    await remove(here, NAME)
    await add(here, "192.0.2.40", NAME)
    await here.core.pool.execute("DELETE FROM vmta_ip WHERE removed IS NOT NULL")


async def test_what_an_older_version_booked_counts_for_each_ip_of_that_name(here: Scene) -> None:
    await former(here)
    await rebuild(here)
    assert await counted(here, ACME, "192.0.2.40", GLOBEX) == [3, 3, 0]
    assert (await here.opening.status()).closed == []


@pytest.mark.parametrize("trouble", ["unreadable", "forgotten"])
async def test_ips_stay_closed_where_a_plan_that_may_name_them_cannot_be_read(
    here: Scene, trouble: str
) -> None:
    await former(here)
    if trouble == "unreadable":
        await here.core.pool.execute("UPDATE generation SET encoded = 'x' WHERE number = 2")
        why = "generation 2 cannot be read"
    else:
        await here.core.pool.execute("DELETE FROM generation WHERE number < 3")
        why = "generations before 3 are not kept"
    await rebuild(here)
    status = await here.opening.status()
    assert status.closed == ["192.0.2.20", "192.0.2.40"]
    assert why in status.detail
    assert await here.send("initech") == 1
    await here.opening.open_again("ops", "I know better")
    assert await counted(here, "192.0.2.40") == [3]


async def test_an_operator_opens_it_whatever_cannot_be_read(here: Scene) -> None:
    await former(here)
    await here.core.pool.execute("UPDATE generation SET encoded = 'x' WHERE number = 2")
    await here.lose()
    status = await here.opening.open_again("ops", "I know better")
    assert (status.state, status.closed) == (LedgerState.OPEN, [])


async def test_it_opens_though_the_newest_plan_cannot_be_read(here: Scene) -> None:
    """Of another version: what the rows say takes its place."""
    await here.feed("pmta1", "pmta2")
    await book(here, NAME, 3)
    await here.core.pool.execute(
        "UPDATE generation SET encoded = 'x', pmta_digest = NULL, digest = 'another' "
        "WHERE number = (SELECT max(number) FROM generation)"
    )
    await here.core.admin.client.flushall()
    # At once, and before a look finds the loss: changes are made, too.
    await here.core.publisher.reconcile()
    await rebuild(here)
    assert await here.send("acme", 5) == 2


async def test_a_plan_nobody_asks_is_not_read(here: Scene) -> None:
    """What was booked with its IP needs none."""
    await here.feed("pmta1", "pmta2")
    await book(here, NAME, 3)
    await here.core.pool.execute("UPDATE generation SET encoded = 'x' WHERE number < 2")
    await rebuild(here)
    assert (await here.opening.status()).closed == []
    assert await here.send("acme", 5) == 2


async def test_mail_around_the_gateways_is_rebuilt_and_charged_no_second_time(here: Scene) -> None:
    await here.older()
    await here.feed("pmta1", "pmta2")
    await book(here, NAME, 2)
    admin, day = here.core.admin, day_of(await here.now())
    await here.core.pool.execute(
        "INSERT INTO bypass_charge (day, ip, provider, recipients) VALUES ($1, $2, 'gmail', 2)",
        *(day, ACME),
    )
    charging = Charging(here.core.pool, admin, calendar=here.core.calendar)
    await charging.step()
    assert await counted(here, ACME) == [2]
    await rebuild(here)
    assert await counted(here, ACME) == [4]
    # The new incarnation hears of it all again, and has it.
    await charging.step()
    assert await counted(here, ACME) == [4]
    assert await here.send("acme", 5) == 1


async def test_what_was_charged_while_a_ledger_was_rebuilt_stands_on_top(here: Scene) -> None:
    admin, day = here.core.admin, day_of(await here.now())
    # Of three that went around two were counted when the rebuilding read.
    assert await admin.charge_bypass(await admin.incarnation(), ACME, day, {"gmail": 3})
    await admin.raise_counters([Counters(ACME, day, 7, {"gmail": 7}, {"gmail": 2})])
    assert await counted(here, ACME) == [8]
    await admin.raise_counters([Counters(ACME, day, 8, {"gmail": 8}, {"gmail": 3})])
    assert await counted(here, ACME) == [8]
