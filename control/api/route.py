"""A route as a value: the application and the OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from control.api.listing import Listing, described
from control.api.precondition import Condition
from control.plan.changed import Changed, Still, V, sure
from control.plan.done import Change, Done
from control.plan.publish import Publisher
from control.problem import RefusedError, bad, quoted
from control.users.role import Holder
from control.values.part import Part
from control.values.query import MOST, flag
from control.values.reason import LONGEST


@dataclass(frozen=True)
class Call:
    """One request, decoded."""

    who: str
    path: dict[str, str]
    query: dict[str, str]
    body: Any
    wanted: Any = None
    """The query as the route's struct has it."""
    holder: Holder | None = None
    """Who asks; None: nobody who is known, at a public route."""
    address: str = ""
    """Where it comes from."""
    still: Still | None = None
    """Raises RefusedError where what a tenant's token names is not its any more, or what is there
    is not what the asker saw. Given the connection of the act, under its lock."""
    condition: Condition | None = None
    """The second of these by itself."""

    part: Part | None = None
    """Of a list: which part of it."""

    @property
    def parted(self) -> Part:
        """The part that is asked for, by a route that has a `listing`."""
        assert self.part is not None
        return self.part

    @property
    def asker(self) -> Holder:
        """Who asks, where nobody unknown may. Raises RefusedError."""
        if self.holder is None:
            raise RefusedError("nobody is known to ask", status=401)
        return self.holder

    @property
    def dry(self) -> bool:
        """Whether the change is only to be tried."""
        return self._flag("dry_run")

    @property
    def force(self) -> bool:
        """Whether what is only risky is to be done all the same."""
        return self._flag("force")

    def _flag(self, name: str) -> bool:
        text = self.query.get(name, "")
        # Who writes `dry_run=True` wants nothing changed.
        try:
            return bool(text) and flag(text)
        except ValueError as error:
            raise bad(name, str(error)) from None

    @property
    def reason(self) -> str:
        """For the audit log."""
        found = self.query.get("reason", "")
        if len(found) > LONGEST:
            raise bad("reason", f"expected at most {LONGEST} characters")
        return found

    def number(self, name: str, default: int, most: int, *, least: int = 0) -> int:
        """A number of the query. Raises RefusedError."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (
            text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most
        ):
            span = f"from {least} to {most}" if least else f"up to {most}"
            raise bad(name, f"{quoted(text)} is not a number {span}")
        return int(text)


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Thing:
    """What a GET shows, where it can be changed: it is answered with an `ETag`, which its changes
    take (control/api/tagged.py)."""

    read: Callable[[Call, Any], Awaitable[Any]]
    """The same over a change's connection; what is measured may be missing. It may lock."""
    measured: frozenset[str] = frozenset()
    """Fields that nobody sets, dotted for inner ones: a change that saw other values of them is of
    the same thing."""
    which: frozenset[str] = frozenset()
    """Of a list: parameters of the query that say which of its entries a change is of."""
    there: Callable[[Any], bool] = lambda _: True
    """Whether what was read is there for `*`: what is shown of a mailbox without limits is not."""


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    summary: str
    handler: Handler
    answer: Any
    """Type of the answer; `str` answers plain text."""
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    """Query parameter to its description; others are refused."""
    needed: frozenset[str] = frozenset()
    """Query parameters without which it is refused."""
    wanted: Any = None
    """A struct whose fields are parameters too, each with its bounds and its meaning."""
    public: bool = False
    tagged: bool = False
    """Answered with an `ETag`, and by 304 where the asker has it."""
    thing: Thing | None = None
    """The same, and the tag is taken by changes."""
    secret: bool = False
    """It shows a secret: it is never packed (control/api/coding.py)."""
    written: bool = False
    """A read that is written down with who asked: each is one of its own."""
    text: bool = False
    """It may be asked to answer in plain text, too."""
    status: int = 200
    listing: Listing | None = None
    """Its answer comes in parts."""

    def __post_init__(self) -> None:
        """Knows the parameters of its struct by name."""
        if self.wanted is not None:
            named = {f.encode_name: "" for f in msgspec.structs.fields(self.wanted)}
            object.__setattr__(self, "query", {**named, **self.query})
        if self.listing is not None:
            object.__setattr__(self, "query", {**described(self.listing), **self.query})


def limited(listing: Listing, part: Part, call: Call) -> Call:
    """With how many are asked for. A handler that reads no more than that reads one more: whether
    there is any is what the answer says. Raises RefusedError."""
    limit = getattr(call.wanted, "limit", None)
    if limit is None:
        limit = call.number("limit", listing.usual, MOST, least=1)
    part = msgspec.structs.replace(part, limit=limit)
    wanted = call.wanted
    if hasattr(wanted, "limit") and not listing.told:
        wanted = msgspec.structs.replace(wanted, limit=limit + 1)
    return replace(call, part=part, wanted=wanted)


DRY = {"dry_run": "1: show what would happen, change nothing"}
GONE = {**DRY, "reason": "for the audit log"}
FORCED = {**GONE, "force": "1: although it is risky; the refusal says what is risked"}


async def changed(publisher: Publisher, call: Call, change: Change[V]) -> Changed[V]:
    """Run a change for a request and answer with what it left."""
    return answer(await publisher.change(call.who, sure(change, call.still), dry=call.dry))


def answer(done: Done[V]) -> Changed[V]:
    """What was done, as it is answered."""
    return Changed(
        view=done.result,
        generation=done.generation,
        late=done.late,
        dry_run=done.dry,
        changed=done.changed,
        notes=done.notes,
        differences=done.differences,
    )
