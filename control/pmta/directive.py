"""What may be written into a PowerMTA configuration: `directives.csv`, and a check against it.

Rule: names, places and forms are PowerMTA's; a line that is not in the table is a mistake of ours,
or a value that PowerMTA would read otherwise, and is found before anything is handed over. Columns
and the words of a form are described in loadtest/README.md.
"""

import csv
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("directives.csv")

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV6 = r"(?=[^/\s]*:[^/\s]*:)[0-9A-Fa-f:.]+"
_CIDR = rf"(?:{_OCTET}(?:\.{_OCTET}){{0,3}}/(?:3[0-2]|[12]?\d)|{_OCTET}(?:\.{_OCTET}){{3}}"
_CIDR += rf"|{_IPV6}(?:/\d{{1,3}})?)"
_LABEL = r"(?!-)[^\s.,:;/@*$<>{}()\[\]\"'|\\]+"
# The last label of a name has a letter: `192.0.2.1` is an address.
_HOST = rf"(?:{_LABEL}\.)*(?=[^\s.,]*[^\W\d]){_LABEL}\.?"
_EMAIL = rf"[^\s@,<>\"]+@{_HOST}"
_NAME = r"(?:[^\s,<>\"{}/]+|\{default\})"
_FIELD = r"(?:type|[a-z][A-Za-z]+|(?:header|arf)_[!-9;-~]+)"
_KINDS = {
    "BOOLEAN": "(?i:yes|no|true|false)",
    "INTEGER": r"\d+",
    "INTERVAL": r"(?:\d+[wdhmsWDHMS])+",
    "DAYS": r"\d+[dD]",
    "SIZE": r"\d+[bkmgtBKMGT]",
    "RATE": r"0*[1-9]\d*/\d*(?:d|day|h|hr|m|min|s|sec)",
    "DAILY": r"\d+/(?:d|day)",
    "CIDR": _CIDR,
    "ENDPOINT": rf"(?:[\d./]+|\[{_IPV6}\]):\d{{1,5}}",
    "SOURCE-OPTION": rf"source={_NAME}",
    "HOST": _HOST,
    "DOMAIN": _HOST,
    "PATTERN": rf"(?:\*|(?:\*\.|\[\*\.\])?{_HOST})",
    "QUEUE-PATTERN": rf"(?:\*|(?:\*\.|\[\*\.\])?{_HOST}|\[{_CIDR}\]|\{{[A-Za-z]+\}})",
    "EMAIL": _EMAIL,
    "LOCAL-PART": r"[^\s@,<>\"]+",
    "NAME": _NAME,
    "SOURCE-NAME": rf"(?![0-9.:/]+$){_NAME}",
    "FILE": r"[^\s|]\S*",
    "PATH": r"/\S*",
    "PIPE": r"\|.+",
    "URL": r"https?://[^\s/@?#]+(?:/[^\s?#]*)?",
    "REGEX": r"/(?:[^\\]|\\.)*?/(?=\s|$)",
    "API-KEY": r"\w{32,128}",
    "DOMAIN-KEY": rf"[^\s,]+\s*,\s*(?:\*|{_HOST})\s*,\s*[^\s,]+",
    "MACRO-NAME": r"\w+",
    "MACRO-VALUE": r"[^\s,\"]+",
    "RECORD": r"(?:d|b|t|tq|r|f|rb|rs)",
    "ATTEMPT-RECORD": r"(?:d|b|t|tq)",
    "FIELD-CHOICE": rf"(?:\*|!?{_FIELD})",
    "ACTIONS": r"[a-z][a-z=-]*\w*(?:,[a-z][a-z=-]*\w*)*",
}


class Row(NamedTuple):
    """A directive, or a block (`<tag>`), in the places where it means the same."""

    name: str
    places: tuple[str, ...]
    form: str
    default: str
    repeats: str
    instead: str
    section: str


@cache
def rows() -> tuple[Row, ...]:
    """The table; `section` is 2020 for what only that edition of the guide has."""
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(line for line in file if not line.startswith("#"))
        next(lines)
        return tuple(Row(name, tuple(places.split()), *rest) for name, places, *rest in lines)


def problem(text: str) -> str | None:
    """The first line of a configuration that PowerMTA would refuse, and why; None: none is."""
    table, tags = _table(), ["global"]
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole.partition("#")[0].strip()
        if line.startswith("</"):
            if line != f"</{tags.pop()}>" or not tags:
                return f"line {number}: {line} closes nothing"
        elif line:
            name, _, arguments = line.partition(" ")
            if line.startswith("<"):
                tag, _, arguments = line[1:-1].partition(" ")
                name = f"<{tag}>"
            found = table.get((tags[-1], name))
            if found is None:
                return f"line {number}: {name} may not stand in {tags[-1]}"
            form, fits = found
            if not fits.fullmatch(arguments.strip()):
                return f"line {number}: {arguments.strip()!r} is not {form} ({name})"
            if line.startswith("<"):
                tags.append(tag)
    return None if tags == ["global"] else f"<{tags[-1]}> is never closed"


@cache
def _table() -> dict[tuple[str, str], tuple[str, re.Pattern[str]]]:
    return {
        (place, row.name): (row.form or "empty", fitting(row.form))
        for row in rows()
        for place in row.places
    }


@cache
def fitting(form: str) -> re.Pattern[str]:
    """The arguments that have this form. Raises KeyError for a kind that does not exist."""
    words: list[str] = []
    for word in form.split():
        optional = word.startswith("[")
        choice = "|".join(_alternative(a) for a in word.strip("[]").split("|"))
        before = r"\s+" if words else ""
        words.append(f"(?:{before}(?:{choice}))" + "?" * optional)
    return re.compile("".join(words))


def _alternative(word: str) -> str:
    kind = word.partition("(")[0]  # Bounds are PowerMTA's to judge: none is ever written.
    if kind.endswith("-LIST"):
        one = _KINDS[kind.removesuffix("-LIST")]
        return rf"{one}(?:\s*,\s*{one})*"
    return _KINDS[kind] if kind.isupper() else re.escape(word)
