"""An address in texts, however it is spelt there, and texts without it. Pure.

Found in records, CSV and JSON alike: as `local@domain` and, as bounce addresses have it (VERP), as
`local=domain`; without case, for remote hosts repeat an address in one of theirs.
"""

import json
import re
from collections.abc import Iterable, Iterator

from policy.address import recipient_name, recipient_spellings

FORGOTTEN = "(forgotten)"
"""Stands where an address was. No character of it has a meaning in CSV or JSON."""

_ADDRESS = re.compile(rb"[^\s<>()\[\]\",;:@\\]+@[^\s<>()\[\]\",;:@\\]+")
# Behind these an address has not begun; behind a line break that JSON writes as a letter it has.
_NOT_BEHIND = rb"(?:(?<=\\[nrtbf])|(?<![A-Za-z0-9!#$%&*+/?^_`{|}~.\x80-\xff-]))"
_NOT_BEHIND_VERP = rb"(?:(?<=\\[nrtbf])|(?<![A-Za-z0-9._\x80-\xff]))"
_NOT_BEFORE = rb"(?![A-Za-z0-9\x80-\xff-]|\.[A-Za-z0-9\x80-\xff])"


class Traces:
    """Of one address, in each of `spelt`."""

    def __init__(self, spelt: Iterable[str]) -> None:
        """Those that are no addresses leave none."""
        found = [one for text in spelt for one in _patterns(text)]
        self._pattern = re.compile(b"|".join(found) or b"(?!)", re.IGNORECASE)
        needles = {_needle(text) for text in spelt}
        self._needles = None if None in needles else tuple(n for n in needles if n is not None)

    def out_of(self, content: bytes) -> bytes:
        """The same object where there is none of it."""
        if self._needles is not None:
            lowered = content.lower()
            if not any(needle in lowered for needle in self._needles):
                return content
        found, count = self._pattern.subn(FORGOTTEN.encode(), content)
        return found if count else content

    def out_of_text(self, text: str) -> str:
        """As `out_of`; octets that were no UTF-8 stay."""
        content = self.out_of(text.encode("utf-8", "surrogateescape"))
        return content.decode("utf-8", "surrogateescape")


def addresses(content: bytes) -> Iterator[str]:
    """Whatever may be one."""
    for match in _ADDRESS.finditer(content):
        # Quotes and `mailto=` stand before one, a full stop behind it.
        text = match.group().decode("utf-8", "surrogateescape").strip("'`.")
        yield text.rpartition("=")[2] if "=" in text.partition("@")[0] else text


def known_as(address: str) -> str:
    """By which its digest is made: in one spelling, without case."""
    return recipient_name(address.strip()).lower()


def _needle(address: str) -> bytes | None:
    """What every spelling holds, in lower case; None where octets have no case to compare in."""
    local = address.rpartition("@")[0]
    plain = local.isascii() and not any(sign in local for sign in '"\\')
    return local.lower().encode() if plain else None


def _patterns(address: str) -> Iterator[bytes]:
    found = recipient_spellings(address)
    if found is None:
        return
    locals_ = _written(found[0][:-1])
    domains = _written(*found[1])
    for before, sign in ((_NOT_BEHIND, b"@"), (_NOT_BEHIND_VERP, b"=")):
        yield b"%b(?:%b)%b(?:%b)%b" % (before, locals_, sign, domains, _NOT_BEFORE)


def _written(*texts: bytes) -> bytes:
    """As they stand in plain text, JSON with and without letters beyond ASCII, and CSV."""
    found = set()
    for octets in texts:
        text = octets.decode()
        quoted = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
        found |= {text, *quoted, text.replace('"', '""')}
    longest = sorted(found, key=lambda text: (-len(text), text))
    return b"|".join(re.escape(text.encode()) for text in longest)
