"""Which jobs there are, put together: when each is due, and what it calls."""

import os
import socket

from control.jobs import run
from control.jobs.job import DAY, HOUR, Job
from control.jobs.runner import Runner
from control.parts import Parts
from control.statistics.sweep import sweep

RUNS_KEPT = 90 * DAY
"""Milliseconds for which runs of jobs are kept."""


def timetable(parts: Parts) -> Runner:
    """Of one control node."""
    jobs = [
        Job(
            name="cleanup",
            what="deletes what is older than it is kept: records, detailed sums, suppressions that "
            "ended, runs of jobs",
            every=DAY,
            at=3 * HOUR,
            work=_Cleanup(parts),
        ),
    ]
    return Runner(parts.pool, jobs, parts.calendar, f"{socket.gethostname()}:{os.getpid()}")


class _Cleanup:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, due: int) -> str:
        parts, kept = self._parts, self._parts.settings.statistics
        await parts.intake.feed.tidy(due)
        sums = await sweep(parts.pool, due, kept.kept, kept.detail_kept)
        gone = await parts.suppressions.sweep()
        await run.sweep(parts.pool, due - RUNS_KEPT)
        return f"deleted {sums} sums and {gone} suppressions that ended, and records of old days"
