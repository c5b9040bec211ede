"""One stream, read until cancelled: look, store the evidence with the position, look again.

Failure: a file or PostgreSQL that is away is said once, tried again, and costs nothing: the
position in PostgreSQL is where reading goes on. Two nodes: the one whose session holds the
stream's advisory lock reads, the other asks for it at every poll (a waiting statement would keep
a snapshot open, and vacuum from cleaning).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from control.accounting import store
from control.accounting.evidence import Evidence, evidence_of
from control.accounting.trail import Look, Position, look
from control.store.connecting import connect
from control.store.database import Connection
from settings.hold import Accounting, Stream

log = logging.getLogger(__name__)

Calendar = Callable[[], Awaitable[int]]
"""Calendar milliseconds now; raises nothing."""

_STATEMENT = 30.0
_CLOSE = 2.0
_SESSION = 60.0
"""Then a new connection: to a primary that was cut off one would read on for nobody. The position
that its successor has knows nothing of that, so it is read again."""


class Reader:
    """Reads one PowerMTA server's accounting files."""

    def __init__(
        self,
        url: str,
        stream: Stream,
        settings: Accounting,
        calendar: Calendar,
        bounds: Mapping[str, str] | None = None,
    ) -> None:
        """`bounds` are what PostgreSQL itself keeps (`settings.model.Database.bounds`)."""
        self._url = url
        self._bounds = {"application_name": "sendgate accounting", **(bounds or {})}
        self._server = stream.server
        self._path = Path(stream.path)
        self._settings = settings
        self._calendar = calendar
        self._said = ""
        self._level = logging.WARNING

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._session()
            except Exception as error:  # noqa: BLE001 - said, and tried again: doubt waits for us
                self._say(type(error).__name__, str(error))
            await asyncio.sleep(self._settings.poll)

    async def _session(self) -> None:
        connection = await connect(
            self._url, timeout=10.0, command_timeout=_STATEMENT, server_settings=self._bounds
        )
        work = asyncio.create_task(self._work(connection))
        try:
            await asyncio.wait({work})
        finally:
            # Cut, never asked to end: a statement that is cancelled while its backend is killed
            # keeps asyncpg waiting (seen in the tests: minutes). A commit that is cut here is
            # known by its position.
            connection.terminate()
            work.cancel()
            await asyncio.wait({work}, timeout=_CLOSE)
            ended = work.exception() if work.done() and not work.cancelled() else None
        if ended is not None:
            raise ended

    async def _work(self, connection: Connection) -> None:
        until = asyncio.get_running_loop().time() + _SESSION
        while not await store.lock(connection, self._server):
            if asyncio.get_running_loop().time() >= until:
                return
            await asyncio.sleep(self._settings.poll)
        await self._follow(connection, until)

    async def _follow(self, connection: Connection, until: float) -> None:
        path = str(self._path)
        at = await store.begin(connection, self._server, path, await self._calendar())
        while asyncio.get_running_loop().time() < until:
            # Before the look: what was written until now is read when the look reaches the end.
            now = await self._calendar()
            try:
                found, evidence = await asyncio.to_thread(self._look, at, now)
            except OSError as error:
                problem = f"{error.filename or path}: {error.strerror or error}"
                await store.set_problem(connection, self._server, problem)
                self._say(type(error).__name__, problem)
                await asyncio.sleep(self._settings.poll)
                continue
            await store.advance(connection, self._server, at, found, evidence, now)
            self._report(found)
            waiting = found.end or found.at == at
            at = found.at
            if waiting:
                await asyncio.sleep(self._settings.poll)

    def _look(self, at: Position, now: int) -> tuple[Look, Evidence]:
        """In a thread: a file on a network may take its time, and parsing takes ours."""
        found = look(self._path, at, self._settings.batch)
        evidence, header = evidence_of(found.rows, found.at.header, now)
        gap, problem = found.gap, found.problem
        if evidence.broken:
            gap = gap or f"{evidence.broken} records of {found.at.file} do not fit their header"
        if header and "envid" not in {name.lower() for name in header}:
            problem = f"{found.at.file} has no envId column: add it to PowerMTA's record-fields"
        after = msgspec.structs.replace(found.at, header=header)
        return found._replace(at=after, gap=gap, problem=problem), evidence

    def _report(self, found: Look) -> None:
        if found.gap:
            log.error("accounting of %s: gap: %s", self._server, found.gap)
        if found.problem:
            # A server that has had no mail yet is no trouble; a wrong path is seen in the status.
            nothing = found.end and not found.at.inode
            self._say("problem", found.problem, logging.INFO if nothing else logging.WARNING)
        elif self._said:
            self._said = ""
            log.log(self._level, "accounting of %s: reading again", self._server)

    def _say(self, kind: str, text: str, level: int = logging.WARNING) -> None:
        """Once for each kind of trouble, until reading goes on."""
        if (kind, level) != (self._said, self._level):
            self._said, self._level = kind, level
            log.log(level, "accounting of %s: %s", self._server, text)
