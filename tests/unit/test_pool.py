"""The session pool: bounds, waiters, failover, sessions that owe a reply. No sockets."""

import asyncio
import re
from collections.abc import Callable

import pytest

from gateway.relay.endpoint import OpenError
from gateway.relay.pool import ServerPool
from gateway.relay.wire import Progress, Session
from policy.model import Address, Server
from policy.outcome import Asked, Failed, Scope

SERVER = Server(
    name="pmta1", addresses=(Address(host="a.test", port=25), Address(host="b.test", port=25))
)


class NullTransport(asyncio.Transport):
    """Takes everything, closes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        del data

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True


class Opener:
    """Opens sessions without a network; hosts in `down` refuse."""

    def __init__(self) -> None:
        self.opened: list[Session] = []
        self.down: set[str] = set()
        self.slots = 1000
        self.size = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self, address: Address, lost: Callable[[Session], None]) -> Session:
        await self.gate.wait()
        if address.host in self.down:
            raise OpenError(Failed(f"{address}: cannot connect", Scope.SERVER))
        if sum(s.progress is not Progress.CLOSED for s in self.opened) >= self.slots:
            why = f"{address}: greeting: 421 4.3.2 all slots are taken"
            raise OpenError(Failed(why, Scope.SERVER, True, asked=Asked.NOTHING, full=True))
        session = Session(
            name=str(address),
            extensions=frozenset(),
            max_size=self.size,
            suppression=re.compile("x"),
            lost=lost,
        )
        session.connection_made(NullTransport())
        self.opened.append(session)
        return session


def pool(opener: Opener, limit: int = 4, late_reply: float = 60.0) -> ServerPool:
    return ServerPool(
        SERVER,
        opener,
        limit=limit,
        idle=10.0,
        late_reply=late_reply,
        max_messages=100,
        grow_after=0.3,
        farewell=lambda server, said: None,
    )


def soon(seconds: float = 1.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_sessions_are_kept_and_reused() -> None:
    opener = Opener()
    sessions = pool(opener)
    first = await sessions.acquire(soon())
    sessions.release(first)
    assert await sessions.acquire(soon()) is first
    assert len(opener.opened) == 1


async def test_the_bound_holds_and_waiters_are_served_in_turn() -> None:
    sessions = pool(Opener(), limit=2)
    held = [await sessions.acquire(soon()) for _ in range(2)]
    order: list[int] = []

    async def want(number: int) -> Session:
        session = await sessions.acquire(soon(5))
        order.append(number)
        return session

    tasks = [asyncio.create_task(want(n)) for n in range(3)]
    await asyncio.sleep(0)
    assert sessions.counts == {"busy": 2, "idle": 0, "owing": 0, "waiting": 3}
    for session in held:
        sessions.release(session)
    got = await asyncio.gather(*tasks[:2])
    sessions.release(got[0])
    await tasks[2]
    assert order == [0, 1, 2]


async def test_a_waiter_that_gives_up_passes_its_turn_on() -> None:
    sessions = pool(Opener(), limit=1)
    held = await sessions.acquire(soon())
    with pytest.raises(OpenError, match="no free session"):
        await sessions.acquire(soon(0.01))
    patient = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0)
    sessions.release(held)
    assert await patient is held


async def test_a_waiter_cancelled_as_it_is_handed_a_session_gives_it_back() -> None:
    sessions = pool(Opener(), limit=1)
    only = await sessions.acquire(asyncio.get_running_loop().time() + 5)
    waiting = asyncio.create_task(sessions.acquire(asyncio.get_running_loop().time() + 5))
    await asyncio.sleep(0)
    sessions.release(only)
    waiting.cancel()  # before it could notice
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert sessions.counts == {"busy": 0, "idle": 1, "owing": 0, "waiting": 0}


async def test_a_session_that_dies_makes_room_for_a_waiter() -> None:
    opener = Opener()
    sessions = pool(opener, limit=1)
    held = await sessions.acquire(soon())
    waiting = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0)
    held.close("gone")
    assert await waiting is opener.opened[1]
    assert sessions.counts["busy"] == 1


async def test_the_next_address_is_tried_and_remembered() -> None:
    opener = Opener()
    opener.down = {"a.test"}
    sessions = pool(opener)
    assert (await sessions.acquire(soon())).name == "b.test:25"
    opener.down = set()
    assert (await sessions.acquire(soon())).name == "b.test:25"
    opener.down = {"a.test", "b.test"}
    with pytest.raises(OpenError, match="cannot connect"):
        await sessions.acquire(soon())
    assert sessions.counts["busy"] == 2


async def test_opening_ends_with_the_deadline() -> None:
    opener = Opener()
    opener.gate.clear()
    sessions = pool(opener)
    with pytest.raises(OpenError, match="no session in time"):
        await sessions.acquire(soon(0.02))
    assert sessions.counts == {"busy": 0, "idle": 0, "owing": 0, "waiting": 0}


async def test_a_session_that_ends_as_soon_as_it_is_open_is_a_failure_of_the_server() -> None:
    opener = Opener()
    sessions = pool(opener)
    opening = opener.open

    async def open_and_close(address: Address, lost: Callable[[Session], None]) -> Session:
        session = await opening(address, lost)
        session.close("421 after EHLO")
        return session

    opener.open = open_and_close  # type: ignore[method-assign]
    with pytest.raises(OpenError, match="ended as soon as it was open") as caught:
        await sessions.acquire(soon())
    assert caught.value.failure.scope is Scope.SERVER
    assert sessions.counts["busy"] == 0


async def test_a_smaller_budget_ends_idle_sessions() -> None:
    sessions = pool(Opener(), limit=4)
    held = [await sessions.acquire(soon()) for _ in range(4)]
    sessions.release(held[0])
    sessions.resize(SERVER, 2)
    assert sessions.counts == {"busy": 3, "idle": 0, "owing": 0, "waiting": 0}
    for session in held[1:]:
        sessions.release(session)
    assert sessions.counts["idle"] == 2


async def test_sessions_that_owe_never_fill_a_smaller_budget() -> None:
    sessions = pool(Opener(), limit=8)
    for session in [await sessions.acquire(soon()) for _ in range(2)]:
        session.progress = Progress.OWES
        sessions.release(session)
    sessions.resize(SERVER, 2)
    assert sessions.counts["owing"] == 1
    assert (await sessions.acquire(soon())).usable


async def test_at_most_a_quarter_owes_and_the_oldest_goes_first() -> None:
    sessions = pool(Opener(), limit=8)
    busy = [await sessions.acquire(soon()) for _ in range(3)]
    for session in busy:
        session.progress = Progress.OWES
        sessions.release(session)
    assert sessions.counts["owing"] == 2
    assert busy[0].progress is Progress.CLOSED
    assert busy[1].progress is Progress.OWES


async def test_a_small_budget_is_never_spent_on_waiting_for_replies() -> None:
    sessions = pool(Opener(), limit=1)
    session = await sessions.acquire(soon())
    session.progress = Progress.OWES
    sessions.release(session)
    assert sessions.counts == {"busy": 0, "idle": 0, "owing": 0, "waiting": 0}


async def test_an_owed_reply_is_given_up_in_time() -> None:
    sessions = pool(Opener(), limit=8, late_reply=0.01)
    session = await sessions.acquire(soon())
    session.progress = Progress.OWES
    sessions.release(session)
    async with asyncio.timeout(5):
        while sessions.counts["owing"]:
            await asyncio.sleep(0.005)


async def test_a_closed_pool_turns_everybody_away() -> None:
    sessions = pool(Opener(), limit=1)
    held = await sessions.acquire(soon())
    waiting = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0)
    sessions.close()
    with pytest.raises(OpenError, match="closing"):
        await waiting
    sessions.release(held)
    assert held.progress is Progress.CLOSED


async def test_a_421_greeting_while_sessions_are_open_is_the_bound_of_the_pool() -> None:
    opener = Opener()
    opener.slots = 3
    sessions = pool(opener, limit=20)
    waiting = [asyncio.create_task(sessions.acquire(soon(5))) for _ in range(20)]
    served = 0
    while waiting:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert sum(sessions.counts[state] for state in ("busy", "idle")) <= 3
        for task in done:
            waiting.remove(task)
            served += 1
            sessions.release(task.result())
    assert served == 20
    assert sessions.bound == 3


async def test_the_bound_grows_again_when_there_are_slots() -> None:
    opener = Opener()
    opener.slots = 1
    sessions = pool(opener, limit=3)
    first = await sessions.acquire(soon())
    second = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0.01)
    assert sessions.bound == 1
    opener.slots = 3
    sessions.release(first)
    await second
    # Not at once, and then one by one.
    third = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0.01)
    assert not third.done()
    third.cancel()
    for bound in (2, 3):
        await asyncio.sleep(0.35)
        await sessions.acquire(soon())
        assert sessions.bound == bound
    assert len(opener.opened) == 3


async def test_one_who_waits_tries_a_further_slot_though_nobody_new_comes() -> None:
    opener = Opener()
    opener.slots = 1
    sessions = pool(opener, limit=3)
    await sessions.acquire(soon())  # and it is stuck
    waiting = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0.01)
    assert sessions.bound == 1
    also = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0.01)
    opener.slots = 3
    assert (await waiting) is opener.opened[1]
    assert (await also) is opener.opened[2]
    opener.slots, sessions.bound = 2, 2
    opener.opened[2].close("lost")
    later = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0.01)
    sessions.close()
    with pytest.raises(OpenError, match="closing"):
        await later
    assert sessions._growing is None


async def test_a_bound_learned_of_the_server_closes_no_session_that_owes_a_reply() -> None:
    opener = Opener()
    opener.slots = 3
    sessions = pool(opener, limit=8)
    busy = [await sessions.acquire(soon()) for _ in range(3)]
    waiting = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0.01)
    assert sessions.bound == 3
    for session in busy:
        session.progress = Progress.OWES
        sessions.release(session)
    # A quarter of the limit, not of the bound; and a slot is left for who waits.
    assert [one.progress for one in busy[1:]] == [Progress.OWES, Progress.OWES]
    assert (await waiting).usable
    assert sum(one.progress is not Progress.CLOSED for one in opener.opened) == 3


async def test_where_slots_are_short_an_unused_session_leaves_soon() -> None:
    opener = Opener()
    opener.slots = 1
    sessions = pool(opener, limit=3)
    first = await sessions.acquire(soon())
    second = asyncio.create_task(sessions.acquire(soon(5)))
    await asyncio.sleep(0.01)
    sessions.release(first)
    sessions.release(await second)
    now = asyncio.get_running_loop().time()
    sessions.sweep(now + 1.0)
    assert sessions.counts["idle"] == 1
    sessions.sweep(now + 3.0)
    assert sessions.counts["idle"] == 0


async def test_full_slots_without_a_session_of_ours_are_told() -> None:
    opener = Opener()
    opener.slots = 0
    sessions = pool(opener)
    results = await asyncio.gather(
        *(sessions.acquire(soon(5)) for _ in range(6)), return_exceptions=True
    )
    assert all(isinstance(r, OpenError) and r.failure.full for r in results), results
    assert all(isinstance(r, OpenError) and r.failure.rests for r in results)


async def test_what_ehlo_offered_is_forgotten_with_its_session() -> None:
    opener = Opener()
    opener.size = 10_000
    sessions = pool(opener)
    first, second = await sessions.acquire(soon()), await sessions.acquire(soon())
    assert sessions.size == 10_000
    sessions.release(first)
    opener.size = 26_214_400
    assert first.usable
    third = await sessions.acquire(soon())
    assert third is first
    fourth = await sessions.acquire(soon())
    assert fourth.max_size == 26_214_400
    # Its configuration has changed: sessions of the one before go when they are idle.
    sessions.release(first)
    assert not first.usable
    assert sessions.size == 10_000
    sessions.release(second)
    assert sessions.size == 26_214_400
    fourth.close("lost")
    assert sessions.size == 0
