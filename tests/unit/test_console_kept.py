"""What is kept for a moment: no page waits for it, and nobody looks too often."""

import asyncio

import pytest

from control.console import kept
from control.console.kept import Kept, Known
from control.problem import RefusedError


class Look:
    """Takes until it is told."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return self.begun


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "WAIT", 0.02)


async def test_a_quick_answer_is_there_at_once() -> None:
    look = Look()
    look.go.set()
    assert await Kept().get("a", look) == Known(1, 0.0)


async def test_a_slow_one_is_looked_for_once_whoever_asks_and_is_there_for_the_next() -> None:
    of, look = Kept(), Look()
    assert await asyncio.gather(*(of.get("a", look) for _ in range(50))) == [None] * 50
    look.go.set()
    found = await of.get("a", look)
    assert (found is not None and found.found, look.begun) == (1, 1)


async def test_nobody_looks_again_before_ten_times_what_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(kept.time, "monotonic", lambda: now)
    of, look = Kept(), Look()
    assert await of.get("a", look) is None
    now += 3.0
    look.go.set()
    assert await of.get("a", look) == Known(1, 0.0)
    now += 29.0
    assert await of.get("a", look) == Known(1, 29.0)
    look.go.clear()
    now += 2.0
    assert await of.get("a", look) == Known(1, 31.0), "while it is looked for anew"
    assert look.begun == 2
    now += kept.OLDEST
    assert await of.get("a", look) is None, "too old to be shown"


async def test_an_error_is_told_to_who_waits_and_forgotten() -> None:
    of, look = Kept(), Look()
    look.go.set()
    look.error = RefusedError("it is away", status=503)
    with pytest.raises(RefusedError):
        await of.get("a", look)
    look.error = None
    assert await of.get("a", look) == Known(2, 0.0)


async def test_what_was_found_before_a_change_is_not_shown_after_it() -> None:
    of, look = Kept(), Look()
    assert await of.get("a", look) is None
    of.forget()
    assert await of.get("a", look) is None
    assert look.begun == 2, "the one that goes on may have seen what was before"
    look.go.set()
    assert await of.get("a", look) == Known(2, 0.0)


async def test_questions_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    of, look = Kept(), Look()
    look.go.set()
    for key in range(10):
        await of.get(key, look)
    assert await of.get(9, look) is not None
    assert look.begun == 10
    await of.get(0, look)
    assert look.begun == 11


async def test_no_look_outlives_the_process_not_even_of_a_question_that_was_forgotten() -> None:
    of, look = Kept(), Look()
    assert await of.get("a", look) is None
    of.forget()
    assert await of.get("a", look) is None
    assert look.begun == 2
    before = asyncio.all_tasks() - {asyncio.current_task()}
    await of.close()
    assert len(before) == 2
    assert all(task.cancelled() for task in before)


async def test_what_failed_is_looked_at_again_at_once_however_long_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(kept.time, "monotonic", lambda: now)
    of, look = Kept(failed=lambda found: found == 1), Look()
    assert await of.get("a", look) is None
    now += 3.0
    look.go.set()
    assert await of.get("a", look) == Known(1, 0.0)
    now += 0.9
    known = await of.get("a", look)
    assert known is not None
    assert known.found == 1, "nor more often than each second"
    now += 0.2
    assert await of.get("a", look) == Known(2, 0.0)
