"""Follows PowerMTA's files and ships what is written, in order, until told to end.

Rule: a look at the files is shipped before the next one is made, and repeated until control has
stored it or says where the stream stands; then reading goes on from there. So no record is lost or
counted twice, whatever ends this process, and what waits is in PowerMTA's files, not in memory.
While control is away the folder is looked at all the same: that no file began and was taken away
meanwhile is a part of the proof that nothing is missing (`control.accounting.trail`).
Failure: said once, tried again, longer and longer apart.
"""

import logging
import random
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from control.accounting.folder import Folder
from control.accounting.look import Look
from control.accounting.position import Position
from control.accounting.shipment import FRESH, LOOK, Shipment, Standing, Stretch, packed
from control.accounting.trail import Trail, behind
from control.agent.memory import Memory, MemoryFile, adopted, boot, seconds, seen, stored
from control.agent.post import Poster, PostError
from control.agent.stretches import Stretches
from control.agent.waiting import wait_behind
from settings.agent import Agent

log = logging.getLogger(__name__)

_SEEN_EVERY = 5.0
"""Seconds between two looks at the folder alone."""
_KEPT_EVERY = 15.0
"""Seconds between two notes of having looked, where nothing else changed."""
_PRESENT_EVERY = 600.0
"""Seconds between two lists of the files that are there."""
_ON_ITS_WAY = 4
"""Timeouts that one post may take: connecting, sending, waiting, and half an answer."""


