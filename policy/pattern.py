"""Patterns that operators write to find two ids in a header field: read, checked, compiled.

Owns: which patterns can be used, and their compiled form. Not here: what the ids are for
(`policy.duplicate`).
Rule: a pattern runs on the event loop over text that a client chose, so none is used that could
run for long. Failure: `pattern_problem` says it in a sentence; `compiled` gives None.
"""

import re
import warnings
from functools import lru_cache

# The tree behind re.compile, the same from Python 3.11 on; it has no public door.
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 500
"""Characters of a pattern."""

READ = 2_000
"""Octets of a field that a pattern is shown: the longest List-Unsubscribe seen has some 700."""

GROUPS = ("campaign", "subscriber")

_MOST_WAYS = 8
"""Ways to read one text from one place. The worst patterns found with 8 need 0.05 to 0.3 s for
2,000 octets made to hurt them, with 64 more than a second; with one way, 0.01 s."""

_AMBIGUOUS = (
    "can be read in too many ways: end each repeated part with something it cannot hold itself,"
    " as in [^:]+: instead of .*:"
)

_Set = frozenset[int]
_ALL: _Set = frozenset(range(256))
_NONE: _Set = frozenset()
_DIGIT: _Set = frozenset(b"0123456789")
_SPACE: _Set = frozenset(b" \t\n\r\f\v")
_WORD: _Set = _DIGIT | frozenset(b"_") | {n for n in range(128) if chr(n).isalpha()}
_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGIT,
    "CATEGORY_NOT_DIGIT": _ALL - _DIGIT,
    "CATEGORY_SPACE": _SPACE,
    "CATEGORY_NOT_SPACE": _ALL - _SPACE,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": _ALL - _WORD,
}
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


class _RefusedError(Exception):
    """Why a pattern is not used."""


def pattern_problem(text: str) -> str:
    """'' for a pattern that can be used, else why not, as the end of a sentence about it."""
    return _read(text)[1]


def compiled(text: str) -> re.Pattern[bytes] | None:
    """The pattern, or None when `pattern_problem` has something to say. Kept between calls."""
    return _read(text)[0]


@lru_cache(maxsize=1024)
def _read(text: str) -> tuple[re.Pattern[bytes] | None, str]:
    if len(text) > LONGEST:
        return None, f"is longer than {LONGEST} characters"
    if not text.isascii():
        return None, "has characters outside ASCII"
    try:
        with warnings.catch_warnings():
            # Python warns of what it may come to read otherwise, such as [[a]b].
            warnings.simplefilter("error")
            pattern = re.compile(text.encode())
            tree = _parser.parse(text.encode())
        missing = [name for name in GROUPS if name not in pattern.groupindex]
        if missing:
            return None, f"has no group (?P<{missing[0]}>…)"
        if pattern.flags & re.LOCALE:
            return None, "depends on the locale"
        ways, _, _ = _sequence(tree, _NONE, bool(pattern.flags & re.IGNORECASE))
        if ways > _MOST_WAYS:
            return None, _AMBIGUOUS
    except _RefusedError as refusal:
        return None, str(refusal)
    except (re.error, ValueError, OverflowError, Warning) as error:
        return None, f"does not compile: {error}"
    except RecursionError:
        return None, "is nested too deeply"
    return pattern, ""


# A walk from right to left. `follow` is the set of octets with which what comes next may begin.
# A repeated part that can begin with none of them has one place to end, whatever the text: it
# never multiplies the work. Every other choice multiplies it by the number of its ways. All
# functions return (ways, octets it may begin with, whether it may be empty).


def _sequence(items: Any, follow: _Set, caseless: bool) -> tuple[int, _Set, bool]:
    ways, may_be_empty = 1, True
    own = follow
    for item in reversed(list(items)):
        more, begins, empty = _item(item, own, caseless)
        ways *= more
        own = begins | own if empty else begins
        may_be_empty = may_be_empty and empty
    return ways, own, may_be_empty


def _item(item: Any, follow: _Set, caseless: bool) -> tuple[int, _Set, bool]:
    kind, value = str(item[0]), item[1]
    if (one := _octets(kind, value, caseless)) is not None:
        return 1, one, False
    match kind:
        case "AT":
            return 1, _NONE, True
        case "SUBPATTERN":
            _, add, remove, inner = value
            if add or remove:
                raise _RefusedError("sets flags for a part of it")
            return _sequence(inner, follow, caseless)
        case "ATOMIC_GROUP":
            return _sequence(value, follow, caseless)
        case "BRANCH":
            parts = [_sequence(part, follow, caseless) for part in value[1]]
            ways = sum(part[0] for part in parts)
            begins = frozenset[int]().union(*(part[1] for part in parts))
            return ways, begins, any(part[2] for part in parts)
        case "ASSERT" | "ASSERT_NOT":
            if _chooses(value[1]):
                raise _RefusedError("has a look-around with a choice in it")
            _sequence(value[1], _ALL, caseless)
            return 1, _NONE, True
    if kind in _REPEATS:
        return _repeat(kind, value, follow, caseless)
    # Mostly references to groups; those make the time of a match unpredictable.
    raise _RefusedError(f"uses what is not for finding ids ({kind.lower()})")


def _repeat(kind: str, value: Any, follow: _Set, caseless: bool) -> tuple[int, _Set, bool]:
    low, high, inner = int(value[0]), min(int(value[1]), READ), value[2]
    if high > 1 and _chooses(inner):
        raise _RefusedError("repeats a part that has a repeat or a choice of its own")
    ways, begins, empty = _sequence(inner, follow, caseless)
    if high > 1 and empty:
        raise _RefusedError("repeats a part that may be empty")
    settled = kind == "POSSESSIVE_REPEAT" or low >= high or not begins & follow
    return ways * (1 if settled else high - low + 1), begins, empty or low == 0


def _chooses(items: Any) -> bool:
    """Whether a part can be matched in more than one way."""
    for kind, value in items:
        match str(kind):
            case "BRANCH":
                return True
            case "SUBPATTERN" | "ASSERT" | "ASSERT_NOT":
                inner = value[-1]
            case "ATOMIC_GROUP":
                inner = value
            case name if name in _REPEATS:
                if value[0] != value[1]:
                    return True
                inner = value[2]
            case _:
                continue
        if _chooses(inner):
            return True
    return False


def _octets(kind: str, value: Any, caseless: bool) -> _Set | None:
    """The octets that an item for one octet accepts, or None for any other item."""
    match kind:
        case "ANY":
            return _ALL
        case "LITERAL":
            return _cased(frozenset((value,)), caseless)
        case "NOT_LITERAL":
            return _ALL - _cased(frozenset((value,)), caseless)
        case "IN":
            negated, found = False, _NONE
            for part, detail in value:
                match str(part):
                    case "NEGATE":
                        negated = True
                    case "LITERAL":
                        found |= {detail}
                    case "RANGE":
                        found |= set(range(detail[0], detail[1] + 1))
                    case _:
                        found |= _CATEGORIES[str(detail)]
            found = _cased(found, caseless)
            return _ALL - found if negated else found
    return None


def _cased(octets: _Set, caseless: bool) -> _Set:
    if not caseless:
        return octets
    text = bytes(sorted(octets))
    return frozenset(text.lower() + text.upper())
