"""Jobs of the calendar: each once over several nodes, caught up, tried again, run by hand."""

import asyncio
from typing import Any

import msgspec
import pytest

from control.jobs.job import DAY, MINUTE, MOST_ATTEMPTS, Job
from control.jobs.run import JobView, RunQuery, RunView, runs, troubled
from control.jobs.runner import Runner
from control.parts import Parts
from control.timetable import REPLIES_KEPT
from control.values.part import Part
from policy.limits import day_of
from tests.support.control.core import TOKEN, Api, Command
from tests.support.control.outcomes import reader, tell

AT = 30 * MINUTE

LATEST = Part(sort="-due", limit=100)


class Calendar:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 20_000 * DAY + AT

    async def __call__(self) -> int:
        return self.now


class Counted:
    """Work that writes down what it was called for."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.fails = 0

    async def __call__(self, due: int) -> str:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("not today")
        await asyncio.sleep(0.005)
        self.done.append(due)
        return "done"


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


def node(
    core: Parts, calendar: Calendar, work: Any, name: str = "a", *, each: bool = True
) -> Runner:
    job = Job(name="night", what="counts", every=DAY, at=AT, each=each, work=work)
    return Runner(core.pool, [job], calendar, name)


async def due_again(core: Parts) -> None:
    """As if the wait, or the lease, were over."""
    await core.pool.execute("UPDATE job_run SET until = clock_timestamp() - interval '1 second'")


async def test_any_number_of_nodes_do_each_run_once(core: Parts, calendar: Calendar) -> None:
    work = Counted()
    nodes = [node(core, calendar, work, name) for name in "abcd"]
    began = calendar.now
    for day in range(10):
        calendar.now = began + day * DAY
        await asyncio.gather(*(one.look(one.jobs[0]) for one in nodes for _ in range(3)))
    for one in nodes:
        await one.look(one.jobs[0])
    assert sorted(work.done) == [began + n * DAY for n in range(10)]
    assert len((await runs(core.pool, "night", RunQuery(state="done"), LATEST)).entries) == 10


async def test_three_days_away_are_caught_up_in_their_order(
    core: Parts, calendar: Calendar
) -> None:
    work, latest = Counted(), Counted()
    began = calendar.now
    first = node(core, calendar, work)
    await first.look(first.jobs[0])
    calendar.now += 3 * DAY + 5 * MINUTE
    second = node(core, calendar, work, "b")
    await second.look(second.jobs[0])
    assert work.done == [began + n * DAY for n in range(4)]
    other = node(core, calendar, latest, each=False)
    await core.pool.execute("DELETE FROM job_run WHERE due > $1", began)
    await other.look(other.jobs[0])
    assert latest.done == [began + 3 * DAY]


async def test_a_failure_is_tried_again_later_and_then_done(
    core: Parts, calendar: Calendar
) -> None:
    work = Counted()
    work.fails = 2
    one = node(core, calendar, work)
    for _ in range(3):
        await one.look(one.jobs[0])
    failed = (await runs(core.pool, "night", RunQuery(), LATEST)).entries[0]
    assert (failed.state, failed.attempts) == ("failed", 1), "not before its wait is over"
    assert "not today" in failed.said
    for _ in range(2):
        await due_again(core)
        await one.look(one.jobs[0])
    done = (await runs(core.pool, "night", RunQuery(), LATEST)).entries[0]
    assert (done.state, done.attempts, len(work.done)) == ("done", 3, 1)
    assert await troubled(core.pool) == []


async def test_what_fails_for_ever_is_dead_seen_and_run_by_hand(
    core: Parts, calendar: Calendar
) -> None:
    work = Counted()
    work.fails = MOST_ATTEMPTS
    one = node(core, calendar, work)
    for _ in range(MOST_ATTEMPTS + 3):
        await one.look(one.jobs[0])
        await due_again(core)
    dead = await troubled(core.pool)
    assert [(run.state, run.attempts) for run in dead] == [("dead", MOST_ATTEMPTS)]
    done = await one.by_hand("night", "anna", calendar.now)
    assert (done.state, done.attempts) == ("done", MOST_ATTEMPTS + 1)
    assert work.done == [calendar.now]
    assert await troubled(core.pool) == []


async def test_a_node_that_was_killed_loses_its_run_and_ends_nothing(
    core: Parts, calendar: Calendar
) -> None:
    held = asyncio.Event()

    async def hangs(_: int) -> str:
        await held.wait()
        return "late"

    work = Counted()
    frozen, other = node(core, calendar, hangs, "frozen"), node(core, calendar, work, "other")
    hanging = asyncio.create_task(frozen.look(frozen.jobs[0]))
    while not (await runs(core.pool, "night", RunQuery(state="running"), LATEST)).entries:
        await asyncio.sleep(0.01)
    await other.look(other.jobs[0])
    assert work.done == [], "its lease is not over"
    await due_again(core)
    await other.look(other.jobs[0])
    held.set()
    await hanging
    run = (await runs(core.pool, "night", RunQuery(), LATEST)).entries[0]
    assert (run.state, run.node, run.said) == ("done", "other", "done")


async def test_clean_up_deletes_what_is_older_than_it_is_kept(core: Parts, api: Api) -> None:
    """Nothing else does: what has no loop of its own is found here."""
    today = day_of(await core.calendar())
    settings = core.settings
    for table, values, kept in (
        ("bypass_charge", "$1, '192.0.2.1', 'gmail', 1", settings.accounting.records_kept / 86_400),
        (
            "warmup_reply",
            "$1, 'acme', '192.0.2.1', 'gmail', 'r', 'ip', 'rate', 'slow', 1, 1, false",
            REPLIES_KEPT / DAY,
        ),
    ):
        for day in (today, today - int(kept) - 2):
            await core.pool.execute(f"INSERT INTO {table} VALUES ({values})", day)
    kept_days = int(settings.control.outcomes_kept / 86_400)
    await tell(core, {"message": "old"}, days_ago=kept_days + 2)
    await tell(core, {"message": "new"})
    await reader(core).step()
    status, done = await api("POST", "/api/v2/jobs/cleanup/run")
    assert (status, isinstance(done, dict) and done["state"]) == (200, "done"), done
    for table in ("bypass_charge", "warmup_reply"):
        days = await core.pool.fetch(f"SELECT day FROM {table} ORDER BY day")
        assert [row["day"] for row in days] == [today], table
    left = await core.pool.fetch("SELECT message FROM outcome")
    assert [row["message"] for row in left] == ["new"]


async def test_jobs_are_listed_and_run_by_hand(
    core: Parts,
    api: Api,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    listed = msgspec.json.decode(await sendgate("job", "list", "--json"), type=list[JobView])
    cleanup = next(job for job in listed if job.name == "cleanup")
    assert (cleanup.when, cleanup.last, cleanup.dead) == ("daily at 03:00 UTC", None, [])
    run = msgspec.json.decode(await sendgate("job", "run", "cleanup", "--json"), type=RunView)
    assert (run.state, run.by_hand, run.attempts) == ("done", "test", 1)
    assert "deleted" in await sendgate("job", "show", "cleanup")
    assert await audited(core) == [
        ("test", "job.run", "cleanup", {"due": run.due, "attempt": 1, "node": run.node}, "")
    ]
    again = ("job", "run", "cleanup", "--due", run.due, "--reason", "the disk was full")
    assert "done" in await sendgate(*again)
    assert (await audited(core))[-1] == (
        *("test", "job.run", "cleanup"),
        {"due": run.due, "attempt": 2, "node": run.node},
        "the disk was full",
    )
    said = await sendgate("audit", "list", "--action", "job.run", "--subject", "cleanup")
    assert "the disk was full" in said
    assert "cleanup" in await sendgate("job", "list")
    assert "cleanup" in await sendgate("job", "run", "nothing", code=1), "it names those there are"
    assert (await api("POST", "/api/v2/jobs/cleanup/run?due=2000-01-01T00:00:00Z"))[0] == 404
    assert (await api("POST", "/api/v2/jobs/cleanup/run?due=soon"))[0] == 400
    assert (await api("GET", "/api/v2/jobs/cleanup?state=lost"))[0] == 400
    assert len(await audited(core)) == 2, "what is refused was not run"
    status, answer = await api("POST", "/api/v2/jobs/cleanup/run?reason=by%20the%20API")
    assert (status, isinstance(answer, dict)) == (200, True)
    assert isinstance(answer, dict)
    assert [(row[3]["due"], row[4]) for row in (await audited(core))[2:]] == [
        (answer["due"], "by the API")
    ]


async def test_a_run_by_hand_is_written_down_although_it_fails_and_one_by_the_calendar_not(
    core: Parts, calendar: Calendar
) -> None:
    work = Counted()
    one = node(core, calendar, work)
    await one.look(one.jobs[0])
    assert await audited(core) == []
    work.fails = 1
    assert (await one.by_hand("night", "anna", calendar.now)).state == "dead"
    assert [row[:3] for row in await audited(core)] == [("anna", "job.run", "night")]


async def audited(core: Parts) -> list[Any]:
    """The rows of jobs in the audit log, the oldest first."""
    rows = await core.pool.fetch(
        "SELECT who, action, subject, after, reason FROM audit_log WHERE action LIKE 'job.%' "
        "ORDER BY id"
    )
    return [tuple(row) for row in rows]