class Shipper:
    """Of one PowerMTA server. `ended`: set from outside."""

    def __init__(
        self,
        settings: Agent,
        name: str,
        poster: Poster,
        ended: threading.Event,
        meanwhile: Callable[[], None],
    ) -> None:
        """`name`: of this agent; `meanwhile` is called every few seconds. Raises OSError."""
        self._settings = settings
        self._name = name
        self._poster = poster
        self._ended = ended
        self._meanwhile = meanwhile
        moved = Path(settings.move_to) if settings.move_to else None
        self._folder = Folder(Path(settings.path), moved)
        self._file = MemoryFile(Path(settings.state))
        self._boot = boot()
        kept = self._file.read(settings.server, settings.path)
        if kept is not None and kept.boot != self._boot:
            # While the machine was down nobody watched.
            kept = msgspec.structs.replace(kept, looked=None, watched=False, appeared=[])
        self._memory = kept
        self._stretches = Stretches()
        self._trail: Trail | None = None
        self._shipped = self._noted = self._listed = self._saw = 0.0
        """When last, as `seconds`."""
        self._failures = 0
        self._refused = 0
        """Shipments in a row that did not continue the stream."""
        self._said = ""

    def run(self) -> None:
        """Until it is ended."""
        try:
            while not self._ended.is_set():
                self._meanwhile()
                if not self._once():
                    self._wait(self._settings.poll)
        finally:
            self._drop()
            self._keep()
            self._poster.close()

    def _once(self) -> bool:
        """One look, shipped; whether more waits to be read."""
        if self._memory is None:
            self._deliver(self._shipment(FRESH, seconds()))
            return True
        began = seconds()
        try:
            look = self._look()
        except OSError as error:
            # It ends the trail: another begins from what was stored.
            self._drop()
            said = f"{error.filename or self._settings.path}: {error.strerror or error}"
            self._say(said)
            if began - self._shipped >= self._settings.idle:
                self._deliver(self._trouble(self._memory, said, began))
            return False
        if self._is_new(look) or began - self._shipped >= self._settings.idle:
            self._deliver(self._found(self._memory, look, began), look)
        return not (look.end or look.problem)

    def _look(self) -> Look:
        memory = self._memory
        assert memory is not None
        self._saw = seconds()
        if self._trail is None:
            looked = memory.looked
            self._stretches = Stretches()
            self._trail = Trail(
                self._folder,
                memory.file,
                memory.files,
                first=not memory.read,
                unwatched=None if looked is None else max(0.0, seconds() - looked),
                watched=memory.watched,
                appeared=memory.appeared,
                clock=seconds,
                taker=self._stretches,
            )
        self._stretches.begin()
        # Without a time of its own a record takes control's: none is made of them here.
        return self._trail.look(self._settings.batch, 0)

    def _is_new(self, look: Look) -> bool:
        """Whether control does not know it yet."""
        known = {position.file: position for position in self._memory.files} if self._memory else {}
        moved = any(known.get(p.file) != p for p in [*look.changed, look.at] if p.file)
        return moved or bool(look.gaps or look.begins or self._stretches.taken)

    # What is shipped

    def _shipment(self, turn: int, began: float) -> Shipment:
        return Shipment(
            agent=self._name,
            server=self._settings.server,
            path=self._settings.path,
            turn=turn,
            age=seconds() - began + _ON_ITS_WAY * self._settings.timeout,
        )

    def _found(self, memory: Memory, look: Look, began: float) -> Shipment:
        trail = self._trail
        present = None
        if trail is not None and look.end and began - self._listed >= _PRESENT_EVERY:
            self._listed, present = began, trail.present
        changed = {position.file: position for position in [*look.changed, look.at]}
        changed.pop("", None)
        files = {position.file: position for position in memory.files} | changed
        try:
            waits: int | None = behind(self._folder, files.values())
        except OSError:
            waits = None
        return msgspec.structs.replace(
            self._shipment(memory.turn, began),
            at=look.at,
            changed=list(changed.values()),
            stretches=self._stretches.taken,
            end=look.end,
            watched=look.watched,
            begins=look.begins,
            gaps=look.gaps,
            lack=look.lack,
            problem=look.problem,
            behind=waits,
            present=present,
        )

    def _trouble(self, memory: Memory, said: str, began: float) -> Shipment:
        at = next((file for file in memory.files if file.file == memory.file), Position())
        return msgspec.structs.replace(self._shipment(memory.turn, began), at=at, problem=said)

    # Shipping it

    def _deliver(self, shipment: Shipment, look: Look | None = None) -> None:
        """Until control has it, or says where the stream stands, or the agent is ended."""
        began = seconds() - shipment.age
        while not self._ended.is_set():
            try:
                standing = self._post(msgspec.structs.replace(shipment, age=seconds() - began))
            except PostError as error:
                self._failures += 1
                self._say(str(error))
                self._wait(max(error.wait, self._pause(self._failures)))
                continue
            self._failures = 0
            self._shipped = seconds()
            if standing.taken:
                self._refused = 0
                self._say("")
                self._advance(shipment, standing.turn, look)
                return
            if standing.recall:
                stretches: list[Stretch] = self._stretches.with_recall()
                shipment = msgspec.structs.replace(shipment, stretches=stretches)
            else:
                self._adopt(standing, known=shipment.turn != FRESH)
                return

    def _post(self, shipment: Shipment) -> Standing:
        body = packed(shipment)
        status, answer = self._poster.post(LOOK, body, "application/gzip")
        try:
            standing = msgspec.json.decode(answer, type=Standing)
        except msgspec.DecodeError as error:
            raise PostError(f"control's answer {status} cannot be read ({error})") from error
        if standing.recall and shipment.stretches and shipment.stretches[0].recall:
            raise PostError("control wants again what it has just been sent")
        return standing

    def _pause(self, failures: int) -> float:
        settings = self._settings
        chance = random.random()  # noqa: S311 - so that agents differ, not a secret
        return wait_behind(failures, settings.retry_first, settings.retry_most, chance)

    def _advance(self, shipment: Shipment, turn: int, look: Look | None) -> None:
        """Control has stored it."""
        assert self._memory is not None
        self._memory = stored(self._memory, shipment, turn, look)
        if shipment.changed or seconds() - self._noted > _KEPT_EVERY:
            self._keep()

    def _adopt(self, standing: Standing, *, known: bool) -> None:
        """Go on from where control says that the stream stands."""
        if known:
            log.warning("control does not take it (%s): going on from what it has", standing.why)
            self._refused += 1
            if self._refused > 1:
                # Somebody else ships this stream, too.
                self._wait(self._pause(self._refused))
        watch = self._trail.watch if self._trail is not None else None
        self._drop()
        named = self._settings.server, self._settings.path
        self._memory = adopted(standing, named, self._boot, watch, self._memory)
        self._keep()

    # Meanwhile

    def _wait(self, wanted: float) -> None:
        until = seconds() + wanted
        while (left := until - seconds()) > 0:
            if self._ended.wait(min(left, _SEEN_EVERY)):
                return
            # However short the waits are that make up the time in which control is away.
            if seconds() - self._saw >= _SEEN_EVERY:
                self._see()
                self._meanwhile()

    def _see(self) -> None:
        self._saw = seconds()
        if self._trail is None:
            return
        try:
            self._trail.see()
        except OSError as error:
            self._say(f"{error.filename or self._settings.path}: {error.strerror or error}")
        if seconds() - self._noted > _KEPT_EVERY:
            self._keep()

    def _keep(self) -> None:
        """Remember over a restart."""
        if self._memory is None:
            return
        self._noted = seconds()
        memory = self._memory
        if self._trail is not None:
            self._memory = memory = seen(memory, self._boot, self._trail.watch)
        try:
            self._file.write(memory)
        except OSError as error:
            # Control knows the position, too.
            log.warning("cannot remember the position in %s: %s", self._settings.state, error)

    def _drop(self) -> None:
        if self._trail is not None:
            self._keep()
            self._trail.close()
            self._trail = None

    def _say(self, text: str) -> None:
        """Once, until something else is to be said; '' when all is well again."""
        if text == self._said:
            return
        if text:
            log.warning("%s", text)
        else:
            log.info("shipping")
        self._said = text
