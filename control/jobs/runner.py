"""Runs jobs when the calendar says so, each once over any number of control nodes.

Owns: who does a run, its repeats, its row. Not here: which jobs there are
(`control.timetable`), what they do.
Rule: a run is a row (job, time it was due), claimed in one statement. Its node says every few
seconds that it is alive; one that is silent for `LEASE` has lost it, and what it still ends
changes nothing: every change names the attempt. So a run that is done is done by one, and one
whose node was killed begins again elsewhere.
Time: when something is due is the ledger's clock, which tests and the demo move. Leases and waits
are real time, by PostgreSQL's clock alone.
Failure: a job that raises is tried again after 10 s, doubling to 15 minutes; after 12 attempts it
is dead, and stays to be seen. PostgreSQL away: nothing is claimed; it is caught up afterwards.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

from control.again import again
from control.jobs.job import MOST_MISSED, Job, again_in
from control.jobs.run import SQL, RunView, named, run_view
from control.problem import RefusedError, cut, missing
from control.store.change import Act
from control.store.once import settle
from control.store.origin import come
from control.store.refusal import UNREACHABLE

log = logging.getLogger(__name__)

TICK = 1.0
"""Real seconds between two looks whether something is due."""
LEASE = 30.0
ALIVE_EVERY = 8.0
PATIENCE = 20.0
"""Seconds for which who runs one by hand waits for its end."""

_SETTLED = ("done", "dead")

Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds."""


class Runner:
    """Of one control node. `node`: its name, for people."""

    def __init__(self, pool: Any, jobs: list[Job], calendar: Now, node: str) -> None:
        self.jobs = jobs
        self._pool = pool
        self._calendar = calendar
        self._node = node
        self._settled: dict[str, int] = {}
        """By job: the time it was due last that needs no look any more."""
        self._hands: set[asyncio.Task[Any]] = set()

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run, each in a task of its own until it is cancelled."""
        return [
            again(partial(self.look, job), TICK, log, f"job {job.name} waits") for job in self.jobs
        ]

    async def look(self, job: Job) -> None:
        """Do what is due of it and nobody else does. Raises asyncpg's errors."""
        now = await self._calendar()
        latest = job.latest(now)
        if self._settled.get(job.name) == latest:
            return
        first = latest - MOST_MISSED * job.every
        rows = await self._pool.fetch(SQL["known"], job.name, first)
        known = {row["due"]: row["state"] for row in rows}
        settled = True
        for due in job.wanted(now, known):
            if known.get(due) in _SETTLED:
                continue
            attempt = await self._claim(self._pool, job, due, now)
            come("job", job.name, "")
            settled &= attempt is not None and await self._do(job, due, attempt)
        if settled:
            self._settled[job.name] = latest

    async def _claim(
        self, connection: Any, job: Job, due: int, now: int, who: str = ""
    ) -> int | None:
        found = await connection.fetchval(SQL["claim"], job.name, due, who, self._node, now, LEASE)
        return None if found is None else int(found)

    async def by_hand(self, name: str, who: str, due: int | None, reason: str = "") -> RunView:
        """Run it now; `due`: what was due then, once more. It is written down with its claim, so
        also where it fails, or nobody waits for it. Answers when it ended, or after `PATIENCE`
        while it goes on. Raises RefusedError."""
        job = self.named(name)
        now = await self._calendar()
        at = now if due is None else due
        async with self._pool.acquire() as connection, connection.transaction():
            attempt = await self._claim_by_hand(connection, job, who, due, now)
            act = Act(connection, datetime.fromtimestamp(now / 1000, UTC), who)
            run = {"due": named(at), "attempt": attempt, "node": self._node}
            await act.audit("job.run", name, None, run, reason)
            # Whoever asks again gets the run as it began: it goes on, or a look tells its end.
            await settle(connection, run_view(await connection.fetchrow(SQL["one"], job.name, at)))
        task = asyncio.create_task(self._do(job, at, attempt, once=True))
        self._hands.add(task)
        task.add_done_callback(self._hands.discard)
        await asyncio.wait([task], timeout=PATIENCE)
        row = await self._row(job, at)
        return run_view(row)

    async def _claim_by_hand(
        self, connection: Any, job: Job, who: str, due: int | None, now: int
    ) -> int:
        """The attempt. Raises RefusedError."""
        if due is None:
            attempt = await self._claim(connection, job, now, now, who)
        else:
            attempt = await connection.fetchval(SQL["again"], job.name, due, self._node, now, LEASE)
            if attempt is None and await connection.fetchrow(SQL["one"], job.name, due) is None:
                if job.latest(due) != due or due > now:
                    raise missing(f"a run of {job.name} that was due at that time:", named(due))
                attempt = await self._claim(connection, job, due, now)
        if attempt is None:
            raise RefusedError(f"job {job.name} runs already: see `sendgate job show {job.name}`")
        return int(attempt)

    def named(self, name: str) -> Job:
        """Raises RefusedError (404)."""
        for job in self.jobs:
            if job.name == name:
                return job
        there = ", ".join(job.name for job in self.jobs)
        raise RefusedError(f"job {cut(name)} does not exist: there are {there}", status=404)

    async def _row(self, job: Job, due: int) -> Any:
        return await self._pool.fetchrow(SQL["one"], job.name, due)

    async def _do(self, job: Job, due: int, attempt: int, *, once: bool = False) -> bool:
        """Whether nothing is left to do of it. `once`: whoever asked sees that it failed."""
        began = time.monotonic()
        alive = asyncio.create_task(self._alive(job, due, attempt))
        try:
            said, state, wait = await job.work(due), "done", 0.0
        except Exception as error:  # noqa: BLE001 - it is in the row, and tried again
            again = None if once else again_in(attempt)
            state, wait = ("dead", 0.0) if again is None else ("failed", again)
            said = f"{type(error).__name__}: {error}"[:2_000]
            log.warning("job %s failed (attempt %d, %s): %s", job.name, attempt, state, said)
        finally:
            alive.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await alive
        seconds, now = time.monotonic() - began, await self._calendar()
        mine = await self._pool.fetchval(
            SQL["end"], job.name, due, attempt, state, now, seconds, said, wait
        )
        return bool(mine) and state in _SETTLED

    async def _alive(self, job: Job, due: int, attempt: int) -> None:
        while True:
            await asyncio.sleep(ALIVE_EVERY)
            try:
                await self._pool.fetchval(SQL["alive"], job.name, due, attempt, LEASE)
            except UNREACHABLE as error:
                log.warning("job %s cannot say that it goes on: %s", job.name, error)
