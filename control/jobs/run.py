"""A run of a job, as its row says, for people."""

from typing import Annotated, Any, Literal

import msgspec

from control.jobs.job import Job
from control.keyset import Column, Keyset
from control.values.part import Part, Slice
from control.values.query import Limit
from control.values.reason import ReasonText
from control.values.time import TimeText
from control.values.wanted import meant
from policy.isotime import instant
from settings.statements import statements

SQL = statements(__package__, "run")

RUNS = Keyset(SQL["runs"], {"due": (Column(name="due", sql="due", kind="bigint"),)}, given=2)

State = Literal["running", "done", "failed", "dead"]


class RunQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs of a job."""

    state: Annotated[State | None, meant("Only in this state.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 20.")] = 20


class DueQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which run is done by hand."""

    due: Annotated[
        TimeText | None, meant("ISO time: what was due then, once more; else what is now.")
    ] = None
    reason: ReasonText = ""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    job: str
    due: str
    """ISO time, of the calendar; by hand it has a fraction. It names the run: `--due` takes it."""
    by_hand: str
    """Who asked for it; empty: the calendar did."""
    state: str
    """running, done, failed (it is tried again) or dead (it is not: `job run JOB --due`)."""
    attempts: int
    node: str
    started: str
    ended: str | None
    seconds: float | None
    """For which its last attempt lasted."""
    said: str
    """What it did, or why it could not."""


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """One job."""

    name: str
    what: str
    when: str
    next: str
    """When it is due next, ISO time."""
    last: RunView | None
    """null: it never ran."""
    dead: list[RunView]
    """Given up, and not done since: the oldest first."""


def named(due: int) -> str:
    """The time as a run is named by it, to the millisecond where it has some: runs by hand begin
    whenever somebody asks."""
    second = instant(due)
    return f"{second[:-1]}.{due % 1000:03}Z" if due % 1000 else second


def run_view(row: Any) -> RunView:
    """Of a row."""
    ended = row["ended"]
    return RunView(
        job=row["name"],
        due=named(row["due"]),
        by_hand=row["by_hand"],
        state=row["state"],
        attempts=row["attempts"],
        node=row["node"],
        started=instant(row["started"]),
        ended=None if ended is None else instant(ended),
        seconds=None if row["seconds"] is None else round(row["seconds"], 3),
        said=row["said"],
    )


async def job_views(pool: Any, jobs: list[Job], now: int) -> list[JobView]:
    """Of each job. `now` in calendar milliseconds."""
    last = {row["name"]: run_view(row) for row in await pool.fetch(SQL["last"])}
    troubled = [run_view(row) for row in await pool.fetch(SQL["troubled"])]
    return [
        JobView(
            name=job.name,
            what=job.what,
            when=job.rhythm(),
            next=instant(job.latest(now) + job.every),
            last=last.get(job.name),
            dead=[run for run in troubled if run.job == job.name and run.state == "dead"],
        )
        for job in jobs
    ]


async def troubled(pool: Any) -> list[RunView]:
    """Runs that were given up, or failed more than once, and of whose job none was done since."""
    return [run_view(row) for row in await pool.fetch(SQL["troubled"])]


async def runs(pool: Any, name: str, wanted: RunQuery, part: Part) -> Slice[RunView]:
    """Of one job. Raises RefusedError."""
    rows, after = await RUNS.rows(pool, part, name, wanted.state)
    return Slice([run_view(row) for row in rows], after)


async def sweep(pool: Any, before: int) -> None:
    """Forget those that were due before, calendar milliseconds, but for each job's last."""
    await pool.execute(SQL["sweep"], before)
