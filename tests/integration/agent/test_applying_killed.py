"""Whatever ends the agent, or fails, at whichever step: PowerMTA, started at that moment, reads one
version whole, and the agent's next start finishes or undoes it and says which one runs."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.pmta.mishap import Host, Mishap
from tests.support.pmta.offering import offer_of

ONE = offer_of(1, "v1", "v2")
TWO = offer_of(2, "v2", "v3")
RATES = offer_of(2, "v1", "v2", text="<domain a.example>\n    max-smtp-out 3\n</domain>\n")
ONE_AGAIN = offer_of(1, "v1", "v2", overwrite=True)
BY_HAND = offer_of(2, "v2", "v3", overwrite=True)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one: what is synced to a disk takes its time."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        yield Path(name)


def nothing(host: Host) -> None:
    """Is in the way."""


def by_hand(host: Host) -> None:
    main = host.folder / "sendgate.conf"
    main.write_text(main.read_text() + "# mine\n")


def refused(command: str) -> Callable[[Host], None]:
    def put(host: Host) -> None:
        host.pmta.put("refused.json", {command: "Error in line 1 of x: no"})

    return put


def unseen(host: Host) -> None:
    host.pmta.put("answers.json", {"show vmtas": {"vmta": ["v1", "v2"]}})


CASES = {
    "taken": (nothing, TWO),
    "by hand": (by_hand, BY_HAND),
    "the same, by hand": (by_hand, ONE_AGAIN),
    "test refused": (refused("test config"), TWO),
    "reload refused": (refused("reload"), TWO),
    "not shown": (unseen, TWO),
    # PowerMTA shows the same names whichever runs.
    "rates refused": (refused("reload"), RATES),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kill", "broken", "full", "dead"])
@pytest.mark.parametrize("case", CASES)
def test_at_each_step(memory: Path, case: str, kind: str) -> None:
    prepare, offer = CASES[case]
    # Errors at some steps alone: between two of them nearly all is alike, and each costs time.
    apart = {"kill": 1, "full": 3}.get(kind, 5)
    step = 1 - apart
    while True:
        step += apart
        host = Host(memory / str(step))
        assert host.live(ONE).said.running == 1  # type: ignore[union-attr]
        assert host.pmta.restart() == host.pmta.running
        prepare(host)
        wholes = {host.wanted(ONE), host.wanted(offer)}
        life = host.live(offer, mishap=Mishap(kind, step))  # type: ignore[arg-type]
        # Whoever starts PowerMTA now.
        assert host.loaded() in wholes, f"step {step}"
        assert host.running() in wholes, f"step {step}"
        if step % 2:
            host.pmta.restart()
        host.pmta.put("refused.json", {})
        host.pmta.put("answers.json", {})
        # A start without control: one version, known, and PowerMTA runs it.
        said = host.live().said
        assert said is not None
        version = ONE if said.running == 1 else offer
        assert host.loaded() == host.running() == host.wanted(version), f"step {step}"
        if prepare is not by_hand:
            assert (said.digest, said.drift) == (version.digest, []), f"step {step}"
        # And what is offered comes into force.
        said = host.live(offer).said
        assert said is not None
        assert (said.running, said.state, said.drift) == (offer.version, "running", []), (
            f"step {step}"
        )
        assert host.loaded() == host.running() == host.wanted(offer)
        if life.steps and life.steps < step:
            break
    assert step > 20
