"""A list of the API comes in parts: `?limit=&sort=&after=`, answered with `Link: …; rel="next"`.

One way for all of them: a route says what names an entry, what it may be sorted by, and who cuts
it. Small lists (servers, jobs, what processes say of themselves) are cut here, of all entries that
the handler answers; of large ones the handler reads a part. Lists that had a parameter of their own
for where a part begins (`before`, or `after` with a name) take that still.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args
from urllib.parse import urlencode

import msgspec

from control.api.example import Examples
from control.problem import bad, quoted
from control.values.part import (
    MARK,
    CursorText,
    Key,
    Part,
    Slice,
    Value,
    cursor,
    cut,
    opened,
    sliced,
)
from control.values.query import MOST
from control.values.wanted import parts

_CURSOR = msgspec.json.schema(CursorText)
_NO_CURSOR = "is no cursor of a `Link`: give one as it came"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How a route's list is cut."""

    key: tuple[str, ...] = ()
    """Fields of an entry that name it; none: the entry is its name."""
    sorts: tuple[str, ...]
    """What it may be sorted by, fields of an entry; `-` before it: backwards. The first, unless
    something else is asked for."""
    rows: str = ""
    """The field of the answer that has the entries; '': the answer is the list."""
    own: Mapping[str, str] = {}
    """Order to the parameter by which the handler takes the key, and reads no more than the limit;
    none: it answers all there is, or a `Slice`."""
    joint: str = "/"
    """Between the fields of a key, where `own` takes them as one text."""
    told: Mapping[str, str] = {}
    """Order to the field of the answer that has what `own` takes for the part behind; none: the key
    of the last entry is that."""
    starts: Mapping[str, str] = {}
    """A parameter of `own` to what has to stand in it for the first part."""
    plain: Callable[[str], Key] | None = None
    """What may stand in `after` besides a cursor: the name of an entry, as callers give it who know
    no `Link`. Of no use where `own` is `after`: it takes that."""
    shown: Key = ()
    """A key for the document, where it is made of something else than what an entry shows."""
    usual: int = MOST
    """Entries, where no `limit` is given and no struct of the route says it."""


LIMIT = f"at most so many, 1 to {MOST}; {{}}"
AFTER = "the cursor in the `Link` of the part before"
SORT = "what it is sorted by; - before it: backwards"


def described(listing: Listing) -> dict[str, str]:
    """Parameter to its meaning."""
    named = listing.plain or "after" in listing.own.values()
    after = f"{AFTER}, or the name of its last entry" if named else AFTER
    return {"limit": LIMIT.format(listing.usual), "after": after, "sort": SORT}


