"""What control is told of PowerMTA's configuration: what runs, what is not as it was written."""

from typing import NamedTuple

from control.agent.applying.attempt import Attempt
from control.agent.applying.command import CommandError, Pmta
from control.agent.applying.journal import Journal
from control.agent.applying.place import Place
from control.agent.applying.shown import counted, lacking, paused, queues
from control.agent.applying.version import Written
from control.pmta.fileset import MAIN, FileSet
from control.pmta.offer import Applied, Offer, State

_MOST = 100
"""Sentences that are told."""


class Seen(NamedTuple):
    """One look at this host."""

    by_hand: list[str]
    """What was changed by hand: sentences."""
    lacks: list[str]
    """What PowerMTA does not run, or does not say."""
    queued: dict[str, int]


def look(attempt: Attempt, pmta: Pmta, wanted: list[str]) -> Seen:
    """At the files, and at what PowerMTA says; `wanted`: VirtualMTAs whose queues are counted.
    Raises EndedError."""
    running = attempt.journal.running
    lacks: list[str] = []
    counts: dict[str, int] = {}
    try:
        if running.known:
            lacks += [
                f"PowerMTA does not show {name}" for name in lacking(pmta.vmtas(), running.known)
            ]
        if running.known or wanted:
            found = queues(pmta.queues())
            if found is not None:
                lacks += paused(found, running.known)
                counts = counted(found, wanted)
    except CommandError as error:
        lacks.append(f"what PowerMTA runs is not known: {error}")
    return Seen(attempt.changed(), lacks, counts)


def applied(
    names: tuple[str, str], journal: Journal, place: Place, offer: Offer | None, seen: Seen
) -> Applied:
    """`names`: of the agent and of its server."""
    running = journal.running
    sentences = [*seen.by_hand, *_unloaded(journal), *seen.lacks]
    if len(sentences) > _MOST:
        sentences[_MOST - 1 :] = [f"and {len(sentences) - _MOST + 1} more"]
    # What PowerMTA may not have loaded again is not known to run.
    known = not journal.told and journal.trying is None
    return Applied(
        agent=names[0],
        server=names[1],
        state=_state(journal, offer, seen),
        running=running.version if known else 0,
        digest=_digest(place, running, seen),
        tried=journal.tried,
        step=journal.step,
        problem=journal.problem,
        drift=sentences,
        queued=seen.queued,
    )


def _state(journal: Journal, offer: Offer | None, seen: Seen) -> State:
    last = offer is None or (offer.version, offer.digest) == (journal.tried, journal.tried_digest)
    if journal.step and last:
        return "failed"
    if seen.by_hand:
        return "changed"
    return "running" if journal.running.version else "none"


def _digest(place: Place, running: Written, seen: Seen) -> str:
    if not seen.by_hand:
        return running.digest
    found = place.texts(running)
    return FileSet(found).digest if MAIN in found else ""


def _unloaded(journal: Journal) -> list[str]:
    if journal.trying is not None:
        return [f"{MAIN} is still version {journal.trying.version}'s: it cannot be put back"]
    if journal.told:
        running = journal.running.version
        former = f"version {running}" if running else "what was there before"
        return [f"PowerMTA may run version {journal.tried}: it has not loaded {former} again"]
    return []
