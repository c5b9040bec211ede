"""Two control nodes as real processes on one PostgreSQL and one Valkey, and a calendar."""

import asyncio
import os
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from control.embedded.stack.toml import to_toml
from control.jobs.job import MINUTE
from control.parts import Parts
from policy.limits import DAY
from settings.model import Settings
from tests.faults.process import clean_environment
from tests.support.servers.halt import Halt, Place

PATIENCE = 30.0
SECOND = 1_000

_FORKING = get_context("forkserver")
_FORKING.set_forkserver_preload(["control.app", "control.cli.main"])
"""Interpreters take seconds to come up, and eight are killed: they are forked from one that has
read the code."""


def _control(file: Path, out: Path) -> None:
    """`sendgate control`, in a process of its own."""
    written = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    log = os.open(out.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(written, 1)
    os.dup2(log, 2)
    environment = clean_environment()
    os.environ.clear()
    os.environ.update(environment)
    from control.cli.main import run

    raise SystemExit(run(["control", "--config", str(file)]))


class Node:
    """One of them."""

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._out = file.with_name(f"{name}.out")
        self._process: Any = None

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    async def start(self) -> None:
        """Until it is ready."""
        self._out.write_text("")
        self._process = _FORKING.Process(target=_control, args=(self._file, self._out), daemon=True)
        self._process.start()
        async with asyncio.timeout(PATIENCE):
            while not self._out.read_text().startswith("ready "):
                assert self._process.is_alive(), self._out.with_suffix(".log").read_text()
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.join()

    async def stop(self) -> None:
        """As a service is stopped."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()
            await asyncio.to_thread(self._process.join, PATIENCE)
            self._process.kill()


class Nodes:
    """`core`: the test's own way into the same database and ledger; it runs no job."""

    def __init__(self, core: Parts, settings: Settings, folder: Path, connection: Any) -> None:
        file = folder / "control.toml"
        file.write_text(to_toml(settings), encoding="utf-8")
        self._core = core
        self._halt = Halt(connection)
        self._all = [Node(file, name) for name in ("north", "south")]
        self.killed: list[tuple[str, int]] = []
        """(job, when it was due) of each run in whose middle its node was killed."""

    async def start(self, due: dict[str, int]) -> None:
        """Until they have done what is due already, by job."""
        await self._halt.prepare()
        await asyncio.gather(*(one.start() for one in self._all))
        for job, at in due.items():
            await self._until(job, at, lambda row: bool(row["state"] == "done"))

    async def stop(self) -> None:
        await asyncio.gather(*(one.stop() for one in self._all))

    async def night(self, job: str, due: int) -> None:
        """The calendar comes to when a job is due; until it is done."""
        await self._core.admin.set_clock(due + SECOND)
        await self._until(job, due, lambda row: bool(row["state"] == "done"))

    async def killed_in(self, job: str, due: int, place: Place) -> None:
        """The same, but who does it is killed -9 where its statement stands, and starts again while
        the other one does it."""
        await self._halt.at(place)
        await self._core.admin.set_clock(due + SECOND)
        async with asyncio.timeout(PATIENCE):
            await self._halt.reached()
        row = await self._until(job, due, lambda row: bool(row["state"] == "running"))
        (victim,) = (one for one in self._all if row["node"].endswith(f":{one.pid}"))
        victim.kill()
        await self._halt.lose(place)
        self.killed.append((job, due))
        starting = asyncio.create_task(victim.start())
        await self.between(due)
        # Half a minute in which it does not say that it is alive.
        await self._core.pool.execute(
            "UPDATE job_run SET until = clock_timestamp() WHERE name = $1 AND due = $2", job, due
        )
        done = await self._until(job, due, lambda row: bool(row["state"] == "done"))
        assert (done["node"] != row["node"], done["attempts"]) == (True, 2)
        await starting

    async def between(self, due: int) -> None:
        """What stands when a node was killed and no other has begun. A scene says what."""

    async def _until(self, job: str, due: int, wanted: Callable[[Any], bool]) -> Any:
        row = None
        async with asyncio.timeout(PATIENCE):
            while True:
                row = await self._core.pool.fetchrow(
                    "SELECT * FROM job_run WHERE name = $1 AND due = $2", job, due
                )
                if row is not None and wanted(row):
                    return row
                assert row is None or row["state"] in ("running", "done"), dict(row)
                await asyncio.sleep(0.02)


def at(day: int, minute: int = 0) -> int:
    """Calendar milliseconds."""
    return day * DAY + minute * MINUTE
