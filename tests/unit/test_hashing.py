"""How many passwords are hashed at a time, and what becomes of who comes when too many wait."""

import asyncio
import threading

import pytest

from control.problem import RefusedError
from control.users import hashing
from control.users.hashing import Hashing


async def test_few_are_hashed_at_a_time_some_wait_and_others_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go, lock = threading.Event(), threading.Lock()
    here, most = 0, 0

    def slow(_: str, __: str) -> bool:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        assert go.wait(20)
        with lock:
            here -= 1
        return True

    monkeypatch.setattr(hashing, "_right", slow)
    of = Hashing(parallel=2, waiting=3)
    tasks = [asyncio.create_task(of.right("hash", "x")) for _ in range(5)]
    await asyncio.sleep(0)
    for refused in (of.right("hash", "x"), of.right(None, "x"), of.hashed("x")):
        with pytest.raises(RefusedError) as told:
            await refused
        assert told.value.status == 503
    go.set()
    assert await asyncio.gather(*tasks) == [True] * 5
    assert most == 2
    of.must_have_room()
    assert not await of.right(None, "x"), "of no password none is right"
