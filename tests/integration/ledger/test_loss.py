"""A ledger that lost its counts opens again by itself, and no IP gives more than its quota."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as BrokenError

from control import app, duty
from control.embedded.servers.valkey import LocalValkey
from control.ledger.status import LedgerState
from control.problem import RefusedError
from policy.limits import day_of
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for
from tests.support.ledger.loss import WAIT, Scene, scene


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Scene]:
    async with scene(settings) as made:
        yield made


async def test_without_a_feed_ips_with_a_quota_wait_for_the_days_turn(here: Scene) -> None:
    assert await here.send("acme", 4) == 4
    await here.lose()
    assert (await here.opening.status()).state is LedgerState.REBUILDING
    assert [await here.send(t) for t in ("acme", "initech")] == ["closed", "closed"]
    status = await here.attend()
    assert status.state is LedgerState.OPEN
    assert status.closed == ["192.0.2.10", "192.0.2.20"]
    for server in ("pmta1", "pmta2"):
        assert f"IPs of server {server} stay closed until 00:00 UTC" in status.detail
    assert "there is no accounting feed" in status.detail
    assert [await here.send(t, 2) for t in ("acme", "globex", "initech")] == [0, 0, 2]
    await here.attend(3)
    assert await here.send("acme") == 0
    await here.next_day()
    assert [await here.send(t, 6) for t in ("acme", "globex")] == [5, 5]
    status = await here.opening.status()
    assert (status.state, status.closed) == (LedgerState.OPEN, [])
    assert [who for who, _ in await here.audits("ledger.lost")] == ["control"]
    assert [who for who, _ in await here.audits("ledger.open")] == ["control", "control"]


async def test_who_knows_better_opens_what_stays_closed(here: Scene) -> None:
    await here.lose()
    await here.attend()
    assert await here.send("acme") == 0
    status = await here.opening.open_again("ops", "nothing went today")
    assert (status.state, status.closed) == (LedgerState.OPEN, [])
    assert await here.send("acme", 6) == 5
    assert (await here.audits("ledger.open"))[-1] == ("ops", "nothing went today")
    with pytest.raises(RefusedError, match="nothing to do"):
        await here.opening.open_again("ops")


async def test_lost_before_midnight_and_rebuilt_after_it_costs_nothing(here: Scene) -> None:
    await here.feed("pmta1")
    await here.lose()
    assert (await here.attend()).state is LedgerState.REBUILDING
    await here.next_day()
    await here.core.pool.execute("DELETE FROM accounting_stream")
    status = await here.attend()
    assert (status.state, status.closed) == (LedgerState.OPEN, [])
    assert await here.send("acme", 6) == 5


async def test_with_a_feed_it_opens_with_its_counts_after_a_probe_of_each_server(
    here: Scene,
) -> None:
    await here.feed("pmta1", "pmta2")
    await here.relayed("vmta-192-0-2-10", 2)
    await here.relayed("vmta-192-0-2-20", 5)
    await here.lose()
    status = await here.attend()
    assert status.waits[0] == "grants given before the loss may still be sent for 61 s"
    assert (await here.attend(1, WAIT - 6)).state is LedgerState.REBUILDING
    assert await here.probes() == {}, "a grant from before may be sent after the probe"
    status = await here.attend()
    asked = await here.probes()
    assert {server: len(ids) for server, ids in asked.items()} == {"pmta1": 1, "pmta2": 1}
    status = await here.attend(3)
    assert status.waits == [f"the probe of server pmta{i} was not sent yet" for i in (1, 2)]
    assert await here.probes() == asked, "each is asked for once"
    await here.answer("pmta1", accepted=False, read=False)
    await here.answer("pmta2", read=False)
    assert (await here.attend()).waits == [
        "the probe of server pmta1 was sent and not accepted yet",
        "the probe of server pmta2 was accepted and its record not read yet",
    ]
    await here.answer("pmta1")
    assert (await here.attend()).waits == [
        "the probe of server pmta2 was accepted and its record not read yet"
    ]
    assert await here.send("acme") == "closed"
    await here.answer("pmta2")
    status = await here.attend()
    assert (status.state, status.closed, status.waits) == (LedgerState.OPEN, [], [])
    assert [await here.send(t, 6) for t in ("acme", "globex", "initech")] == [3, 0, 6]


async def test_a_probe_that_comes_to_nothing_is_asked_for_again_for_a_while(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await here.relayed("vmta-192-0-2-20", 4)
    await here.lose()
    await here.attend(1, WAIT)
    await here.attend(1, 119)
    assert len((await here.probes())["pmta1"]) == 1
    await here.attend(1, 2)
    assert len((await here.probes())["pmta1"]) == 2
    await here.answer("pmta2")
    status = await here.attend(4, 190)
    assert status.state is LedgerState.REBUILDING
    status = await here.attend(1, 30)
    assert (status.state, status.closed) == (LedgerState.OPEN, ["192.0.2.10"])
    assert "today's counts are lost and the probe of server pmta1 was not sent yet" in status.detail
    assert [await here.send(t, 2) for t in ("acme", "globex")] == [0, 1]


async def test_an_old_probe_proves_nothing(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await here.core.pool.execute("INSERT INTO probe VALUES ('probe-old', 'pmta1', 1, true, true)")
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta2")
    assert (await here.attend()).state is LedgerState.REBUILDING


@pytest.mark.parametrize("gap", ["none", "yesterday", "today", "since today", "new server"])
async def test_a_server_whose_records_are_not_all_read_stays_closed(here: Scene, gap: str) -> None:
    midnight = day_of(await here.now()) * 86_400_000
    await here.feed("pmta1")
    if gap != "new server":
        await here.older()
    if gap in ("yesterday", "today"):
        await here.feed("pmta2", gap_at=midnight + (1 if gap == "today" else -1))
    elif gap == "since today":
        await here.feed("pmta2", since=midnight + 1)
    elif gap == "new server":
        await here.feed("pmta2", gap_at=midnight + 1, since=midnight + 1)
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    status = await here.attend()
    assert status.state is LedgerState.OPEN
    assert status.closed == ([] if gap in ("yesterday", "new server") else ["192.0.2.20"])
    assert [await here.send(t, 6) for t in ("acme", "initech")] == [5, 6]


async def test_what_may_have_been_sent_counts_once(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    day = day_of(await here.now())
    await here.relayed("vmta-192-0-2-10", 1)
    await here.held(1, "doubt", envelope=f"{day}-message1.1-abc")
    await here.held(2, "claimed", envelope=f"{day}-message2.1")
    await here.held(3, "doubt", envelope=f"{day}-message3.2", attempt=2)
    await here.held(4, "doubt", envelope=f"{day - 3}-message4.1")
    await here.held(5, "held")
    # Went with another recipient, and the record is that one's.
    together = {"body": "message6", "envelope": f"{day}-message6.1"}
    await here.held(6, "doubt", id="message6x1", **together)
    await here.receipt("message6")
    await here.core.pool.execute("UPDATE receipt SET recipients = '{7}' WHERE message = 'message6'")
    await here.receipt("message3", 2)
    await here.receipt("message1", 2)
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    assert (await here.attend()).state is LedgerState.OPEN
    _, usage = await here.core.admin.usage(["192.0.2.10"])
    assert (usage["192.0.2.10"].relayed, usage["192.0.2.10"].by_provider) == (4, {"gmail": 4})
    assert await here.send("acme", 5) == 1


async def test_counts_of_a_ledger_that_went_back_are_only_raised(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    assert await here.send("acme", 2) == 2
    assert await here.send("globex", 4) == 4
    await here.attend()
    await here.core.admin.client.hset(f"{here.core.admin.root}inc", "seq", 0)  # type: ignore[misc]
    await here.relayed("vmta-192-0-2-10", 4)
    await here.relayed("vmta-192-0-2-20", 1)
    status = await here.attend()
    assert status.state is LedgerState.REBUILDING
    assert "gone back" in status.detail
    assert await here.send("acme") == "closed"
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    await here.attend()
    assert [await here.send(t, 5) for t in ("acme", "globex")] == [1, 1]


async def test_a_gateway_that_finds_it_gone_back_makes_control_rebuild_it(here: Scene) -> None:
    assert await here.send("acme") == 1
    assert await here.send("acme") == 1
    await here.core.admin.client.hset(f"{here.core.admin.root}inc", "seq", 0)  # type: ignore[misc]
    assert await here.send("acme") == "closed"
    assert (await here.attend()).state is LedgerState.REBUILDING
    assert (await here.attend()).closed == ["192.0.2.10", "192.0.2.20"]


async def test_a_copy_with_another_mark_is_closed(here: Scene) -> None:
    """Gateways believe any mark that is there."""
    await here.core.admin.client.hset(f"{here.core.admin.root}inc", "id", "a-copy")  # type: ignore[misc]
    await here.attend()
    assert await here.core.admin.incarnation() == ""
    await here.core.admin.client.hset(f"{here.core.admin.root}inc", "id", "a-copy")  # type: ignore[misc]
    assert (await here.attend()).state is LedgerState.OPEN
    assert await here.core.admin.incarnation() not in ("", "a-copy")


async def test_the_ip_of_a_virtual_mta_that_is_gone_keeps_its_count(here: Scene) -> None:
    """Counters are the IP's: it may have been given another name today."""
    await here.feed("pmta1", "pmta2")
    await here.relayed("vmta-192-0-2-10", 3)
    async with here.core.pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM pool_member WHERE pool = 'acme'")
        await connection.execute("UPDATE virtual_mta SET name = 'new' WHERE tenant = 'acme'")
        await connection.execute("INSERT INTO pool_member VALUES ('acme', 'acme', 'new')")
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    await here.attend()
    assert await here.send("acme", 5) == 2


