"""One version as it lies on PowerMTA's host: what the agent wrote, and what it remembers of it.
Pure.

Rule: the texts are control's, octet for octet, but for the two folders that only this host knows.
"""

import hashlib
import re
from typing import NamedTuple

import msgspec

from control.pmta.fileset import MAIN, NAME, FileSet
from control.pmta.offer import FOLDER, KEYS, Offer

KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}")
"""Names of key files: no path."""
EMPTY = (
    "# Written by Sendgate's agent: no version yet. Include this file from PowerMTA's own\n"
    "# configuration; what it includes comes with the first version.\n"
)
"""The first file before there is a version: PowerMTA does not start where one that it includes is
missing."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A version in its folder."""

    version: int = 0
    """0: none, the first file is empty."""
    digest: str = ""
    """`FileSet.digest`, of the texts as control has them."""
    place: str = ""
    """Name of the folder in which its files lie."""
    main: str = EMPTY
    """The first file, as it lies there."""
    files: dict[str, str] = {}
    """The others, by name: SHA-256."""
    keys: dict[str, str] = {}
    known: list[str] = []
    """VirtualMTAs and pools that PowerMTA shows when it runs."""


class Texts(NamedTuple):
    """A version's files as they are written, by name."""

    main: str
    files: dict[str, str]
    keys: dict[str, str]


def refusal(offer: Offer) -> str:
    """Why it cannot be written; empty: it can."""
    if MAIN not in offer.files:
        return f"the offer has no {MAIN}"
    if wrong := sorted(name for name in offer.files if not NAME.fullmatch(name)):
        return f"{wrong[0]!r} is no name for a file of PowerMTA's"
    if wrong := sorted(name for name in offer.keys if not KEY_NAME.fullmatch(name)):
        return f"{wrong[0]!r} is no name for a key file"
    if FileSet(offer.files).digest != offer.digest:
        return "the offer's files are not those of its digest"
    if offer.keys and not any(KEYS in text for text in offer.files.values()):
        return f"the offer has keys, and no file of it names their folder ({KEYS})"
    return ""


def texts(offer: Offer, folder: str) -> Texts:
    """As they are written into `folder`."""
    placed = {
        name: text.replace(KEYS, f"{folder}/keys").replace(FOLDER, folder)
        for name, text in offer.files.items()
    }
    main = placed.pop(MAIN)
    return Texts(main, placed, dict(offer.keys))


def written(offer: Offer, place: str, found: Texts) -> Written:
    """What is to be remembered of it."""
    return Written(
        version=offer.version,
        digest=offer.digest,
        place=place,
        main=found.main,
        files={name: sha256(text.encode()) for name, text in found.files.items()},
        keys={name: sha256(text.encode()) for name, text in found.keys.items()},
        known=list(offer.known),
    )


def same(one: Written, offer: Offer) -> bool:
    """Whether the offer's files and keys are those of this version."""
    keys = {name: sha256(text.encode()) for name, text in offer.keys.items()}
    return one.version > 0 and (one.digest, one.keys) == (offer.digest, keys)


def unplaced(found: dict[str, str], folder: str) -> dict[str, str]:
    """What lies in `folder`, whoever wrote it, as control has it."""
    return {
        name: text.replace(f"{folder}/keys", KEYS).replace(folder, FOLDER)
        for name, text in found.items()
    }


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
