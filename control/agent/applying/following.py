"""Follows what control offers: takes it, looks each minute whether it still holds, and tells.

Rule: while control is away nothing changes on this host, but that what was begun is finished or
undone. The newest offer counts; each is taken whole before the next one is asked for.
"""

import logging
import random
import threading
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from control.agent.applying.attempt import Attempt
from control.agent.applying.command import EndedError, Pmta
from control.agent.applying.journal import Journal, JournalFile
from control.agent.applying.place import Place
from control.agent.applying.telling import Seen, applied, look
from control.agent.applying.version import EMPTY
from control.agent.memory import seconds
from control.agent.post import Poster, PostError
from control.agent.waiting import wait_behind
from control.pmta.offer import APPLIED, OFFER, Applied, Asked, Offer
from settings.agent import Agent

log = logging.getLogger(__name__)


class Follower:
    """Of one PowerMTA server. `ended`: set from outside, then `interrupt`."""

    def __init__(self, settings: Agent, name: str, ended: threading.Event) -> None:
        """Raises OSError for a file of certificates that cannot be read."""
        self._settings = settings
        self._names = name, settings.server
        self._ended = ended
        folder = settings.configuration.rstrip("/")
        self._place = Place(Path(folder), settings.group)
        self._pmta = Pmta(settings, ended)
        file = JournalFile(Path(settings.state))
        kept = file.read(settings.server, folder)
        self._is_new = kept is None
        journal = kept or Journal(server=settings.server, folder=folder)
        self._attempt = Attempt(journal, file, self._place, self._pmta, settings.verify_wait, ended)
        self._asking = Poster(settings, patience=settings.offer_wait)
        self._telling = Poster(settings)
        self._offer: Offer | None = None
        self._etag = ""
        self._open = False
        """The offer is still to be taken."""
        self._again = 0.0
        """When it may be tried, as `seconds`."""
        self._tries = 0
        self._looked = -settings.status_every
        self._seen = Seen([], [], {})
        self._asked = Asked()
        self._told: Applied | None = None
        self._told_at = 0.0
        self._failures = 0
        self._said = ""

    def run(self) -> None:
        """Until it is ended."""
        try:
            self.start()
            while not self._ended.is_set():
                self.tend()
                if not (self._tell() and self._ask()):
                    self._failures += 1
                    self._ended.wait(self._pause())
                else:
                    self._failures = 0
        except EndedError:
            pass
        finally:
            self._asking.close()
            self._telling.close()

    def interrupt(self) -> None:
        """Wait for control no longer: from a signal's handler."""
        self._asking.interrupt()
        self._telling.interrupt()

    def start(self) -> None:
        """Finish or undo what was begun; at the very first a first file that may be included before
        there is a version. Raises EndedError."""
        if self._is_new:
            try:
                self._place.prepare(EMPTY)
            except OSError as error:
                self._say(f"{error.filename}: {error.strerror}")
        self._attempt.recover()

    def given(self, offer: Offer, etag: str) -> None:
        """Control offers this one now."""
        self._offer, self._etag = offer, etag
        self._open, self._again, self._tries = True, 0.0, 0

    def report(self) -> Applied:
        """What there is to be told."""
        return applied(self._names, self._attempt.journal, self._place, self._offer, self._seen)

    def tend(self) -> None:
        """Take what is offered, and look, where either is due. Raises EndedError."""
        self._attempt.save()
        is_due = seconds() - self._looked >= self._settings.status_every
        if self._attempt.is_open and is_due:
            self._attempt.recover()
        if self._open and seconds() >= self._again:
            self._take()
            is_due = True
        if is_due:
            self._looked = seconds()
            self._seen = look(self._attempt, self._pmta, self._asked.queues)

    def _take(self) -> None:
        """Raises EndedError."""
        offer = self._offer
        assert offer is not None
        attempt = self._attempt
        if attempt.journal.trying is not None:
            # What was there before is not back yet.
            self._again = seconds() + self._settings.status_every
            return
        overwrite = offer.overwrite and attempt.journal.overwrote != self._etag
        if attempt.changed() and not overwrite:
            taken = attempt.leave(offer)
        else:
            attempt.take(offer)
            taken = not attempt.journal.step
            if taken and overwrite:
                attempt.spend(self._etag)
        # Told also when it ends as the one before did: somebody may wait for just that.
        self._told = None
        self._open = not taken
        if attempt.journal.step:
            self._tries += 1
            first, most = self._settings.again_first, self._settings.again_most
            self._again = seconds() + wait_behind(self._tries, first, most, 1.0)
        elif not taken:
            # Whoever changed the files may put them back.
            self._again = seconds() + self._settings.status_every

    def _tell(self) -> bool:
        """Whether control knows what it has to know."""
        report = self.report()
        if report == self._told and seconds() - self._told_at < self._settings.status_every:
            return True
        try:
            _, answer = self._telling.post(APPLIED, msgspec.json.encode(report), "application/json")
            self._asked = msgspec.json.decode(answer, type=Asked)
        except PostError as error:
            self._say(str(error))
            return False
        except msgspec.DecodeError as error:
            self._say(f"control's answer cannot be read ({error})")
            return False
        self._told, self._told_at = report, seconds()
        return True

    def _ask(self) -> bool:
        """Wait for another offer; whether control answered."""
        until = min(
            self._looked + self._settings.status_every,
            self._again if self._open else seconds() + self._settings.offer_wait,
        )
        wait = min(self._settings.offer_wait, max(0.0, until - seconds()))
        agent, server = self._names
        began = seconds()
        query = urlencode({"server": server, "agent": agent, "wait": f"{wait:.1f}"})
        try:
            answer = self._asking.get(f"{OFFER}?{query}", self._etag)
            if answer.status == 304 and seconds() - began < min(wait, self._settings.retry_first):
                # A control that ends does not wait.
                self._ended.wait(self._settings.retry_first)
            if answer.status == 200:
                self.given(msgspec.json.decode(answer.body, type=Offer), answer.etag)
        except PostError as error:
            if not self._ended.is_set():
                self._say(str(error))
            return False
        except msgspec.DecodeError as error:
            self._say(f"control's offer cannot be read ({error})")
            return False
        self._say("")
        return True

    def _pause(self) -> float:
        settings = self._settings
        chance = random.random()  # noqa: S311 - so that agents differ, not a secret
        wait = wait_behind(self._failures, settings.retry_first, settings.retry_most, chance)
        return min(wait, settings.status_every)

    def _say(self, text: str) -> None:
        """Once, until something else is to be said; '' when all is well again."""
        if text == self._said:
            return
        if text:
            log.warning("configuration: %s", text)
        else:
            log.info("configuration: following control")
        self._said = text