async def test_duplicate_entries_come_back_before_it_opens(here: Scene) -> None:
    week = 7 * 86_400_000
    await here.held(1, "held", key="kheld")
    await here.held(2, "claimed", key="kclaimed", server="pmta1")
    await here.held(3, "doubt", key="kdoubt", server="pmta1", attempt=4)
    await here.held(4, "doubt", reason="duplicate", key="kdoubt", behind="message3")
    await here.held(10, "doubt", reason="duplicate", key="kcopy", behind="message0", server="pmta1")
    await here.held(5, "done", key="kdone")
    await here.held(6, "held", key="kboth")
    several = {"body": "message11", "whole": "kwhole", "since": await here.now()}
    await here.held(11, "done", id="message11x0", key="kpart0", **several)
    await here.held(11, "held", id="message11x1", key="kpart1", **several)
    await here.receipt("message7", key="ksent", age=week - 60_000)
    await here.receipt("message8", key="kold", age=week + 60_000)
    await here.receipt("message9", key="kboth")
    await here.lose()
    await here.attend()
    met = {
        key: await here.send("initech", key=key)
        for key in (
            "kheld",
            "kclaimed",
            "kdoubt",
            "kcopy",
            "kwhole",
            "kpart1",
            "ksent",
            "kboth",
            "kdone",
            "kold",
        )
    }
    assert met == {
        "kheld": "H message1",
        "kclaimed": "H message2",
        "kdoubt": "D message3",
        "kcopy": "D message0",
        "kwhole": "H message11",
        "kpart1": "H message11x1",
        "ksent": "S message7",
        "kboth": "S message9",
        "kdone": 1,
        "kold": 1,
    }
    root = here.core.admin.root
    assert 0 < await here.core.admin.client.ttl(f"{root}dup:ksent") <= 60


