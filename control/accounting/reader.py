"""One stream, read until cancelled: look, store the receipts with the position, look again.

Failure: a file or PostgreSQL that is away is said once, tried again, and costs nothing: the
position in PostgreSQL is where reading goes on. Two nodes: the one whose session holds the
stream's advisory lock reads, the other asks for it at every poll (a waiting statement would keep
a snapshot open, and vacuum from cleaning).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from control.accounting import store
from control.accounting.door import Door
from control.accounting.folder import Folder
from control.accounting.look import Look
from control.accounting.position import Position
from control.accounting.since import Since
from control.accounting.trail import Trail
from control.store.connecting import connect, whole_transactions
from control.store.database import Connection
from settings.accounting import Accounting, Stream

log = logging.getLogger(__name__)

Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds now; raises nothing."""

_STATEMENT = 30.0
_CLOSE = 2.0
_SESSION = 60.0
"""Then a new connection: to a primary that was cut off one would read on for nobody. The position
that its successor has knows nothing of that, so it is read again."""
_SAID = 20
"""Gaps of one look that the log gets."""


class Reader:
    """Reads one PowerMTA server's accounting files."""

    def __init__(
        self,
        url: str,
        stream: Stream,
        settings: Accounting,
        now: Now,
        door: Door,
        bounds: Mapping[str, str] | None = None,
        whole: str = "0",
    ) -> None:
        """`bounds` and `whole` are what PostgreSQL itself keeps (`settings.model.Database`)."""
        self._whole = whole_transactions(whole)
        self._url = url
        self._bounds = {"application_name": "sendgate accounting", **(bounds or {})}
        self._server = stream.server
        moved = Path(stream.move_to) if stream.move_to else None
        self._folder = Folder(Path(stream.path), moved)
        self._settings = settings
        self._now = now
        self._door = door
        self._trail: Trail | None = None
        self._stored = (-1, Position())
        """Turn and position behind its last look."""
        self._said = ""
        self._level = logging.WARNING

    async def run(self) -> None:
        """Until cancelled. Not `control.again`: what is amiss begins and ends within a session, of
        which one lasts a minute, and is told at that look; the log would hear of it twice."""
        try:
            while True:
                try:
                    await self._session()
                except Exception as error:  # noqa: BLE001 - said, and tried again: doubt waits
                    self._door.forget()
                    self._say(type(error).__name__, str(error))
                await asyncio.sleep(self._settings.poll)
        finally:
            self._drop()

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
        await self._whole(connection)
        until = asyncio.get_running_loop().time() + _SESSION
        while not await store.lock(connection, self._server):
            if asyncio.get_running_loop().time() >= until:
                return
            await asyncio.sleep(self._settings.poll)
        await self._follow(connection, until)

    async def _follow(self, connection: Connection, until: float) -> None:
        path = str(self._folder.path)
        while asyncio.get_running_loop().time() < until:
            at = await store.begin(connection, self._server, path, await self._now())
            trail = self._trail_from(at)
            problem, ended = "", False
            try:
                problem = await self._looks(connection, trail, at, until)
                ended = not problem
            finally:
                if not ended:
                    # What it has looked at may not be stored.
                    self._drop()
            if problem:
                await store.set_problem(connection, self._server, problem)
                self._say("away", problem)
                await asyncio.sleep(self._settings.poll)

    def _trail_from(self, at: store.Stream) -> Trail:
        """Behind what is stored: the one that has the growing file open, or a new one."""
        current = next((file for file in at.files if file.file == at.file), Position())
        if self._trail is None or self._stored != (at.turn, current):
            self._drop()
            self._trail = Trail(
                self._folder,
                at.file,
                at.files,
                first=not at.read_at,
                unwatched=at.unwatched,
                watched=at.watched,
            )
        return self._trail

    def _drop(self) -> None:
        if self._trail is not None:
            self._trail.close()
            self._trail = None

    async def _looks(
        self, connection: Connection, trail: Trail, at: store.Stream, until: float
    ) -> str:
        """Until then, or until a file or folder cannot be read; why."""
        turn, since = at.turn, Since(first=not at.read_at)
        tidied = False
        while asyncio.get_running_loop().time() < until:
            # Before the look: what was written until now is read when the look reaches the end.
            now = await self._now()
            try:
                # In a thread: a file on a network may take its time, and parsing takes ours.
                found = await asyncio.to_thread(trail.look, self._settings.batch, now)
            except OSError as error:
                return f"{error.filename or self._folder.path}: {error.strerror or error}"
            # A gap is found now, after the look: what is missing may have been written until now.
            moment = store.Moment(now, await self._now(), since.behind(found, now))
            turn, gaps = await store.advance(
                connection, self._server, turn, found, moment, self._door
            )
            self._stored = (turn, found.at)
            self._report(found, gaps)
            if found.end and not tidied:
                tidied = True
                kept = self._settings.kept
                await store.forget_files(connection, self._server, kept, trail.present)
            if found.end or found.problem:
                await asyncio.sleep(self._settings.poll)
        return ""

    def _report(self, found: Look, gaps: list[str]) -> None:
        for gap in gaps[:_SAID]:
            log.error("accounting of %s: gap: %s", self._server, gap)
        if len(gaps) > _SAID:
            log.error("accounting of %s: %d gaps more", self._server, len(gaps) - _SAID)
        if found.trouble:
            # A server that has had no mail yet is no trouble; a wrong path is seen in the status.
            nothing = found.end and not found.at.file
            self._say("problem", found.trouble, logging.INFO if nothing else logging.WARNING)
        elif self._said:
            self._said = ""
            log.log(self._level, "accounting of %s: reading again", self._server)

    def _say(self, kind: str, text: str, level: int = logging.WARNING) -> None:
        """Once for each kind of trouble, until reading goes on."""
        if (kind, level) != (self._said, self._level):
            self._said, self._level = kind, level
            log.log(level, "accounting of %s: %s", self._server, text)
