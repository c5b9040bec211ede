"""What would happen, without doing it: `sendgate pmta agent --dry-run`.

Keys are named, never shown."""

import difflib
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from control.agent.applying.command import CommandError, Pmta
from control.agent.applying.journal import Journal, JournalFile
from control.agent.applying.place import Place
from control.agent.applying.shown import lacking
from control.agent.applying.version import Written, refusal, same, sha256
from control.agent.post import Poster, PostError
from control.pmta.offer import OFFER, Offer
from settings.agent import Agent


def shown(settings: Agent, name: str) -> list[str]:
    """Lines for an operator. Raises PostError and OSError."""
    folder = settings.configuration.rstrip("/")
    place = Place(Path(folder), settings.group)
    journal = JournalFile(Path(settings.state)).read(settings.server, folder)
    journal = journal or Journal(server=settings.server, folder=folder)
    offer = _offered(settings, name)
    running = journal.running
    lines = [f"{folder}: version {running.version or 'none'}, offered: {offer.version}"]
    by_hand = place.changed(running) if place.main.exists() else []
    lines += by_hand
    if by_hand:
        then = (
            "they are written over, as control asks for" if offer.overwrite else "nothing is done"
        )
        lines.append(f"files were changed by hand: {then}")
    if why := refusal(offer):
        return [*lines, f"it is refused: {why}"]
    if same(running, offer) and not by_hand:
        return [*lines, "nothing to do"]
    lines += _differences(place.texts(running), offer.files, running.version, offer.version)
    lines += _keys(running, offer)
    lines += _unknown(Pmta(settings, threading.Event()), offer)
    test = "`pmta test config`, " if settings.test else ""
    return [*lines, f"then: {test}`pmta reload`, `pmta show vmtas`"]


def _offered(settings: Agent, name: str) -> Offer:
    poster = Poster(settings)
    try:
        query = urlencode({"server": settings.server, "agent": name, "wait": "0", "look": "1"})
        answer = poster.get(f"{OFFER}?{query}", "")
        if answer.status == 304:
            raise PostError(
                f"control has no version for {settings.server} yet: it makes the first one when "
                "its agent asks (start the agent); `sendgate pmta config --server` shows it before"
            )
        return msgspec.json.decode(answer.body, type=Offer)
    except msgspec.DecodeError as error:
        raise PostError(f"control's offer cannot be read ({error})") from error
    finally:
        poster.close()


def _differences(
    before: dict[str, str], after: dict[str, str], running: int, version: int
) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        yield from difflib.unified_diff(
            before.get(name, "").splitlines(),
            after.get(name, "").splitlines(),
            f"{name} ({running})",
            f"{name} ({version})",
            lineterm="",
        )


def _keys(running: Written, offer: Offer) -> Iterator[str]:
    for name in sorted(running.keys.keys() | offer.keys.keys()):
        if name not in offer.keys:
            yield f"key {name} goes"
        elif name not in running.keys:
            yield f"key {name} is new"
        elif sha256(offer.keys[name].encode()) != running.keys[name]:
            yield f"key {name} is another one"


def _unknown(pmta: Pmta, offer: Offer) -> list[str]:
    try:
        lacks = lacking(pmta.vmtas(), offer.known)
    except CommandError as error:
        return [f"what PowerMTA runs is not known: {error}"]
    return [f"PowerMTA does not show {name} yet" for name in lacks]
