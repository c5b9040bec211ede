"""Whether the text behind a directive's name has the form the table gives.

A form is its arguments in order: `CIDR unlimited|0|RATE` is an address, then one of three. Words
in capitals are kinds (`argument.py`), `X-LIST` is X with commas between, `X(lo..hi)` bounds it,
`[X]` may be left out, `""` is the empty value that clears an inherited one, others are themselves.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from loadtest.pmta.argument import KINDS, REGEX, Kind, octets, seconds

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_BOUNDED = re.compile(r"([A-Z-]+)\((\w*)\.\.(\w*)\)")
_MEASURE: dict[str, Callable[[str], int]] = {"INTEGER": int, "SIZE": octets, "INTERVAL": seconds}
EMPTY = '""'


class Argument(NamedTuple):
    """One argument: its alternatives as in the table, and whether it may be left out."""

    text: str
    kinds: tuple[Kind, ...]
    optional: bool

    def fits(self, text: str) -> bool:
        """Whether one of the alternatives fits."""
        return any(kind.fits(text) for kind in self.kinds)

    def fits_rest(self, text: str) -> bool:
        """Whether one fits that takes what remains of the line."""
        return any(kind.rest and kind.fits(text) for kind in self.kinds)

    def says(self) -> str:
        """What may be written, with an example where the name alone says little."""
        return " or ".join(dict.fromkeys(kind.says for kind in self.kinds))


@cache
def arguments(form: str) -> tuple[Argument, ...]:
    """The arguments of `form`. Raises KeyError for a kind that does not exist."""
    return tuple(_argument(word) for word in form.split())


def refusal(form: str, text: str) -> str | None:
    """What is wrong with `text` behind a name whose form is `form`; None: nothing."""
    rest = text.strip()
    for argument in arguments(form):
        if not rest:
            return None if argument.optional else "argument missing"
        value, rest = _take(argument, rest)
        if not argument.fits(value):
            return f"invalid value '{_plain(value)}', expected {argument.says()}"
    return f"unexpected '{rest}'" if rest else None


def _take(argument: Argument, text: str) -> tuple[str, str]:
    if text != EMPTY and argument.fits_rest(_plain(text)):
        return _plain(text), ""
    found = REGEX.match(text) if "REGEX" in argument.text else None
    found = found or _WORD.match(text)
    value = found[0] if found else text
    rest = text[len(value) :].lstrip()
    return (value if value == EMPTY else _plain(value)), rest


def _plain(text: str) -> str:
    """Without its quotes."""
    found = _WORD.fullmatch(text)
    return text if found is None or found[1] is None else re.sub(r'\\(["\\])', r"\1", found[1])


def _argument(word: str) -> Argument:
    optional = word.startswith("[")
    text = word.strip("[]") if optional else word
    return Argument(text, tuple(_kind(item) for item in text.split("|")), optional)


def _kind(name: str) -> Kind:
    if name in KINDS:
        return KINDS[name]
    if name.endswith("-LIST"):
        one = _kind(name.removesuffix("-LIST"))
        return Kind(lambda text: _all(one, text), f"{one.says}, several with commas between", True)
    if bounds := _BOUNDED.fullmatch(name):
        return _bounded(*bounds.groups())
    if name.isupper():
        raise KeyError(name)
    return Kind(lambda text: text.lower() == name, name)


def _all(kind: Kind, text: str) -> bool:
    return all(kind.fits(item.strip()) for item in text.split(","))


def _bounded(name: str, low: str, high: str) -> Kind:
    kind = KINDS[name]
    measure = _MEASURE[name]

    def fits(text: str) -> bool:
        return (
            kind.fits(text)
            and (not low or measure(text) >= measure(low))
            and (not high or measure(text) <= measure(high))
        )

    bounds = f"from {low}" if not high else f"up to {high}" if not low else f"from {low} to {high}"
    return Kind(fits, f"{kind.says} {bounds}")
