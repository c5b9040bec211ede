"""The demo's week: what it takes for right, and what not."""

import pytest

from control.embedded.demo.mail import Mail
from control.embedded.demo.warming import A_DAY, BOUNCES, DAYS, Decided, week

EARNED = Decided("2026-12-10T00:00:01Z", "advance", "…", stage_after=2)
PAUSED = Decided("2026-12-10T00:00:09Z", "pause", "…", stage_after=2, state_after="paused")
ELSEWHERE = Decided("2026-12-10T00:00:01Z", "advance", "…", provider="gmail", stage_after=2)


class Pretended:
    """A stack on which so much was decided."""

    def __init__(self, *decided: Decided) -> None:
        self._decided = [*decided]
        self.days: list[list[Mail]] = []
        self.turns = 0

    async def send(self, mails: list[Mail]) -> list[str]:
        self.days.append(mails)
        return []

    async def told(self, ip: str, count: int) -> None: ...

    async def next_day(self) -> None:
        self.turns += 1

    async def decided(self, ip: str) -> list[Decided]:
        return self._decided


async def test_a_week_and_a_day_are_sent_and_what_followed_is_right() -> None:
    stack = Pretended(PAUSED, ELSEWHERE, EARNED)
    assert await week(stack, first=1) == ([EARNED, PAUSED], [])
    assert stack.turns == DAYS
    assert [len(day) for day in stack.days] == [A_DAY] * (DAYS + 1)
    assert sum(mail.to.startswith("bounce+") for mail in stack.days[-1]) == BOUNCES
    everybody = [mail.to for day in stack.days for mail in day]
    assert len({*everybody}) == len(everybody), "each another one"


@pytest.mark.parametrize(
    ("decided", "told"),
    [
        ((PAUSED, ELSEWHERE), "should have earned stage 2"),
        ((EARNED,), "should have paused it"),
    ],
)
async def test_what_does_not_follow_is_told(
    decided: tuple[Decided, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control.embedded.demo.warming.PATIENCE", 0.0)
    _, wrong = await week(Pretended(*decided), first=1)
    (text,) = wrong
    assert told in text
