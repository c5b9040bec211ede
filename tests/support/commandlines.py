"""The commands that a document shows in its ```sh blocks, and what the program really knows."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from control.cli.main import app

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OPERATORS = set("|&;()<>")
_EVERYWHERE = {"--json", "--url", "--data-dir", "--help"}


def commands(markdown: str) -> Iterator[list[str]]:
    """Every simple command, as words, without what comes before it (sudo, VARIABLE=value)."""
    for block in _BLOCK.findall(markdown):
        for line in block.replace("\\\n", " ").splitlines():
            for words in _simple(line.removeprefix("$ ")):
                if command := _bare(words):
                    yield command


def _simple(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= _OPERATORS:
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _bare(words: list[str]) -> list[str]:
    """`sudo -u sendgate X=1 sendgate check` and `docker compose … sendgate check` both run
    `sendgate check`."""
    rest = list(words)
    while rest and (rest[0] == "sudo" or re.match(r"[A-Z_]+=", rest[0])):
        first = rest.pop(0)
        while first == "sudo" and rest and rest[0].startswith("-"):
            del rest[: 2 if rest[0] == "-u" else 1]
    if rest[:2] == ["docker", "compose"] and "sendgate" in rest:
        rest = rest[rest.index("sendgate") :]
    if rest:
        rest[0] = rest[0].rpartition("/")[2]
    return rest


def targets(makefile: str) -> set[str]:
    """The targets a Makefile has."""
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def unknown_make(command: list[str], known: set[str]) -> list[str]:
    """The targets in `make X Y` that do not exist."""
    return [w for w in command[1:] if not w.startswith("-") and "=" not in w and w not in known]


def _valued(node: Any) -> set[str]:
    """Options of a group that takes some itself: the word behind one is its value."""
    if not getattr(node, "invoke_without_command", False):
        return set()
    return {name for p in node.params if not getattr(p, "is_flag", True) for name in p.opts}


def unknown_sendgate(command: list[str]) -> str:
    """What the program does not know of `sendgate X Y --option`; empty when it knows all."""
    node: Any = typer.main.get_command(app)
    words = iter(command[1:])
    options = set(_EVERYWHERE)
    asked = []
    for word in words:
        if word.startswith("-"):
            name, given, _ = word.partition("=")
            asked.append(name)
            if not given and name in _valued(node):
                next(words, None)
        elif getattr(node, "commands", None):
            if word not in node.commands and getattr(node, "default", ""):
                node = node.commands[node.default]
                continue
            if word not in node.commands:
                return f"command {word}"
            node = node.commands[word]
    options |= {name for parameter in node.params for name in parameter.opts}
    alone = getattr(node, "invoke_without_command", False)
    if getattr(node, "commands", None) and not alone and "--help" not in asked:
        return f"command after {command[-1]}"
    return ", ".join(f"option {name}" for name in asked if name not in options)
