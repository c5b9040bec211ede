"""Reads the configuration of a running PowerMTA as people wrote it. Pure.

Rule: it never gives up. What cannot be read becomes a fault with its place, and reading goes on
with the next line: an operator mends a list of defects, not one after another.
Source: PowerMTA v5.0 User's Guide, chapter 3: one directive a line, `#` begins a comment anywhere,
inside quotes and patterns too; a regular expression stands on one line. Defects are those that
public configurations have: tabs, CR, a byte order mark, patterns broken over lines, places that a
template never filled, the same block twice.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from control.pmta.grammar.node import (
    PATTERN,
    Block,
    Comment,
    Fault,
    File,
    Include,
    Line,
    Node,
    Place,
)

Open = Callable[[str, str], Sequence[str]]
"""(argument of an include, file it stands in) to the names of the files it means, in order."""

DEEPEST = 64
"""Blocks inside each other; includes too."""
_WRAPPED = 8
"""Most lines over which one pattern is put together."""

_TEMPLATE = re.compile(r"\{\{.*?\}\}|<%.*?%>|\$\{[^}]*\}|%%\w+%%")
_CLOSED = re.compile(r"/(?:[^\\/]|\\.)*/")
_BEFORE_PATTERN = re.compile(r"(?:reply|mail-from|rcpt-to|header\s+\S+|address|mx)\s+(?=/)|(?=/)")
_NESTED = "<pattern-list>"
_NAME = re.compile(r"[A-Za-z][\w.-]*")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f\ufffd]")


class Parsed(NamedTuple):
    """A file with what it includes, and what is wrong with it in the order of the lines."""

    file: File
    faults: list[Fault]


def parse(name: str, texts: Mapping[str, str], opened: Open) -> Parsed:
    """The file `name` of `texts` and what it includes. Raises KeyError when it is not there."""
    work = _Parser(texts, opened)
    return Parsed(work.file(name, ()), work.faults)


class _Opened(NamedTuple):
    """A block that is not closed yet."""

    block: Block
    inside: list[Node]


class _Parser:
    def __init__(self, texts: Mapping[str, str], opened: Open) -> None:
        self._texts = texts
        self._opened = opened
        self.faults: list[Fault] = []

    def file(self, name: str, including: tuple[str, ...]) -> File:
        """One file."""
        lines = self._texts[name].removeprefix("\ufeff").splitlines()
        top: list[Node] = []
        stack: list[_Opened] = []
        at = 0
        while at < len(lines):
            place, text = Place(name, at + 1), lines[at].strip()
            inside = stack[-1].inside if stack else top
            at += 1
            if not text:
                continue
            body, _, comment = text.partition("#")
            body, comment = body.strip(), comment.strip()
            if not body:
                inside.append(Comment(place=place, text=comment))
            elif why := _unreadable(body):
                self.faults.append(Fault(place, text, why))
                # Its block is open all the same: what closes it is no second fault.
                if body.startswith("<") and not body.startswith("</"):
                    self._open(place, body, comment, stack)
            elif body.startswith("</"):
                self._close(place, body, stack, top)
            elif body.startswith("<"):
                self._open(place, body, comment, stack)
            else:
                whole, used = _unwrapped(body, lines, at)
                at += used
                if used and (why := _unreadable(whole)):
                    self.faults.append(Fault(place, text, why))
                    continue
                line = self._line(place, text, whole, comment, wrapped=used)
                if line is None:
                    continue
                behind = _text(line).removesuffix(_NESTED).rstrip()
                if stack and stack[-1].block.tag == "pattern-list" and behind != _text(line):
                    block = Block(place=place, tag="pattern-list", comment=comment, behind=behind)
                    self._push(block, stack)
                elif line.name == "include":
                    inside.append(self._include(line, (*including, name)))
                else:
                    inside.append(line)
        while stack:
            self._end_open(stack, top)
        return File(name=name, inside=tuple(top))

    def _open(self, place: Place, body: str, comment: str, stack: list[_Opened]) -> None:
        tag, argument = _words(body.removeprefix("<").removesuffix(">"))
        if not body.endswith(">") or not _NAME.fullmatch(tag):
            self.faults.append(Fault(place, body, "it is no block: write <tag argument>"))
            return
        self._push(Block(place=place, tag=tag.lower(), argument=argument, comment=comment), stack)

    def _push(self, block: Block, stack: list[_Opened]) -> None:
        if len(stack) >= DEEPEST:
            why = f"more than {DEEPEST} blocks in each other"
            self.faults.append(Fault(block.place, f"<{block.tag}>", why))
        else:
            stack.append(_Opened(block, []))

    def _close(self, place: Place, body: str, stack: list[_Opened], top: list[Node]) -> None:
        # The guide closes a block with its argument as well (3.3.19).
        tag, _ = _words(body.removeprefix("</").removesuffix(">"))
        tags = [opened.block.tag for opened in stack]
        if not body.endswith(">") or tag.lower() not in tags:
            self.faults.append(Fault(place, body, "it closes nothing: remove it"))
            return
        while stack[-1].block.tag != tag.lower():
            self._end_open(stack, top)
        self._end(stack, top)

    def _end_open(self, stack: list[_Opened], top: list[Node]) -> None:
        """End a block that nothing closes."""
        block = stack[-1].block
        why = f"it is never closed: add </{block.tag}>"
        self.faults.append(Fault(block.place, f"<{block.tag}>", why))
        self._end(stack, top)

    @staticmethod
    def _end(stack: list[_Opened], top: list[Node]) -> None:
        block, inside = stack.pop()
        whole = msgspec.structs.replace(block, inside=tuple(inside))
        (stack[-1].inside if stack else top).append(whole)

    def _line(
        self, place: Place, text: str, body: str, comment: str, *, wrapped: int
    ) -> Line | None:
        mended = f"its pattern stood on {wrapped + 1} lines" if wrapped else ""
        if body.startswith("/"):
            name, argument = PATTERN, body
        else:
            name, argument = _words(body)
        pattern = _BEFORE_PATTERN.match(body)
        if pattern and not _CLOSED.match(body, pattern.end()):
            why = (
                "`#` begins a comment inside a pattern, too: write \\x23"
                if "#" in text
                else "its pattern has no end: one line, from / to /"
            )
            self.faults.append(Fault(place, text, why))
            return None
        if name != PATTERN and not _NAME.fullmatch(name):
            self.faults.append(Fault(place, text, "it does not begin with a directive"))
            return None
        return Line(
            place=place, name=name.lower(), argument=argument, comment=comment, mended=mended
        )

    def _include(self, line: Line, including: tuple[str, ...]) -> Include:
        files = []
        argument = line.argument.strip('"')
        names = self._opened(argument, line.place.file)
        whys = [] if names else ["no such file"]
        for name in names:
            if name in including:
                whys.append("it includes itself")
            elif name not in self._texts:
                whys.append(f"{name} was not given")
            elif len(including) >= DEEPEST:
                whys.append(f"more than {DEEPEST} files in each other")
            else:
                files.append(self.file(name, including))
        self.faults += [Fault(line.place, _text(line), why) for why in whys]
        return Include(
            place=line.place, argument=line.argument, comment=line.comment, files=tuple(files)
        )


def _unreadable(body: str) -> str:
    """Why a line means nothing; '' when it may."""
    if _CONTROL.search(body):
        return "control characters: it is no text, or not in UTF-8"
    # Inside a pattern a quote is a character like others.
    if body.count('"') % 2 and not _BEFORE_PATTERN.match(body):
        return "a quote is not closed (`#` begins a comment inside quotes, too)"
    if found := _TEMPLATE.search(body):
        return f"{found[0]} is a place that a template left open: write its value"
    return ""


def _unwrapped(body: str, lines: list[str], at: int) -> tuple[str, int]:
    """A pattern broken over lines, on one; and of how many lines behind it it was made."""
    start = _BEFORE_PATTERN.match(body)
    if start is None or _CLOSED.match(body, start.end()):
        return body, 0
    whole = body
    for used, line in enumerate(lines[at : at + _WRAPPED], 1):
        more = line.strip()
        if not more or more.startswith(("<", "#")) or _BEFORE_PATTERN.match(more):
            break
        whole += more.partition("#")[0].rstrip()
        if _CLOSED.match(whole, start.end()):
            return whole, used
    return body, 0


def _text(line: Line) -> str:
    return line.argument if line.name == PATTERN else f"{line.name} {line.argument}"


def _words(text: str) -> tuple[str, str]:
    """First word, and the rest."""
    first, *rest = text.strip().split(maxsplit=1) or [""]
    return first, rest[0].strip() if rest else ""
