"""The library a server keeps: found missing, beside another version's, and what outlives a run.

Functions live as long as their server. What a run that failed leaves in them, or a plan that is no
longer in force, would decide the next batch.
"""

import re
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.fields import plan_rows
from policy.ledger.ledger import RedisLedger
from policy.ledger.library import MOST_VERSIONS, STEM, function, library
from policy.ledger_port import LedgerAwayError, LedgerClosedError
from policy.model import Pool
from policy.plan import Generation
from tests.contract.asking import ask, decide, names
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.ledger.fake import INCARNATION, FakeLedger
from tests.support.ledger.twins import MIDNIGHT, RedisUnderTest

IP = "192.0.2.1"


@pytest.fixture
async def ledger(valkey_url: str) -> AsyncIterator[RedisUnderTest]:
    started = await RedisUnderTest.start(valkey_url, generation(vmta(1, daily=5)))
    yield started
    await started.close()


def client(ledger: RedisUnderTest) -> Any:
    return cast(Any, ledger.admin.client)


async def libraries(ledger: RedisUnderTest) -> set[str]:
    found = await client(ledger).execute_command("FUNCTION", "LIST", "LIBRARYNAME", f"{STEM}*")
    return {one[b"library_name" if isinstance(one, dict) else 1].decode() for one in found}


async def test_a_library_that_is_gone_is_loaded_again_and_the_batch_counts_once(
    ledger: RedisUnderTest,
) -> None:
    for _ in range(3):
        await client(ledger).function_flush("SYNC")
        assert names(await decide(ledger, ask())) == ["vmta-1"]
    assert await ledger.used(IP) == 3
    assert await libraries(ledger) == {function()}


async def test_who_is_told_that_the_library_is_there_already_asks_again() -> None:
    async with FakeLedger() as fake:
        connection = connect(fake.url)
        gone = [b"-ERR Function not found\r\n"]
        fake.script += [gone]
        fake.loading = b"-ERR Library 'x' already exists\r\n"
        asked = RedisLedger(connection, attempts=1)
        answer = await asked.decide([ask()])
        assert [d.ip for d in answer.decisions] == [IP]  # type: ignore[union-attr]
        assert (len(set(fake.batches)), len(fake.batches), fake.loads) == (1, 2, 1)
        assert asked.incarnation == INCARNATION
        await connection.aclose()


async def test_a_server_that_does_not_take_the_library_is_away() -> None:
    async with FakeLedger() as fake:
        connection = connect(fake.url)
        fake.script += [[b"-ERR Function not found\r\n"]] * 3
        fake.loading = (
            b"-NOPERM this user has no permissions to run the 'function|load' command\r\n"
        )
        with pytest.raises(LedgerAwayError, match="function\\|load"):
            await RedisLedger(connection).decide([ask()])
        await connection.aclose()


