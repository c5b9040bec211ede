"""What a bounce says, by PowerMTA's category or, without one, by its status. Pure.

The categories are `bounces.toml`: operators write their own (`bounce-category-patterns`), and
misspell them. What no rule knows is `other`: it suppresses nobody.
"""

import difflib
import re
import tomllib
from importlib import resources
from typing import Literal

import msgspec

BounceClass = Literal["address", "block", "full", "expired", "other"]
"""Whose fault: nobody is at the address, the sender is refused, the mailbox is full, it took too
long, anything else."""


class Category(msgspec.Struct, frozen=True):
    """One category of bounces."""

    name: str
    kind: BounceClass
    hard: bool = False
    """The address will never take mail."""


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: BounceClass = msgspec.field(name="class")
    hard: bool = False


_TABLE = tomllib.loads(resources.files("policy").joinpath("bounces.toml").read_text("utf-8"))

CATEGORIES: dict[str, Category] = {
    name: Category(name, row.kind, row.hard)
    for name, row in msgspec.convert(_TABLE["categories"], dict[str, _Row]).items()
}

_OTHER = CATEGORIES["other"]
_LETTERS = re.compile(r"[^a-z0-9]+")
_WRITTEN: dict[str, str] = {_LETTERS.sub("", name): name for name in CATEGORIES} | _TABLE["written"]
_STATUSES: list[tuple[str, str]] = sorted(
    _TABLE["statuses"].items(), key=lambda row: len(row[0]), reverse=True
)
_STATUS = re.compile(r"(?<![0-9.])[45](\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_NEAR = 0.85
"""Share of letters that two names have in common to be one misspelt: `inactiv-mailbox` has 0.97,
`bad-domain` and `bad-mailbox` have 0.67."""
_KNOWN_MOST = 4_096
_known: dict[str, Category | None] = {}


def category_of(written: str, status: str = "", reply: str = "") -> Category:
    """The category of a bounce. `written`: the bounceCat column; `status`: dsnStatus, such as
    `5.1.1 (bad destination mailbox address)`; `reply`: dsnDiag, which is looked at for a status
    where there is none."""
    found = _named(written) if written else None
    if found is None or found is _OTHER:
        by_status = _by_status(status) or (None if status else _by_status(reply))
        # A category that an operator made up, or PowerMTA's `other`, leaves it to the status.
        found = by_status or found
    return found or _OTHER


def _named(written: str) -> Category | None:
    if written in _known:
        return _known[written]
    found = _read(written)
    if len(_known) >= _KNOWN_MOST:
        _known.clear()
    _known[written] = found
    return found


def _read(written: str) -> Category | None:
    letters = _LETTERS.sub("", written.lower())
    name = _WRITTEN.get(letters)
    if name is None and (near := difflib.get_close_matches(letters, _WRITTEN, 2, _NEAR)):
        meant = {_WRITTEN[one] for one in near}
        name = meant.pop() if len(meant) == 1 else None
    return None if name is None else CATEGORIES[name]


def _by_status(text: str) -> Category | None:
    match = _STATUS.search(text)
    if match is None:
        return None
    code = "5" + match[1]
    for beginning, name in _STATUSES:
        if code == beginning or code.startswith(f"{beginning}."):
            return CATEGORIES[name]
    return None
