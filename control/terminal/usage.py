"""Mistakes in the use of a command: exit code 2."""

import math
import re
from typing import Any

import typer

from control.values.wording import EMPTY

# typer has carried click inside itself since 0.26: this is the name both layouts share.
UsageError: Any = typer.BadParameter.__base__

_SHOWN = 4
"""Entries of a list that an example repeats."""


def misused(text: str) -> Exception:
    """The line contradicts itself or lacks something; no server was asked."""
    found: Exception = UsageError(text)
    return found


def finite(option: str, number: float | None) -> float | None:
    """The number, unless it is none: JSON has no NaN, and would drop it without a word."""
    if number is not None and not math.isfinite(number):
        raise misused(f"{option}: {number} is not a number that can be used")
    return number


def once_for_each(option: str, given: list[str], error: Any) -> Exception:
    """The usage error of a list that cannot be read, with the form that is meant where it came as
    one word: `--ramp 50,200`."""
    apart = [one for text in given for one in re.split(r"[,;\s]+", text) if one]
    if len(apart) == len(given):
        return misused(str(error.message))
    shown = " ".join(f"{option} {one}" for one in apart[:_SHOWN])
    more = " …" if len(apart) > _SHOWN else ""
    return misused(f"{error.message}; it is repeated, once for each: {shown}{more}")


def readable(option: str, given: Any, *, empty: bool = False) -> None:
    """Raises a usage error for a text that is no UTF-8, or is empty where that would match any."""
    if given == "" and not empty:
        raise misused(f"{option}: {EMPTY}")
    for text in given if isinstance(given, list) else (given,):
        try:
            str(text).encode()
        except UnicodeEncodeError as error:
            text = f"{option}: not UTF-8; is the terminal's locale a UTF-8 one?"
            raise misused(text) from error


_INPUT = re.compile(r"Input should be (.*)", re.DOTALL)
_SAID = {
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "less than or equal to": "a number <=",
    "greater than or equal to": "a number >=",
}
"""Beginnings of what typer's reader says."""


def sentence(error: Any) -> str:
    """What a usage error says, in the same words whoever found it: options that are read from
    structs have our words, and those that typer reads had its own."""
    parameter, found = getattr(error, "param", None), _INPUT.fullmatch(str(error.message))
    if parameter is None or found is None:
        said = str(error.format_message()).rstrip(".")
        return said if said.startswith("-") else said[:1].lower() + said[1:]
    text = found[1].partition(",")[0]
    for theirs, ours in _SAID.items():
        text = text.replace(theirs, ours)
    problems: list[Any] = getattr(error.__cause__, "errors", list)()
    given = f", not {problems[0]['input']!r}" if problems else ""
    return f"{_called(parameter)}: expected {text}{given}"


def _called(parameter: Any) -> str:
    name = next((name for name in parameter.opts if name.startswith("--")), None)
    return name or str(parameter.name).upper()


def called(command: Any, words: list[str]) -> dict[str, str]:
    """What the command of a line calls the fields of what it asks: `day` is its `--day`."""
    for word in words:
        inner = getattr(command, "commands", {}).get(word)
        if inner is None:
            break
        command = inner
    return {
        str(parameter.name): _called(parameter)
        for parameter in command.params
        if any(name.startswith("--") for name in parameter.opts)
    }


def one_of(option: str, given: str | None, *allowed: str) -> None:
    """Raises a usage error for a word that is not among those allowed; None was not given."""
    if given is not None and given not in allowed:
        raise misused(f"{option}: {given!r} is neither {' nor '.join(allowed)}")
