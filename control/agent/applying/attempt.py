"""An offered version is brought into force, or everything is as it was. What runs is one version
whole, whatever ends this process, and at which step.

Steps: write the version's folder, put its first file in force, `pmta test config`, `pmta reload`,
and see that PowerMTA shows its VirtualMTAs. Where one fails, the former first file is put back, and
PowerMTA loads it again if it may have loaded the new one. Each is noted in the journal before it is
begun; a start finishes what was at `reload` or later and undoes what was before.
"""

import contextlib
import logging
import threading

import msgspec

from control.agent.applying.command import CommandError, EndedError, Pmta
from control.agent.applying.journal import Journal, JournalFile, Stage
from control.agent.applying.place import Place
from control.agent.applying.shown import lacking
from control.agent.applying.version import Written, refusal, same, texts, written
from control.agent.memory import seconds
from control.pmta.offer import Offer, Step

log = logging.getLogger(__name__)

_KEPT = 2
"""Folders of former versions that are kept: PowerMTA may be reading one."""
_AGAIN = 1.0
"""Seconds between two looks whether PowerMTA shows a version."""
_FEW = 5


class Attempt:
    """Of one PowerMTA; one at a time. `ended`: set from outside."""

    def __init__(
        self,
        journal: Journal,
        file: JournalFile,
        place: Place,
        pmta: Pmta,
        verify_wait: float,
        ended: threading.Event,
    ) -> None:
        self.journal = journal
        self._file = file
        self._place = place
        self._pmta = pmta
        self._verify_wait = verify_wait
        self._ended = ended
        self._noted = True
        """The journal on the disk is this one."""
        self._said = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be finished or undone (`recover`)."""
        return self.journal.trying is not None or self.journal.told

    def changed(self) -> list[str]:
        """What does not lie there as it was written: sentences."""
        try:
            found = self._place.changed(self.journal.running)
        except OSError as error:
            return [f"cannot be read: {_said(error)}"]
        if not found or self.journal.running.version:
            return found
        main = self._place.main
        # A first file that is yet to be made is nobody's doing.
        return [f"{main} is not the agent's, or its memory is lost"] if main.exists() else []

    def take(self, offer: Offer) -> None:
        """Bring it into force. Raises EndedError; what became of it is in `journal`."""
        self._begin(offer)
        if same(self.journal.running, offer) and not self.changed():
            known = msgspec.structs.replace(
                self.journal.running, version=offer.version, known=list(offer.known)
            )
            self._try_note(running=known)
            return
        if why := refusal(offer):
            self._undo("write", why)
            return
        try:
            trying = self._write(offer)
        except OSError as error:
            self._undo("write", _said(error))
            return
        self._go_on(trying, "test")

    def leave(self, offer: Offer) -> bool:
        """Files were changed by hand: nothing is done, unless the offered ones lie there already,
        and this agent has lost its memory of them. Then PowerMTA loads them. Raises EndedError."""
        self._begin(offer)
        if self.journal.running.version:
            return False
        try:
            place = self._place.named()
            found = written(offer, place, texts(offer, str(self._place.path(place))))
            if not place or self._place.changed(found):
                return False
            self._note(trying=found, stage="reload")
        except OSError:
            self.journal = msgspec.structs.replace(self.journal, trying=None, stage="")
            return False
        self._go_on(found, "reload")
        return not self.journal.step

    def recover(self) -> None:
        """Finish or undo what was begun. Raises EndedError."""
        trying, stage = self.journal.trying, self.journal.stage
        if trying is None:
            if self.journal.told:
                self._load_former()
        elif stage == "reload" and self._place.holds(trying):
            self._go_on(trying, "reload")
        elif stage == "write":
            # Nothing that PowerMTA reads was touched.
            self._try_note(trying=None, stage="")
            self._discard()
        else:
            self._undo(
                self.journal.step or "test",
                self.journal.problem or "the agent was ended before PowerMTA had tested it",
            )

    def spend(self, etag: str) -> None:
        """This offer has written over what was changed by hand, and does not do so again."""
        self._try_note(overwrote=etag)

    def save(self) -> None:
        """Note again what a full disk did not take."""
        if not self._noted:
            self._try_note()

    def _begin(self, offer: Offer) -> None:
        self.journal = msgspec.structs.replace(
            self.journal, tried=offer.version, tried_digest=offer.digest, step="", problem=""
        )

    def _write(self, offer: Offer) -> Written:
        """Raises OSError."""
        self._place.prepare(self.journal.running.main)
        place = self._place.free(offer.version)
        found = texts(offer, str(self._place.path(place)))
        trying = written(offer, place, found)
        former = [self._place.named(), self.journal.running.place, *self.journal.former]
        kept = [place for place in dict.fromkeys(former) if place][:_KEPT]
        self._note(trying=trying, stage="write", former=kept)
        self._place.write(place, found)
        self._note(stage="test")
        self._place.switch(place)
        return trying

    def _go_on(self, trying: Written, stage: Stage) -> None:
        """From a version whose first file is in force. Raises EndedError."""
        step: Step = "test"
        try:
            if stage == "test":
                self._pmta.test()
                self._note(stage="reload")
            step = "reload"
            self._pmta.reload()
            step = "verify"
            self._verify(trying)
        except CommandError as error:
            loadable = not (step == "test" and error.names_a_line)
            self._undo(step, str(error), loadable=loadable)
        except OSError as error:
            self._undo("write", _said(error))
        except EndedError:
            if step == "test":
                self._undo(step, "the agent was ended")
            # Else the next start sees to it that PowerMTA shows it.
            raise
        else:
            self._try_note(running=trying, trying=None, stage="", told=False)
            log.info("version %d of PowerMTA's configuration runs", trying.version)
            self._discard()

    def _verify(self, trying: Written) -> None:
        """Raises CommandError and EndedError."""
        until = seconds() + self._verify_wait
        while problem := self._unseen(trying):
            if seconds() >= until:
                raise CommandError(problem)
            if self._ended.wait(_AGAIN):
                raise EndedError

    def _unseen(self, trying: Written) -> str:
        """Why it is not known to run; empty: it runs. Raises EndedError."""
        try:
            lacks = lacking(self._pmta.vmtas(), trying.known)
        except CommandError as error:
            return str(error)
        if not lacks:
            return ""
        more = f" and {len(lacks) - _FEW} more" if len(lacks) > _FEW else ""
        line = f"`include {self._place.main}`"
        names = f"PowerMTA does not show {', '.join(lacks[:_FEW])}{more}"
        if len(lacks) == len(trying.known):
            return f"add the line {line} to PowerMTA's own configuration: {names}"
        return f"{names}; its own configuration has to have the line {line}"

    def _undo(self, step: Step, problem: str, *, loadable: bool = True) -> None:
        """Put the former version back. `loadable`: PowerMTA may have loaded the other one."""
        trying = self.journal.trying
        log.error("version %d, step %s: %s", self.journal.tried, step, problem)
        if trying is None or self.journal.stage == "write":
            self._try_note(trying=None, stage="", step=step, problem=problem)
            self._discard()
            return
        # On a full disk it cannot be noted; a start then puts back what is back already.
        self._try_note(stage="back", step=step, problem=problem)
        try:
            self._place.back(trying.place)
        except OSError as error:
            log.critical("cannot put the former version back: %s", _said(error))
            return
        # Not only where a reload was tried: whoever started PowerMTA meanwhile loaded the other.
        self._try_note(trying=None, stage="", told=loadable)
        self._discard()
        if loadable and not self._ended.is_set():
            self._load_former()

    def _load_former(self) -> None:
        try:
            self._pmta.reload()
        except CommandError as error:
            # Once, until something else is to be said: it is tried each minute.
            if self._said != str(error):
                log.error("PowerMTA has not loaded the former version again: %s", error)
            self._said = str(error)
        else:
            self._said = ""
            self._try_note(told=False)

    def _discard(self) -> None:
        """Folders that nobody reads any more."""
        journal = self.journal
        with contextlib.suppress(OSError):
            keep = {journal.running.place, self._place.named(), *journal.former}
            self._place.discard(keep | ({journal.trying.place} if journal.trying else set()))

    def _note(self, **changes: object) -> None:
        """Raises OSError."""
        self.journal = msgspec.structs.replace(self.journal, **changes)
        self._noted = False
        self._file.write(self.journal)
        self._noted = True

    def _try_note(self, **changes: object) -> None:
        with contextlib.suppress(OSError):
            self._note(**changes)


def _said(error: OSError) -> str:
    said = error.strerror or str(error)
    return f"{error.filename}: {said}" if error.filename else said