def parameters(
    listing: Listing, known: Mapping[str, tuple[str, dict[str, Any]]], answer: Any
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The same with their schemas, beside `known`, those that the route's struct has; `answer`: the
    type of what it answers."""
    text, after = known["after"]
    made = _CURSOR | {"examples": [cursor(listing.sorts[0], _shown(listing, known, answer))]}
    if "after" in listing.own.values() and after != {"type": "string"}:
        after = {"anyOf": [after, made]}
    elif "after" not in listing.own.values() and not listing.plain:
        after = made
    elif after == {"type": "string"}:
        after = after | {"pattern": r"^[^\u0000]*$"}  # as `parameter.possible` has it
    sort = {"type": "string", "enum": list(listing.sorts)}
    return {"after": (text or AFTER, after), "sort": (known["sort"][0] or SORT, sort)}


def _shown(listing: Listing, known: Mapping[str, tuple[str, dict[str, Any]]], answer: Any) -> Key:
    """A key for the document: what the handler's own parameter takes, else what entries have."""
    if listing.shown:
        return listing.shown
    own = listing.own.get(listing.sorts[0], "")
    if own in known and known[own][1] != {"type": "string"}:
        return (Examples({}).of(known[own][1], own),)
    if listing.rows:
        answer = {f.name: f.type for f in msgspec.structs.fields(answer)}[listing.rows]
    [entry] = get_args(answer)
    first = listing.sorts[0].removeprefix("-")
    if not listing.key:
        return ("acme",)
    kinds = {f.name: parts(f.type)[0][0] for f in msgspec.structs.fields(entry)}
    return tuple(
        42 if kinds.get(name) in (int, float) else "acme"
        for name in dict.fromkeys((first, *listing.key))
    )


def asked(listing: Listing, query: dict[str, str]) -> Part:
    """The part that a query asks for, all but its limit; the query is left as the handler knows it.
    Raises RefusedError (400)."""
    text, sort = query.get("after"), query.get("sort")
    if sort is not None and sort not in listing.sorts:
        known = ", ".join(listing.sorts)
        raise bad("sort", f"{quoted(sort)} is not how this list can be sorted: expected {known}")
    key: Key | None = None
    if text is not None and text.startswith(MARK):
        of, key = opened(text)
        if sort is not None and of != sort:
            raise bad("sort", f"the cursor in `after` is of sort={of}: give that, or begin anew")
        if of not in listing.sorts:
            raise bad("after", f"it is a cursor of sort={of}, which this list does not know")
        sort = of
        del query["after"]
    elif text is not None and listing.plain:
        usual = sort or listing.sorts[0]
        if usual.removeprefix("-") not in listing.key:
            raise bad("after", f"sorted by {usual} it takes a cursor of a `Link` alone")
        key = listing.plain(text)
    elif text is not None and "after" not in listing.own.values():
        raise bad("after", f"{quoted(text)} {_NO_CURSOR}")
    sort = query["sort"] = sort or _meant(listing, query)
    _tell(listing, query, sort, key)
    return Part(sort=sort, after=key, limit=listing.usual)


def _meant(listing: Listing, query: Mapping[str, str]) -> str:
    """The order that is meant by the parameter that is given."""
    for sort, parameter in listing.own.items():
        if parameter in query:
            return sort
    return listing.sorts[0]


def _tell(listing: Listing, query: dict[str, str], sort: str, key: Key | None) -> None:
    parameter = listing.own.get(sort)
    if parameter is None:
        return
    if key is None:
        if parameter in listing.starts:
            query.setdefault(parameter, listing.starts[parameter])
        return
    if parameter in query:
        raise bad(parameter, "give it or `after`, not both")
    query[parameter] = listing.joint.join(map(str, key))


def found(listing: Listing, part: Part, answer: Any) -> tuple[Any, Key | None]:
    """(what is answered, the key of its last entry where more come)."""
    if isinstance(answer, Slice):
        return answer.entries, answer.after
    if told := listing.told.get(part.sort):
        behind = getattr(answer, told)
        return answer, None if behind in (None, "") else (behind,)
    entries = getattr(answer, listing.rows) if listing.rows else answer
    if listing.own:
        some = cut(entries, part.limit, [_key(listing.key, one) for one in entries])
    else:
        fields = (part.field, *(f for f in listing.key if f != part.field))
        fields = fields if listing.key else ()
        some = sliced(entries, part, [_key(fields, one) for one in entries])
    if not listing.rows:
        return some.entries, some.after
    return msgspec.structs.replace(answer, **{listing.rows: some.entries}), some.after


def told(made: msgspec.Raw) -> tuple[Key | None, msgspec.Raw]:
    """(the key where more come, the answer) of what was encoded of both."""
    key, answer = msgspec.json.decode(made, type=tuple[list[Value] | None, msgspec.Raw])
    return None if key is None else tuple(key), answer


def _key(fields: tuple[str, ...], entry: Any) -> Key:
    return tuple(getattr(entry, field) for field in fields) if fields else (entry,)


def link(path: str, query: Mapping[str, str], sort: str, key: Key) -> str:
    """A `Link` to the part behind that key (RFC 8288)."""
    kept = {name: text for name, text in query.items() if name not in ("before", "after", "sort")}
    target = urlencode({**kept, "sort": sort, "after": cursor(sort, key)})
    return f'<{path}?{target}>; rel="next"'
