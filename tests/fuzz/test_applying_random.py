"""Offers, mishaps at random steps, PowerMTA that refuses, stops and is started, and files changed
by hand, in any order: what PowerMTA would read is always one version whole, and what the agent says
runs, runs."""

import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from control.pmta.offer import Applied, Offer
from tests.fuzz.budget import budget
from tests.support.pmta.mishap import Host, Life, Mishap
from tests.support.pmta.offering import offer_of

MISHAPS = st.none() | st.builds(
    Mishap, st.sampled_from(["kill", "broken", "full", "dead"]), st.integers(1, 80)
)
VMTAS = st.lists(st.sampled_from(["v1", "v2", "v3"]), unique=True, max_size=3)
RATES = st.sampled_from(["", "<domain a.example>\n    max-smtp-out 3\n</domain>\n"])
COMMANDS = ("test config", "reload")
MINE = "# mine\n"


class Applying(RuleBasedStateMachine):
    """One PowerMTA's host."""

    @initialize()
    def begin(self) -> None:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(dir=memory))
        self.host = Host(self.folder)
        self.offers: dict[int, Offer] = {}
        self.asked = False
        """Somebody asked to have files written over, and that may not be done yet."""
        self.refused: set[str] = set()
        self.down = False
        self.live()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def live(self, *offers: Offer, mishap: Mishap | None = None) -> Life:
        life = self.host.live(*offers, mishap=mishap)
        if life.said is not None:
            self.judge(life.said)
        return life

    def judge(self, said: Applied) -> None:
        """Whether what it says is so."""
        if said.running and not self.down:
            assert self.host.running() == self.host.wanted(self.offers[said.running])

    @rule(vmtas=VMTAS, text=RATES, mishap=MISHAPS, overwrite=st.booleans(), more=st.booleans())
    def offer(
        self, vmtas: list[str], text: str, mishap: Mishap | None, overwrite: bool, more: bool
    ) -> None:
        given = []
        for _ in range(1 + more):
            number = len(self.offers) + 1
            self.offers[number] = offer_of(number, *vmtas, text=text, overwrite=overwrite)
            given.append(self.offers[number])
        self.take(given, mishap)

    @rule(mishap=MISHAPS, overwrite=st.booleans(), back=st.integers(0, 2))
    def offer_again(self, mishap: Mishap | None, overwrite: bool, back: int) -> None:
        if self.offers:
            offer = self.offers[max(1, len(self.offers) - back)]
            self.take([msgspec.structs.replace(offer, overwrite=overwrite)], mishap)

    def take(self, given: list[Offer], mishap: Mishap | None) -> None:
        number, overwrite = given[-1].version, given[-1].overwrite
        before = self.is_mine
        self.asked |= overwrite
        said = self.live(*given, mishap=mishap).said
        assert self.is_mine or not before or self.asked, "written over, and nobody asked for it"
        if mishap is None and not (self.down or self.refused):
            assert said is not None
            # What was begun before is finished or undone by now.
            self.asked = False
            if overwrite or not self.is_mine:
                assert (said.running, said.state, said.drift) == (number, "running", [])
            else:
                assert (said.state, said.tried) == ("changed", number)

    @rule(mishap=MISHAPS)
    def start(self, mishap: Mishap | None) -> None:
        said = self.live(mishap=mishap).said
        if mishap is None and not (self.down or self.refused):
            assert said is not None
            assert said.running or not self.offers or said.state in ("none", "failed", "changed")
            if said.running:
                assert self.host.loaded() == self.host.running()

    @rule(command=st.sampled_from(COMMANDS), yes=st.booleans())
    def refuse(self, command: str, yes: bool) -> None:
        self.refused = self.refused | {command} if yes else self.refused - {command}
        self.host.pmta.put("refused.json", dict.fromkeys(self.refused, "Error: no"))

    @rule()
    def stop(self) -> None:
        self.host.pmta.put("down", "")
        self.down = True

    @rule()
    def restart(self) -> None:
        self.host.pmta.restart()
        self.down = False

    @rule(all_of_it=st.booleans())
    @precondition(lambda self: not self.is_mine)
    def change_by_hand(self, all_of_it: bool) -> None:
        said = self.live().said
        assert said is not None
        file = self.read[0 if all_of_it else -1]
        file.write_text(file.read_text() + MINE)

    @rule()
    @precondition(lambda self: self.is_mine)
    def put_back_by_hand(self) -> None:
        for file in self.read:
            file.write_text(file.read_text().replace(MINE, ""))

    @invariant()
    def what_would_be_read_is_one_version_whole(self) -> None:
        if hasattr(self, "host"):
            wholes = {self.host.wanted(offer) for offer in (None, *self.offers.values())}
            assert self.host.loaded() in wholes
            if not self.down and self.host.running():
                assert self.host.running() in wholes

    @property
    def read(self) -> list[Path]:
        """Files that PowerMTA reads: the first one, and one of those that it includes."""
        main = self.host.folder / "sendgate.conf"
        others = self.host.folder.rglob("more.conf")
        return [main, *(f for f in others if f"{f.parent}/" in main.read_text())]

    @property
    def is_mine(self) -> bool:
        """Whether one of them was changed by hand."""
        return any(MINE in file.read_text() for file in self.read)


TestApplying = Applying.TestCase
TestApplying.settings = settings(
    budget(), max_examples=budget().max_examples // 15, stateful_step_count=12
)
