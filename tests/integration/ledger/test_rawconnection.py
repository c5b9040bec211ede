"""The connection that batches travel on: every kind of it, on both loops, and what ends it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop
from redis.exceptions import ConnectionError as BrokenError

from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from policy.ledger_port import Granted, LedgerAwayError, Reserve
from tests.support.certificates import make_certificate
from tests.support.ledger.fake import FakeLedger, granted

ASK = Reserve("acme", "acme-pool", "", (("other", 1),))
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}

Case = Callable[[FakeLedger, RedisLedger], Awaitable[None]]


@contextlib.asynccontextmanager
async def fake_ledger(kind: str, folder: Path) -> AsyncIterator[tuple[FakeLedger, str]]:
    """The server and its URL."""
    if kind == "unix":
        fake, more = FakeLedger(path=folder / "s"), ""
    elif kind == "tls":
        made = make_certificate(folder)
        fake, more = FakeLedger(tls=made.server_context()), f"?ssl_ca_certs={made.certificate}"
    else:
        fake, more = FakeLedger(), ""
    async with fake:
        yield fake, fake.url + more


@contextlib.asynccontextmanager
async def ledger_at(url: str, timeout: float = 5.0) -> AsyncIterator[RedisLedger]:
    client = connect(url, timeout=timeout)
    try:
        yield RedisLedger(client)
    finally:
        await client.aclose()


async def one(ledger: RedisLedger, batch: str = "") -> str:
    """The IP of the grant."""
    batch = batch or ledger.next_batch()
    (decision,) = (await ledger.decide_batch(batch, [ASK])).decisions
    assert isinstance(decision, Granted)
    return decision.ip


async def travels(fake: FakeLedger, ledger: RedisLedger) -> None:
    reply = granted(1)
    fake.script.append([reply[:1], reply[1:9], reply[9:-1], reply[-1:]])
    for _ in range(3):
        assert await one(ledger) == "192.0.2.1"
    assert fake.connections == 1


async def answers_too_few(fake: FakeLedger, ledger: RedisLedger) -> None:
    """Whose a decision is cannot be told: nobody is told to send."""
    fake.script.append([granted(1)])
    with pytest.raises(LedgerAwayError, match="1 decisions for 2 items"):
        await ledger.decide_batch(ledger.next_batch(), [ASK, ASK])
    assert await one(ledger) == "192.0.2.1"


async def two_at_once(fake: FakeLedger, ledger: RedisLedger) -> None:
    """The second has a connection of its own; redis-py has it back whole afterwards."""
    goes = asyncio.Event()
    fake.script += [[goes, granted(1, "192.0.2.8")], [goes, granted(2, "192.0.2.9")]]
    both = [asyncio.create_task(one(ledger, name)) for name in ("b1", "b2")]
    async with asyncio.timeout(5):
        while len(fake.batches) < 2:
            await asyncio.sleep(0.001)
    goes.set()
    ips = dict(zip(fake.batches, ("192.0.2.8", "192.0.2.9"), strict=True))
    assert await asyncio.gather(*both) == [ips["b1"], ips["b2"]]
    assert fake.connections == 2
    for _ in range(3):
        assert await ledger.client.ping()
        await one(ledger)
    assert fake.connections == 2


async def said_unasked(fake: FakeLedger, ledger: RedisLedger) -> None:
    await one(ledger)
    await fake.say(granted(9, "192.0.2.66"))
    await closed_by_us(fake)
    assert await one(ledger) == "192.0.2.1"
    assert fake.connections == 2


async def cut_within_a_reply(fake: FakeLedger, ledger: RedisLedger) -> None:
    await one(ledger, "b1")
    fake.script.append([granted(2, "192.0.2.66")[:-4], None])
    assert await one(ledger, "b2") == "192.0.2.1"
    assert fake.batches == ["b1", "b2", "b2"], "repeated under its own id"
    assert fake.connections == 2


async def cut_between_batches(fake: FakeLedger, ledger: RedisLedger) -> None:
    fake.script.append([granted(1), None])
    await one(ledger, "b1")
    async with asyncio.timeout(5):
        while fake.open_now:
            await asyncio.sleep(0.001)
    await one(ledger, "b2")
    assert fake.batches[-1] == "b2"
    assert fake.connections == 2


async def closed_by_the_client(fake: FakeLedger, ledger: RedisLedger) -> None:
    """Who closes the client closes the line, and waits for it; the next batch opens another."""
    await one(ledger)
    async with asyncio.timeout(5):
        await ledger.client.aclose()
    await closed_by_us(fake)
    await one(ledger)
    assert fake.connections == 2


async def given_up(fake: FakeLedger, ledger: RedisLedger) -> None:
    await one(ledger)
    goes = asyncio.Event()
    fake.script.append([goes, granted(2, "192.0.2.66")])
    fake.came.clear()
    task = asyncio.create_task(one(ledger))
    await fake.came.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    goes.set()
    assert await one(ledger) == "192.0.2.1"
    assert fake.connections == 2


async def closed_by_us(fake: FakeLedger) -> None:
    async with asyncio.timeout(5):
        while fake.open_now:
            await asyncio.sleep(0.001)


CASES: list[Case] = [
    travels,
    answers_too_few,
    two_at_once,
    said_unasked,
    cut_within_a_reply,
    cut_between_batches,
    closed_by_the_client,
    given_up,
]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_line_of_every_kind(case: Case, kind: str, loop: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with fake_ledger(kind, tmp_path) as (fake, url), ledger_at(url) as ledger:
            assert await ledger.attach()
            await case(fake, ledger)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(run())


async def test_a_reply_after_the_time_out_is_not_the_next_ones() -> None:
    async with FakeLedger() as fake, ledger_at(fake.url, timeout=0.5) as ledger:
        await ledger.attach()
        await one(ledger, "b1")
        late = asyncio.Event()
        fake.script.append([late, granted(2, "192.0.2.66")])
        assert await one(ledger, "b2") == "192.0.2.1"
        assert fake.batches == ["b1", "b2", "b2"]
        late.set()
        assert [await one(ledger, f"b{n}") for n in (3, 4)] == ["192.0.2.1"] * 2
        assert fake.connections == 2


async def test_a_line_to_another_process_than_the_ledgers_carries_no_batch() -> None:
    """It is whole; the ledger was opened again elsewhere."""
    async with FakeLedger() as fake, ledger_at(fake.url) as ledger:
        before = fake.run
        assert await ledger.attach()
        await one(ledger, "b1")
        fake.run = "b" * 40
        assert await ledger.attach()
        await one(ledger, "b2")
        assert fake.batches == ["b1", "b2"]
        assert fake.processes == [before, fake.run]


async def test_a_batch_has_no_more_than_its_budget_to_open_a_connection() -> None:
    async with FakeLedger() as fake, ledger_at(fake.url) as patient:
        ledger = RedisLedger(patient.client, budget=0.5)
        await ledger.attach()
        fake.script.append([granted(1), None])
        await one(ledger)
        fake.silent = True
        started = asyncio.get_running_loop().time()
        with pytest.raises(LedgerAwayError, match="TimeoutError"):
            await one(ledger)
        assert asyncio.get_running_loop().time() - started < 2.0


async def test_a_batch_has_no_more_than_its_budget() -> None:
    """However long the connection's own time-out is."""
    async with FakeLedger() as fake, ledger_at(fake.url) as patient:
        ledger = RedisLedger(patient.client, budget=0.5)
        await ledger.attach()
        await one(ledger)
        never = asyncio.Event()
        fake.script.append([never])
        started = asyncio.get_running_loop().time()
        with pytest.raises(LedgerAwayError, match="TimeoutError"):
            await one(ledger)
        assert asyncio.get_running_loop().time() - started < 2.0
        never.set()


