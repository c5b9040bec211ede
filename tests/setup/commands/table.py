"""The table of what this machine has elsewhere, and of what it cannot run (`table.toml`)."""

import re
import tomllib
from pathlib import Path

import msgspec

TABLE = Path(__file__).with_name("table.toml")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command that begins so is run as something else."""

    command: str
    runs: str
    why: str


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exit codes of a command that begins so."""

    command: str
    codes: list[int]
    why: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As in the file."""

    instead: list[Entry]
    stays: list[Entry]
    words: dict[str, str]
    code: list[Code]

    def mapped(self, text: str, named: dict[str, str]) -> str:
        """With every word in its place on this machine; `named`: what `{name}` stands for."""
        # In one go: what was put in place is not looked through again.
        words = "|".join(map(re.escape, self.words))
        return re.sub(words, lambda found: _filled(self.words[found[0]], named), text)

    def entry(self, entries: list[Entry], command: str, named: dict[str, str]) -> str | None:
        """What is run instead of a command; None: itself."""
        for one in entries:
            if command.startswith(one.command):
                return _filled(one.runs, named)
        return None

    def codes(self, command: str) -> list[int]:
        """With which a command may end."""
        return next((one.codes for one in self.code if command.startswith(one.command)), [0])

    def unused(self, commands: list[str]) -> list[str]:
        """Entries that no command needs any more."""
        return [
            one.command
            for one in (*self.instead, *self.stays, *self.code)
            if not any(command.startswith(one.command) for command in commands)
        ]


def _filled(text: str, named: dict[str, str]) -> str:
    for name, value in named.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def table() -> Table:
    """Read and checked."""
    return msgspec.convert(tomllib.loads(TABLE.read_text(encoding="utf-8")), Table)