async def test_entries_without_a_row_are_freed_when_a_ledger_went_back(here: Scene) -> None:
    root = here.core.admin.root
    for key, value in (("ghost", "H 1 1 - ghost1"), ("gone", "S 1 %d - sent1")):
        text = value % await here.now() if "%" in value else value
        await here.core.admin.client.set(f"{root}dup:{key}", text)
    await here.core.admin.close(await here.core.admin.incarnation())
    await here.attend(2)
    assert await here.send("initech", key="ghost") == 1
    assert await here.send("initech", key="gone") == "S sent1"


async def test_several_control_nodes_rebuild_it_once(here: Scene) -> None:
    nodes = [here.control() for _ in range(4)]
    await here.feed("pmta1", "pmta2")
    await here.core.admin.client.flushall()
    for step in (5.0, WAIT, 5.0):
        await asyncio.gather(*(node.attend() for node in nodes))
        here.real += step
    await asyncio.gather(*(node.attend() for node in nodes))
    assert {server: len(ids) for server, ids in (await here.probes()).items()} == {
        "pmta1": 1,
        "pmta2": 1,
    }
    await here.answer("pmta1", "pmta2")
    await asyncio.gather(*(node.attend() for node in nodes))
    assert (await here.opening.status()).state is LedgerState.OPEN
    assert len(await here.audits("ledger.lost")) == 1
    assert len(await here.audits("ledger.open")) == 2, "the first, and this"


