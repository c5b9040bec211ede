"""What a form showed of the thing that it changes, so that nobody reverts what he never saw.

A form stays open while others work. Each that changes a thing which has a tag carries that tag
(`seen`), and its action says it as `If-Match`: where the thing is otherwise by then nothing is
done, and the page comes again. With the tag goes enough of the thing to say what somebody else
changed, and what stood in the form's fields: one that its reader left alone shows what is there
now, for sent again as it was it would revert the other's change behind a tag that is good.
Failure: a form without it, or with one that cannot be read, is refused, and typed texts stay.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from control import kinds
from control.console.saying import saying
from control.problem import RefusedError

FIELD = "seen"
"""Of a form."""
ANY = "*"
"""Whatever there is: of a list that is longer than its page no tag is known."""
_LONGEST = 80
"""Characters of a value that are carried; of a longer one its digest is."""
_TOLD = 20
"""Differences that are told one by one."""

Value = str | list[str]
"""As it is said; in a list its digest, where it is long or has parts."""


class Seen(msgspec.Struct, frozen=True):
    """By one form."""

    tag: str
    """What `If-Match` names, or `ANY`."""
    thing: dict[str, Value]
    """Its fields; of a list its entries by name."""
    was: dict[str, str]
    """What the fields of the form showed; one that is not here was empty."""

    def text(self) -> str:
        """As the form has it."""
        return urlsafe_b64encode(msgspec.json.encode(self)).decode()

    def left(self, form: Mapping[str, str]) -> set[str]:
        """Fields that its reader left as they were shown."""
        return {name for name, text in form.items() if plain(text) == plain(self.was.get(name))}

    def otherwise(self, now: Any, form: Mapping[str, str]) -> list[str]:
        """A sentence for each field that is not as it was; `now`: what somebody sets of the thing;
        `form`: what was sent."""
        there, left = fields(now), self.left(form)
        names = [*self.thing, *(name for name in there if name not in self.thing)]
        found = []
        for name in names:
            if self.thing.get(name) == there.get(name):
                continue
            said = _changed(name, self.thing.get(name), there.get(name))
            mine = name in form and name in self.was and name not in left
            found.append(f"{said}; you typed {saying(form[name])}" if mine else said)
        more = len(found) - _TOLD
        return found[:_TOLD] + ([f"and {more:,} more"] if more > 0 else [])


class SinceError(RefusedError):
    """What a form changes is not as it showed it (412): nothing was done."""

    def __init__(self, notes: Sequence[str]) -> None:
        """`notes`: what is otherwise."""
        super().__init__(
            "It was changed since this page was shown, and nothing of yours was done.",
            kind=kinds.CHANGED_SINCE,
            fix="What you typed stands in its form, all else is as it is now: look, and send it "
            "again. Passwords are typed anew.",
        )
        self.notes = list(notes)


def of(form: Mapping[str, str]) -> Seen:
    """What a form says that it showed. Raises RefusedError (428)."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(form.get(FIELD, "")), type=Seen)
    except (ValueError, msgspec.MsgspecError):
        raise RefusedError(
            "This form does not say what it showed, so that it could revert what somebody else "
            "changed since: nothing was done.",
            kind=kinds.CONDITION_NEEDED,
            fix="Open the page anew and send its form.",
        ) from None


def fields(thing: Any) -> dict[str, Value]:
    """Of a thing as JSON has it, each as it is said; entries of a list by their name. Pure."""
    if isinstance(thing, list):
        named = [(one.get("name") if isinstance(one, dict) else one, one) for one in thing]
        return {str(name): _value(one) for name, one in named}
    return {name: _value(value) for name, value in thing.items()}


def plain(text: str | None) -> str:
    """As fields are compared: a browser sends line ends of its own. Pure."""
    return (text or "").strip().replace("\r\n", "\n")


def _value(value: Any) -> Value:
    parts = value if isinstance(value, list) else [value]
    said = "" if any(isinstance(one, dict | list) for one in parts) else saying(value)
    if said and len(said) <= _LONGEST:
        return said
    encoded = msgspec.json.encode(value, order="deterministic")
    return [hashlib.sha256(encoded).hexdigest()[:16]]


def _changed(name: str, then: Value | None, now: Value | None) -> str:
    name = saying(name.replace("_", " "))
    if then is None:
        return f"{name} is new"
    if now is None:
        return f"{name} is gone"
    if isinstance(then, str) and isinstance(now, str):
        return f"{name} was {saying(then)}, and is {now} now"
    return f"{name} is {now} now" if isinstance(now, str) else f"{name} is another now"
