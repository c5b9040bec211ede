"""What is wrong with a value, in one voice: of a body, of a query, of an option."""

import re
from typing import Any

import msgspec

from control.values.wanted import parts, shape
from settings.load import friendly

EMPTY = "is empty; leave it out to match any"

_AT = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "yes or no",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_LENGTH = re.compile(r"`str` of length (<=|>=) (\d+)")
_FORM = re.compile(r"`str` matching regex '.*'", re.DOTALL)
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.?(\w+)")


def wrong(error: msgspec.ValidationError, kind: Any, value: Any) -> str:
    """A sentence in the words of who wrote `value`, which is no `kind`: what was expected, and
    where in a list or an object. Types and paths as msgspec writes them are for programs."""
    text, at = friendly(str(error), kind), ""
    if found := _AT.search(text):
        text, at = text[: found.start()], _place(found[1], kind, value)
    text = _LENGTH.sub(_characters, text)
    text = _FORM.sub("text of another form: the API's document describes it", text)
    text = re.sub(r"`([\w |]+)`", lambda found: _words(found[1]), text)
    text = text[:1].lower() + text[1:]
    return f"{at}: {text}" if at else text


def _characters(found: re.Match[str]) -> str:
    return f"{'at most' if found[1] == '<=' else 'at least'} {found[2]} characters"


def _words(types: str) -> str:
    return " or ".join(_WORDS.get(word.strip(), word.strip()) for word in types.split("|"))


def _place(path: str, kind: Any, value: Any) -> str:
    """`[0].port` as `entry 1, port`; of an object whose keys are anything, the first key that is
    wrong, which msgspec does not name."""
    steps = []
    for number, name in _STEP.findall(path):
        if number == "...":
            steps.append(_key(kind, value))
        else:
            steps.append(f"entry {int(number) + 1}" if number else name)
    return ", ".join(filter(None, steps))


def _key(kind: Any, value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    union = next((one for one in parts(kind)[0] if shape(one) is dict), kind)
    for key, inner in value.items():
        try:
            msgspec.convert({key: inner}, union, strict=False)
        except msgspec.ValidationError:
            return str(key)
    return ""