async def test_a_control_node_that_starts_waits_as_long_itself(here: Scene) -> None:
    """It cannot know how long ago the loss was seen; once probes are asked for, it was long."""
    await here.feed("pmta1", "pmta2")
    await here.lose()
    here.real += WAIT
    here.opening = here.control()
    assert "grants" in (await here.attend()).waits[0]
    assert await here.probes() == {}
    await here.attend(1, WAIT)
    here.opening = here.control()
    assert "grants" not in (await here.attend()).detail


async def test_an_operator_opens_it_without_waiting(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await here.relayed("vmta-192-0-2-10", 2)
    await here.held(1, "held", key="kheld")
    await here.lose()
    await here.attend()
    status = await here.opening.open_again("ops", "in a hurry")
    assert status.state is LedgerState.OPEN
    assert await here.send("acme", 6) == 3, "what is known counts all the same"
    assert await here.send("initech", key="kheld") == "H message1"
    assert (await here.audits("ledger.open"))[-1] == ("ops", "in a hurry")
    assert (await here.attend()).state is LedgerState.OPEN


async def test_it_stays_closed_when_its_rebuilding_breaks_off(
    here: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.feed("pmta1", "pmta2")
    await here.relayed("vmta-192-0-2-10", 2)
    await here.held(1, "held", key="kheld")
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    with monkeypatch.context() as broken:
        broken.setattr(here.core.admin, "put_entries", _breaks)
        for _ in range(2):
            with pytest.raises(BrokenError):
                await here.attend()
            assert await here.send("acme") == "closed"
    assert (await here.attend()).state is LedgerState.OPEN
    assert await here.send("acme", 5) == 3
    assert await here.send("initech", key="kheld") == "H message1"


async def _breaks(*_: object, **__: object) -> int:
    raise BrokenError("gone")


async def test_it_does_not_open_on_a_server_that_evicts(here: Scene) -> None:
    client = here.core.admin.client
    await here.lose()
    await client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(RefusedError, match="may evict"):
            await here.attend()
        assert (await here.opening.status()).state is LedgerState.REBUILDING
        assert await here.send("initech") == "closed"
    finally:
        await client.config_set("maxmemory-policy", "noeviction")
    assert (await here.attend()).state is LedgerState.OPEN


async def test_the_process_does_all_that_while_no_mail_flows(
    here: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "RECONCILE_EVERY", 0.05)
    async with app.serve(here.core):
        await here.core.admin.client.flushall()
        async with asyncio.timeout(20):
            while not (await here.opening.status()).closed:
                await asyncio.sleep(0.05)
    assert await here.send("initech") == 1


@pytest.mark.parametrize("single", [True, False])
async def test_a_restart_seen_by_control_alone(
    create_database: CreateDatabase, tmp_path: Path, single: bool
) -> None:
    async with LocalValkey(tmp_path) as valkey:
        settings = settings_for(await create_database("control", build), valkey.url, single=single)
        async with scene(settings) as here:
            assert await here.send("acme", 2) == 2
            await valkey.restart()
            status = await here.attend()
            if single:
                assert (status.state, status.closed) == (LedgerState.OPEN, [])
                assert await here.send("acme", 5) == 3
                run = await here.core.pool.fetchval("SELECT run FROM ledger")
                assert run == (await here.core.admin.standing()).server
            else:
                assert (status.state, "ledger.single" in status.detail) == ("rebuilding", True)
                assert await here.send("acme") == "closed"
                status = await here.attend()
                assert await here.send("acme", 5) == 0
