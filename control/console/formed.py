"""Fields of a change as those of a form: what it is called, what it means, what may be said.

Rule: what a field means and may be is written once, at the struct that the API decodes. A form
shows every field with its value of now; what is like that still is not asked for, and an empty one
is null where it knows null. What cannot be read is sent on as it is: the API refuses it by name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec
from msgspec import UnsetType

from control.values.wanted import bare, parts, shape

Kind = Literal["text", "whole", "number", "flag", "choice", "list", "numbers"]
YES, NO, NONE = "yes", "no", "none"


@dataclass(frozen=True)
class Field:
    """One of a form."""

    name: str
    kind: Kind
    means: str
    options: tuple[str, ...] = ()
    """Of a choice or a flag."""
    empty: bool = False
    """Whether nothing may stand in it: null."""

    @property
    def label(self) -> str:
        """As people read it."""
        return self.name.replace("_", " ").capitalize()

    def shown(self, value: Any) -> str:
        """A value as the form has it; null is empty."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return YES if value else NO
        if self.kind in ("list", "numbers"):
            return "\n".join(str(one) for one in value) or (NONE if self.empty else "")
        return f"{value:g}" if isinstance(value, float) else str(value)

    def read(self, text: str) -> Any:
        """What was typed, as JSON has it."""
        if self.kind in ("list", "numbers"):
            if self.empty and not text:
                return None
            found = [] if self.empty and text == NONE else text.replace(",", "\n").split()
            return [_number(one) for one in found] if self.kind == "numbers" else found
        if not text:
            return None if self.empty else text
        if self.kind == "flag":
            return {YES: True, NO: False}.get(text, text)
        return _number(text) if self.kind in ("whole", "number") else text


def fields_of(kind: type[msgspec.Struct], *, but: Iterable[str] = ()) -> tuple[Field, ...]:
    """Of a struct that the API decodes, without those of `but`."""
    left_out = frozenset(but)
    return tuple(
        _field(one) for one in msgspec.structs.fields(kind) if one.encode_name not in left_out
    )


def asked(
    fields: Sequence[Field], form: Mapping[str, str], now: Mapping[str, Any]
) -> dict[str, Any]:
    """What a form asks to be otherwise than `now`; fields that it does not have stay."""
    found = {}
    for one in fields:
        if one.name not in form:
            continue
        text = form[one.name].strip().replace("\r\n", "\n")
        if text != one.shown(now.get(one.name)):
            found[one.name] = one.read(text)
    return found


def _field(one: msgspec.structs.FieldInfo) -> Field:
    kinds, said = parts(one.type)
    means = next((meta.description for meta in said if meta.description), "")
    # Of a change, null that stands alone means that it stays (control/values/wanted.py).
    empty = type(None) in kinds and (UnsetType in kinds or one.default is not None)
    inner = [kind for kind in kinds if kind not in (type(None), UnsetType)]
    kind, options = _kind(inner)
    return Field(one.encode_name, kind, means, options, empty)


def _kind(inner: list[Any]) -> tuple[Kind, tuple[str, ...]]:
    if any(shape(kind) is Literal for kind in inner):
        words = tuple(str(w) for kind in inner for w in get_args(bare(kind)))
        return "choice", words
    [kind] = inner or [str]
    plain = bare(kind)
    if plain is bool:
        return "flag", (YES, NO)
    if plain in (int, float):
        return ("whole" if plain is int else "number"), ()
    if shape(kind) in (tuple, list):
        item = bare(get_args(plain)[0])
        return ("numbers" if item in (int, float) else "list"), ()
    return "text", ()


def _number(text: str) -> Any:
    """A number; what is none stays what it is."""
    try:
        return int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError:
        return text