async def test_two_versions_stand_side_by_side(
    ledger: RedisUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = function()[:-4] + "beef"
    text = library().replace(function(), other)
    second = RedisLedger(ledger.admin.client)
    for turn in range(4):
        with monkeypatch.context() as patch:
            if turn % 2:
                patch.setattr("policy.ledger.ledger.function", lambda: other)
                patch.setattr("policy.ledger.ledger.library", lambda: text)
            asked = second if turn % 2 else ledger.ledger
            answer = await asked.decide([ask()])
            assert [d.ip for d in answer.decisions] == [IP]  # type: ignore[union-attr]
    assert await ledger.used(IP) == 4
    assert await libraries(ledger) == {function(), other}


async def test_libraries_of_versions_gone_by_do_not_pile_up(ledger: RedisUnderTest) -> None:
    await decide(ledger, ask())
    for number in range(MOST_VERSIONS):
        old = f"{STEM}{number}"
        await client(ledger).function_load(library().replace(function(), old))
        await ledger.publish(generation(vmta(1, daily=5), number=number + 2))
        expected = {function()} if number == MOST_VERSIONS - 1 else {function(), old}
        assert expected <= await libraries(ledger)
    assert await libraries(ledger) == {function()}
    assert names(await decide(ledger, ask())) == ["vmta-1"]


async def test_a_control_that_may_not_tidy_publishes_all_the_same(ledger: RedisUnderTest) -> None:
    await decide(ledger, ask())
    await client(ledger).acl_setuser(
        "control",
        enabled=True,
        nopass=True,
        keys=["*"],
        channels=["*"],
        commands=["+@all", "-function"],
    )
    url = client(ledger).connection_pool.connection_kwargs
    connection = connect(f"redis://control:any@{url['host']}:{url['port']}/0")
    try:
        plan = generation(vmta(1, daily=2), number=2)
        assert await LedgerAdmin(connection).publish(plan) == 2
        assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_quota"]
    finally:
        await connection.aclose()
        await client(ledger).acl_deluser("control")


async def test_a_run_that_failed_leaves_nothing_behind(valkey_url: str) -> None:
    """The second item meets a key of another type, when the first is decided, and not written."""
    pools = (
        Pool(name="acme-pool", tenant="acme", members=("vmta-1",)),
        Pool(name="globex-pool", tenant="globex", members=("vmta-2",)),
    )
    rows = (vmta(1, daily=2), vmta(2, daily=2))
    plan = generation(*rows, tenants=(tenant(), tenant("globex")), pools=pools)
    ledger = await RedisUnderTest.start(valkey_url, plan)
    try:
        broken = f"{ledger.admin.root}boxes:globex"
        await client(ledger).set(broken, "not a hash")
        other = ask(tenant="globex", pool="globex-pool")
        keyed = ask(key="k", owner="one", attempt=1)
        for _ in range(2):
            with pytest.raises(LedgerAwayError, match="WRONGTYPE"):
                await decide(ledger, keyed, other)
        assert await ledger.used(IP) == 0
        await client(ledger).delete(broken)
        copy = ask(key="k", owner="two", attempt=1)
        batch = await decide(ledger, copy, ask(), ask(), other)
        assert names(batch) == ["vmta-1", "vmta-1", "ip_quota", "vmta-2"]
        assert (await ledger.used(IP), await ledger.used("192.0.2.2")) == (2, 1)
    finally:
        await ledger.close()


def test_a_function_changes_nothing_outside_its_run() -> None:
    """What is assigned inside functions and declared outside: the run itself, and kept plans."""
    text = library()
    outer = {
        name.strip()
        for line in re.findall(r"^local (?!function)([\w, ]+)", text, re.MULTILINE)
        for name in line.split(",")
    }
    body = "".join(re.findall(r"^ .*\n", text, re.MULTILINE))
    inside = re.findall(r"([\w.]+(?:, [\w.]+)*) = ", body)
    assigned = {target.strip().split(".")[0] for line in inside for target in line.split(",")}
    # Pieces are tables; their names are fields elsewhere.
    pieces = {"bucket", "count", "choose", "limit", "remember", "gather", "keep"}
    assert pieces < outer
    assert assigned & (outer - pieces) == {"root", "call", "run", "plans", "ledgers"}
    fields = r"\b(?:count|choose|limit|remember|gather|keep)\.\w+(?:\[.*\])? = "
    assert re.findall(fields, body) == []


def test_all_that_a_run_knows_is_made_at_its_start() -> None:
    text = library()
    fresh = text[text.index("local function fresh(") : text.index("local function decide_batch(")]
    made = set(re.findall(r"(\w+) = ", fresh))
    assert set(re.findall(r"\brun\.(\w+)", text)) == made


async def again(ledger: RedisUnderTest, plan: Generation) -> None:
    """The ledger lost everything, its server runs on, and it was opened and given `plan`."""
    await client(ledger).flushall()
    await ledger.admin.open()
    await ledger.at(MIDNIGHT)
    await ledger.publish(plan)
    await cast(RedisLedger, ledger.ledger).attach()


async def test_a_plan_that_comes_again_under_its_number_is_read_again(
    ledger: RedisUnderTest,
) -> None:
    assert names(await decide(ledger, *[ask()] * 3)) == ["vmta-1"] * 3
    await again(ledger, generation(vmta(1, name="vmta-new", daily=1)))
    assert names(await decide(ledger, ask(), ask())) == ["vmta-new", "ip_quota"]


async def test_a_plan_of_an_older_control_is_not_kept(ledger: RedisUnderTest) -> None:
    """It writes no word of its own beside the number; what stood there names another number."""
    await decide(ledger, ask())
    root = ledger.admin.root

    async def publish(number: int, daily: int) -> None:
        rows = plan_rows(generation(vmta(1, daily=daily), number=number))
        await client(ledger).delete(f"{root}plan:{number}")
        await client(ledger).hset(f"{root}plan:{number}", mapping=rows)
        await client(ledger).set(f"{root}gen", number)

    await publish(2, 2)
    assert names(await decide(ledger, ask(), ask())) == ["vmta-1", "ip_quota"]
    await publish(3, 4)
    assert names(await decide(ledger, *[ask()] * 3)) == ["vmta-1", "vmta-1", "ip_quota"]


async def test_each_of_many_ledgers_on_a_server_keeps_its_own_plan(
    ledger: RedisUnderTest,
) -> None:
    ledgers = []
    for number in range(1, 13):
        admin = LedgerAdmin(ledger.admin.client, f"many-{number}")
        await admin.open()
        await admin.publish(generation(vmta(number, daily=2)))
        ledgers.append(RedisLedger(ledger.admin.client, f"many-{number}"))
    for limit in ("", "", "ip_quota"):
        for number, one in enumerate(ledgers, start=1):
            [decision] = (await one.decide([ask()])).decisions
            assert names([decision]) == [limit or f"vmta-{number}"]


async def test_rows_are_kept_but_not_without_bound(ledger: RedisUnderTest) -> None:
    """One that is absent is kept, too: so many names that nobody knows, and no more."""

    async def reads(*pools: str) -> int:
        await client(ledger).config_resetstat()
        batch = [ask(pool=pool) for pool in pools]
        assert set(names(await decide(ledger, *batch))) == {"unknown_pool"}
        stats = await client(ledger).info("commandstats")
        return int(stats.get("cmdstat_hmget", {"calls": 0})["calls"])

    assert [await reads("no"), await reads("no")] == [1, 0]
    for first in range(0, 11_000, 1000):
        assert await reads(*(f"no-{n}" for n in range(first, first + 1000))) == 1
    assert [await reads("no"), await reads("no")] == [1, 0]
    assert names(await decide(ledger, ask())) == ["vmta-1"]


async def test_a_closed_ledger_is_not_opened_by_a_library_that_was_lost(
    ledger: RedisUnderTest,
) -> None:
    await decide(ledger, ask())
    await client(ledger).flushall()
    await client(ledger).function_flush("SYNC")
    with pytest.raises(LedgerClosedError):
        await decide(ledger, ask())
