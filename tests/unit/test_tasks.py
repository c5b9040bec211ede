"""Tasks end when they are told, even if a library swallows the cancellation."""

import asyncio
import time

from settings.tasks import cancel


async def deaf(times: int) -> None:
    """Goes on after so many cancellations, as a loop does that tries again after an error."""
    for _ in range(times):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(3600)


async def test_a_swallowed_cancellation_is_asked_again() -> None:
    tasks = [asyncio.create_task(deaf(times)) for times in (0, 1, 2)]
    await asyncio.sleep(0)
    await cancel(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_one_that_never_ends_is_left_after_a_time() -> None:
    task = asyncio.create_task(deaf(1_000))
    await asyncio.sleep(0)
    began = time.monotonic()
    await cancel([task], patience=0.7)
    assert not task.done()
    assert time.monotonic() - began < 5
    for _ in range(1_001):
        task.cancel()
        await asyncio.sleep(0)
    assert (await asyncio.wait([task], timeout=5))[0] == {task}
