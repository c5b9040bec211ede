"""A part of a list, and where the one before it ended.

Rule: a part begins behind a key, never at a count of entries: what is added or taken away before it
moves nothing, and no entry is seen twice or missed. The key goes out and comes back as one text, a
cursor, which says what the list is sorted by, too: behind a key of one order lies nothing certain
of another.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from control.problem import bad, quoted
from control.values.name import UNPRINTABLE

E = TypeVar("E")

_CONTROL = re.compile(f"[{UNPRINTABLE}]")

MARK = "~"
"""Before a cursor: no name of a tenant, a pool, a domain or an IP begins so."""
LONGEST = 4_000
CursorText = Annotated[str, msgspec.Meta(pattern=f"^{MARK}[A-Za-z0-9_-]+$", max_length=LONGEST)]

Value = str | int | float | None
Key = tuple[Value, ...]
"""What an entry is sorted by, and then its name."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Which part is asked for."""

    sort: str
    """A field, with `-` before it: backwards."""
    after: Key | None = None
    """The key before it; None: from the first on."""
    limit: int
    """Entries, at most."""

    @property
    def field(self) -> str:
        """What it is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def backwards(self) -> bool:
        """Whether the last one comes first."""
        return self.sort.startswith("-")


class Slice(msgspec.Struct, Generic[E], frozen=True):
    """A part of a list, as who reads the rows answers it."""

    entries: list[E]
    after: Key | None
    """The key of its last entry; None: nothing comes behind it."""


def cursor(sort: str, key: Sequence[Value]) -> str:
    """What `opened` reads."""
    text = base64.urlsafe_b64encode(msgspec.json.encode([sort, *key])).decode()
    return MARK + text.rstrip("=")


def opened(text: str) -> tuple[str, Key]:
    """(what it is sorted by, the key). Raises RefusedError."""
    try:
        if len(text) > LONGEST:
            raise ValueError
        octets = base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), b"-_", validate=True)
        sort, *key = msgspec.json.decode(octets, type=list[Value])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise bad(
            "after", f"{quoted(text)} is no cursor of a `Link`: give one as it came"
        ) from None
    texts = [one for one in key if isinstance(one, str)]
    if not isinstance(sort, str) or not key or any(map(_CONTROL.search, texts)):
        raise bad("after", f"{quoted(text)} is no cursor of a `Link`: give one as it came")
    return sort, tuple(key)


def sliced(entries: Sequence[E], part: Part, keys: Sequence[Key]) -> Slice[E]:
    """Of a whole list, with the key of each entry: sorted and cut. Entries of one key belong
    together: they count as one."""
    ordered = sorted(
        zip(map(_comparable, keys), keys, range(len(entries)), strict=True),
        key=lambda one: one[0],
        reverse=part.backwards,
    )
    if part.after is not None:
        at = _comparable(part.after)
        ordered = [o for o in ordered if (o[0] < at if part.backwards else o[0] > at)]
    return cut([entries[o[2]] for o in ordered], part.limit, [o[1] for o in ordered])


def cut(entries: Sequence[E], limit: int, keys: Sequence[Key]) -> Slice[E]:
    """The first so many of a list, which are in order, and whether more come."""
    seen: Key | None = None
    count = 0
    for at, key in enumerate(keys):
        if key != seen:
            if count == limit:
                return Slice(list(entries[:at]), seen)
            seen, count = key, count + 1
    return Slice(list(entries), None)


def _comparable(key: Sequence[Any]) -> tuple[Any, ...]:
    """In one order with every other of the list: what is not there comes first."""
    return tuple(
        (0, 0, "") if v is None else (2, 0, v) if isinstance(v, str) else (1, v, "") for v in key
    )
