"""When jobs of the calendar are due."""

from control.jobs.job import DAY, HOUR, LONGEST_WAIT, MINUTE, MOST_MISSED, Job, again_in


async def nothing(_: int) -> str:
    return ""


def job(every: int = DAY, at: int = 0, *, each: bool = False) -> Job:
    return Job(name="a", what="", every=every, at=at, each=each, work=nothing)


MONDAY = 20_000 * DAY


def test_a_daily_job_is_due_at_its_time_and_not_a_millisecond_earlier() -> None:
    daily = job(at=30 * MINUTE)
    assert daily.latest(MONDAY + 30 * MINUTE) == MONDAY + 30 * MINUTE
    assert daily.latest(MONDAY + 30 * MINUTE - 1) == MONDAY - DAY + 30 * MINUTE
    assert daily.rhythm() == "daily at 00:30 UTC"
    assert job(5 * MINUTE).rhythm() == "every 5 min"
    assert job(4 * HOUR).rhythm() == "every 4 h"


def test_every_missed_run_is_wanted_or_the_latest_alone() -> None:
    now, before = MONDAY + 3 * DAY + 5 * HOUR, MONDAY + 30 * MINUTE
    each, latest = job(at=30 * MINUTE, each=True), job(at=30 * MINUTE)
    assert each.wanted(now, [before]) == [before + n * DAY for n in range(4)]
    assert latest.wanted(now, [before]) == [before + 3 * DAY]
    assert each.wanted(now, []) == [before + 3 * DAY], "before its first run nobody had the job"


def test_a_long_absence_is_bounded_and_what_was_by_hand_moves_no_time() -> None:
    each = job(at=30 * MINUTE, each=True)
    wanted = each.wanted(MONDAY + 1_000 * DAY, [MONDAY + 7])
    assert len(wanted) == MOST_MISSED
    assert all(due % DAY == 30 * MINUTE for due in wanted)
    assert wanted[-1] == each.latest(MONDAY + 1_000 * DAY)


def test_waits_grow_and_end() -> None:
    waits = [again_in(n) for n in range(1, 14)]
    assert waits[:4] == [10.0, 20.0, 40.0, 80.0]
    assert waits[10] == LONGEST_WAIT
    assert waits[11:] == [None, None]
