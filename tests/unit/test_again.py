"""What is done again and again, as seen by who reads the log."""

import asyncio
import logging

import pytest

from control.again import again

log = logging.getLogger("test")


class Work:
    """Fails as it is told to, look by look; cancels itself at the end."""

    def __init__(self, *errors: Exception | None) -> None:
        self.looks = 0
        self.lost = 0
        self._errors = errors

    async def look(self) -> None:
        self.looks += 1
        if self.looks > len(self._errors):
            raise asyncio.CancelledError
        error = self._errors[self.looks - 1]
        if error is not None:
            raise error

    async def forget(self) -> None:
        self.lost += 1


async def _done(work: Work) -> None:
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await again(work.look, 0.0, log, "nothing is counted", lost=work.forget)


async def test_trouble_is_said_when_it_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    away, other = OSError("nobody there"), OSError("nobody here")
    work = Work(None, away, away, away, other, None, None, away)
    await _done(work)
    assert caplog.messages == [
        "nothing is counted: nobody there",
        "nothing is counted: nobody here",
        "over: nothing is counted",
        "nothing is counted: nobody there",
    ]
    assert (work.looks, work.lost) == (9, 5)


async def test_an_error_nobody_expected_ends_nothing_and_says_where_it_was_met(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work(KeyError("column"), TimeoutError(), None)
    await _done(work)
    assert work.looks == 4
    first, second = (one for one in caplog.records if one.levelno == logging.WARNING)
    assert first.exc_info, "a fault of ours"
    assert not second.exc_info, "a peer that is away"
    assert second.message.endswith("TimeoutError")


async def test_the_pause_may_be_another_each_time() -> None:
    pauses: list[float] = []

    async def pause() -> float:
        pauses.append(0.0)
        return 0.0

    work = Work(None, OSError("away"))
    with pytest.raises(asyncio.CancelledError):
        await again(work.look, pause, log, "nothing is counted")
    assert len(pauses) == 2