@pytest.mark.parametrize(
    ("error", "name", "connections"),
    [
        (b"-READONLY You can't write against a read only replica.", "ReadOnlyError", 3),
        (b"-OOM command not allowed when used memory > 'maxmemory'.", "OutOfMemoryError", 1),
        (b"-BUSY Valkey is busy running a script.", "ResponseError: BUSY", 1),
        (b"-LOADING Valkey is loading the dataset in memory", "BusyLoadingError", 3),
        (b"?what", "InvalidResponse", 3),
    ],
)
async def test_a_server_that_refuses_is_asked_again_and_then_away(
    error: bytes, name: str, connections: int
) -> None:
    async with FakeLedger() as fake, ledger_at(fake.url) as ledger:
        await ledger.attach()
        fake.script += [[error + b"\r\n"]] * 3
        with pytest.raises(LedgerAwayError, match=name):
            await one(ledger, "b1")
        assert fake.batches == ["b1"] * 3
        assert fake.connections == connections
        assert await one(ledger, "b2") == "192.0.2.1"


async def test_a_server_that_is_gone_is_away() -> None:
    async with FakeLedger() as fake, ledger_at(fake.url) as ledger:
        await ledger.attach()
        await one(ledger)
        await fake.__aexit__(None, None, None)
        with pytest.raises(LedgerAwayError) as raised:
            await one(ledger)
        assert isinstance(raised.value.__cause__, BrokenError)
