"""One suppression as it is asked for, as it is imported, and as it is shown."""

from typing import Annotated, Any

import msgspec

from control.problem import bad
from control.values.mailbox import RecipientText
from control.values.time import TimeText, moment
from control.values.wanted import meant
from policy.address import LONGEST
from policy.isotime import instant, not_before
from policy.model import Name
from policy.suppression import EVERYBODY, REASONS, Reason, canonical

AT_ONCE = 10_000
"""Rows of one request to import, and entries of one answer."""
NOTE = 500
"""Characters."""


class NewSuppression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that gets no mail any more."""

    address: RecipientText
    tenant: Annotated[Name | None, meant("Whose mail it gets no more; null: everybody's.")] = None
    reason: Annotated[Reason, meant("Of what kind.")] = "other"
    until: Annotated[
        TimeText | None,
        meant("ISO time at which it ends, UTC when it names no zone; without it, never."),
    ] = None
    note: Annotated[Annotated[str, msgspec.Meta(max_length=NOTE)], meant("In your words.")] = ""


class ImportedRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As somebody's list has it: what cannot be used is told, and the rows around it are taken."""

    address: str
    reason: str = ""
    until: str = ""
    note: str = ""


class ImportedRows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a list; the same part sent again changes nothing."""

    rows: Annotated[list[ImportedRow], msgspec.Meta(max_length=AT_ONCE)]
    tenant: Annotated[Name | None, meant("Whose mail they get no more; null: everybody's.")] = None


class Entry(msgspec.Struct, frozen=True):
    """What is written. `address` in its one spelling, `until` in calendar milliseconds."""

    tenant: str
    address: str
    reason: Reason
    note: str
    until: int | None = None
    since: int = 0


class SuppressionView(msgspec.Struct, frozen=True, kw_only=True):
    """An address that gets no mail any more, or got none for a while."""

    address: str
    """Empty: it is forgotten (`sendgate forget`), and gets no mail all the same."""
    tenant: str | None
    """null: everybody's mail."""
    reason: str
    origin: str
    """rule, hand, import, api."""
    note: str
    who: str
    since: str
    until: str | None
    removed: str | None
    active: bool
    change: int
    """Grows with each change of any."""


def entry(wanted: NewSuppression) -> Entry:
    """Raises RefusedError."""
    return Entry(
        wanted.tenant or EVERYBODY,
        address("address", wanted.address),
        wanted.reason,
        wanted.note.strip(),
        None if wanted.until is None else milliseconds("until", wanted.until),
    )


def imported(row: ImportedRow, tenant: str) -> Entry:
    """Reasons are others' words: of one that is none of ours it is kept what it says. Raises
    RefusedError."""
    word, note = row.reason.strip(), row.note.strip()
    reason = _WORDS.get(word.lower(), "other")
    if reason == "other" and word and word.lower() != "other":
        note = f"{word}: {note}" if note else word
    until = row.until.strip()
    return Entry(
        tenant,
        address("address", row.address.strip().removeprefix("<").removesuffix(">")),
        reason,
        note[:NOTE],
        milliseconds("until", until) if until else None,
    )


def is_reason(word: str) -> bool:
    """Whether a list's word is one of ours, or means one."""
    return not word.strip() or word.strip().lower() in _WORDS


_WORDS: dict[str, Reason] = {
    **{reason: reason for reason in REASONS},
    **dict.fromkeys(("hard", "hard bounce", "hard_bounce", "hard-bounce", "bounced"), "bounce"),
    **dict.fromkeys(("complaint", "spam", "abuse", "fbl", "feedback"), "complaint"),
    **dict.fromkeys(("unsubscribed", "optout", "opt-out", "opt out", "opt_out"), "unsubscribe"),
}
"""As lists in the wild have them."""


def address(field: str, text: str) -> str:
    """In its one spelling. Raises RefusedError."""
    found = canonical(text)
    local = text.rpartition("@")[0]
    if found is None or len(found.encode()) > LONGEST or not _plain(local):
        raise bad(field, f"{text[:100]!r} is not a mail address")
    return found


def _plain(local: str) -> bool:
    """Whether the gateway could be given it: no control characters, and blanks in quotes only."""
    quoted = len(local) > 1 and local[0] == local[-1] == '"'
    return all(c >= " " and c != "\x7f" for c in local) and (quoted or not any(map(_odd, local)))


def _odd(char: str) -> bool:
    return char.isspace() or char in '<>"@,:;()\\'


def milliseconds(field: str, text: str) -> int:
    """Raises RefusedError."""
    found = round(moment(text, field).timestamp() * 1000)
    if found <= 0:
        raise bad(field, f"{text!r} is before 1970")
    return found


def view(row: Any, now: int) -> SuppressionView:
    """A row of `suppression`; `now` in calendar milliseconds."""
    until, removed = row["until"], row["removed"]
    return SuppressionView(
        address=row["address"],
        tenant=row["tenant"] or None,
        reason=row["reason"],
        origin=row["origin"],
        note=row["note"],
        who=row["who"],
        since=instant(row["since"]),
        until=None if until is None else not_before(until),
        removed=None if removed is None else instant(removed),
        active=removed is None and (until is None or until > now),
        change=row["change"],
    )
