"""What control does by the clock, for its API and its tasks: jobs, days that are over."""

from collections.abc import Coroutine
from functools import partial
from typing import Any

from control.api.consolidation import ConsolidationApi
from control.api.jobs import JobsApi
from control.api.route import Route
from control.consolidation.view import DayView, day_rows, day_view, day_views
from control.jobs.run import JobView, job_views, runs
from control.parts import Parts
from control.timetable import consolidation, timetable
from policy.limits import day_of


def duty_routes(parts: Parts) -> list[Route]:
    """What the API answers of it."""
    runner, days, pool = timetable(parts), consolidation(parts), parts.pool

    async def jobs() -> list[JobView]:
        return await job_views(pool, runner.jobs, await parts.calendar())

    async def consolidate(day: int | None) -> DayView:
        now = await parts.calendar()
        done = await days.day(day_of(now) - 1 if day is None else day, now)
        return await day_view(pool, done.day)

    apis = (
        JobsApi(runner, jobs, partial(runs, pool)),
        ConsolidationApi(partial(day_views, pool), partial(day_rows, pool), consolidate),
    )
    return [route for api in apis for route in api.routes()]


def duties(parts: Parts) -> list[Coroutine[Any, Any, None]]:
    """What has to run, each in a task of its own until it is cancelled."""
    return timetable(parts).work()
