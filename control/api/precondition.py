"""`If-Match` and `If-None-Match` (RFC 9110, 13): a change is of what its asker saw, or not made.

A tag is `"SET"`, or `"SET.ALL"` where a thing shows what is measured, too (mail sent today, a last
use): SET is of what somebody sets, ALL of every octet that was answered. So a tag is strong, and
304 is said of the whole; but what a change is compared with is SET alone, because under traffic
ALL is another one every second, and nobody could change an IP that sends.
Rule: a change compares in its own transaction and under its lock, where nobody else changes the
same; the door only reads the headers. Of two that saw the same, one is made, the other refused.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from control import kinds
from control.plan.view import Reader
from control.problem import RefusedError

MATCH, NONE_MATCH = "If-Match", "If-None-Match"

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\U0010ffff]*)"\s*')
"""An entity-tag; a comma may be in it."""


@dataclass(frozen=True)
class Tags:
    """What one of the two headers names."""

    any: bool
    """`*`: whatever there is."""
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """For weak comparison (8.8.3.2)."""
        return self.strong | self.weak


def tags(given: Iterable[str]) -> Tags | None:
    """Of all lines of a header, None for none. What is no list of tags names no tag that there is:
    a condition that cannot be read must not be taken for none. Pure."""
    lines = list(given)
    if not lines:
        return None
    text = ",".join(lines)
    if text.strip() == "*":
        return Tags(any=True)
    found: dict[str, set[str]] = {"": set(), "W/": set()}
    at = 0
    while at < len(text):
        match = _TAG.match(text, at)
        end = text.find(",", at) if match is None else match.end()
        if match is not None and text[end : end + 1] in ("", ","):
            found[match[1] or ""].add(match[2])
        at = len(text) if end < 0 else end + 1
    return Tags(any=False, strong=frozenset(found[""]), weak=frozenset(found["W/"]))


class PreconditionError(RefusedError):
    """What is there is not what the asker saw (412)."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail, kind=kinds.CHANGED_SINCE, field=field)


class NeededError(RefusedError):
    """A change that needs a condition came without one (428, RFC 6585, 3)."""

    def __init__(self, why: str, of: str) -> None:
        """`of`: the path whose GET has the tag, which need not be the one that was asked."""
        detail = f"{why}, and came without {MATCH}"
        fix = f"send {MATCH} with the ETag that GET {of} answers, or * to write over it"
        super().__init__(detail, kind=kinds.CONDITION_NEEDED, field=MATCH, fix=fix)


Read = Callable[[Reader], Awaitable[Any]]


@dataclass(frozen=True)
class Condition:
    """Of one change: call it in its transaction, under its lock. `read`: what is there, as GET
    shows it but for what is measured."""

    match: Tags | None
    none_match: Tags | None
    read: Read
    measured: Collection[str]
    there: Callable[[Any], bool]

    async def __call__(self, connection: Reader) -> None:
        """Raises RefusedError: 412, or what says that there is no such thing (13.2.1)."""
        try:
            found = await self.read(connection)
        except RefusedError as error:
            if error.status == 404 and self.match is None:
                return
            raise
        there, now = self.there(found), settled(found, self.measured)
        match = self.match
        if match is not None and match.weak and not (match.any or match.strong):
            raise PreconditionError(
                "a weak tag is of a part of a list, which no change is held against: ask for all "
                "of it, with no cursor and no other filter; nothing was changed",
                MATCH,
            )
        if self.match is not None and not (
            there if self.match.any else now in map(of_set, self.match.strong)
        ):
            raise PreconditionError(
                "it is not there yet: nothing was changed"
                if self.match.any
                else "it is not as it was when it was read: nothing was changed, and its ETag is "
                "another now",
                MATCH,
            )
        if self.none_match is not None and (
            there if self.none_match.any else now in map(of_set, self.none_match.all)
        ):
            raise PreconditionError("it is there: nothing was changed", NONE_MATCH)

    async def go_on(self, connection: Reader) -> "Condition":
        """The same of what is there now, for a change of several transactions."""
        now = settled(await self.read(connection), self.measured)
        return replace(self, match=Tags(any=False, strong=frozenset({now})), none_match=None)


def settled(shown: Any, measured: Collection[str] = ()) -> str:
    """SET of what is shown, encoded or not; `measured`: fields, dotted for inner ones. Pure."""
    return _digest(msgspec.json.encode(unmeasured(shown, measured), order="deterministic"))


def unmeasured(shown: Any, measured: Collection[str] = ()) -> Any:
    """What somebody sets of what is shown, as JSON has it. Pure."""
    encoded = isinstance(shown, msgspec.Raw)
    found = msgspec.json.decode(shown) if encoded else msgspec.to_builtins(shown)
    for path in measured:
        _leave_out(found, path.split("."))
    return found


def _leave_out(found: Any, path: list[str]) -> None:
    if isinstance(found, list):
        for one in found:
            _leave_out(one, path)
    elif isinstance(found, dict):
        if len(path) == 1:
            found.pop(path[0], None)
        else:
            _leave_out(found.get(path[0]), path[1:])


def whole(body: bytes) -> str:
    """ALL of an answer. Pure."""
    return _digest(body)


def of_set(tag: str) -> str:
    """SET of a tag, which may be of a coded answer. Pure."""
    return re.split("[.-]", tag, maxsplit=1)[0]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]
