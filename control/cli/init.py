"""`sendgate init`: the first hour on a host."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from control.cli.check import Looked, look
from control.problem import RefusedError
from control.setup.answers import QUESTIONS, Answers, Question, address, asked, from_file
from control.setup.files import File, make
from control.setup.left import Step, left
from control.setup.standing import known
from control.terminal.show import as_json, line_of, say

__all__ = ["QUESTIONS", "Begun", "init"]


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, what is wrong, and what is left to do."""

    files: list[File]
    ok: list[str]
    warnings: list[str]
    problems: list[str]
    left: list[Step]


def init(
    context: typer.Context,
    answers: Annotated[
        Path | None, typer.Option(help="TOML file with the answers; else it asks.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder of the configuration.")] = Path("/etc/sendgate"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
) -> None:
    """Write configuration and secrets, check all parts, and say what is left to do. Done twice it
    changes nothing."""
    line = line_of(context)
    given = _answers(answers)
    made = make(given, to, dry=dry_run)
    pmta = address(given.pmta) if given.pmta else None
    found = look(made.settings, [("pmta1", *pmta)] if pmta else [])
    standing = asyncio.run(known(made.settings.database))
    begun = Begun(
        files=made.files,
        ok=found.good,
        warnings=found.warnings,
        problems=found.problems,
        left=left(given, standing),
    )
    if line.json:
        as_json(begun)
    else:
        _say(begun, found)
    if begun.problems:
        raise typer.Exit(1)


def _answers(file: Path | None) -> Answers:
    if file is not None:
        return from_file(file)
    if not sys.stdin.isatty():
        raise RefusedError(
            "there is no terminal to ask on: --answers FILE has the answers", status=400
        )
    return asked(_ask)


def _ask(question: Question) -> str:
    answer: str = typer.prompt(
        question.text,
        default=question.default,
        show_default=bool(question.default),
        hide_input=question.hidden,
        err=True,
    )
    return answer


def _say(begun: Begun, found: Looked) -> None:
    for file in begun.files:
        say(f"{file.path} (mode {file.mode}): {file.state}")
    found.say()
    say("left to do:")
    for number, step in enumerate(begun.left, 1):
        say(f"{number}. {step.what}: {step.command}")
