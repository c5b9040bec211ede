"""`sendgate user accept`: a password is chosen by a one-time link, which is a secret itself."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say
from control.terminal.usage import misused
from control.users import link


def accept(
    context: typer.Context,
    link_: Annotated[
        str | None,
        typer.Argument(
            metavar="[LINK]",
            help="Whole, or its secret. Seen in `ps` while it runs: without it, it is asked for.",
        ),
    ] = None,
    link_stdin: Annotated[
        bool,
        typer.Option("--link-stdin", help="Read the link from standard input, its first line."),
    ] = False,
    link_file: Annotated[
        Path | None, typer.Option("--link-file", help="Read the link from a file's first line.")
    ] = None,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read it from standard input, behind a link there."),
    ] = False,
) -> None:
    """Choose a password by a one-time link; for where there is no browser."""
    secret = _link(link_, link_file, from_stdin=link_stdin)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("New password: ")
        if password != getpass.getpass("Once more: "):
            raise misused("the two are not the same: nothing was changed")
    body = {"link": secret, "password": password}
    found = Client(line_of(context)).send("POST", link.PAGE, body, dict)
    as_json(found) if line_of(context).json else say(f"user {found['name']} has this password now")


def _link(given: str | None, file: Path | None, *, from_stdin: bool) -> str:
    """The one link that was given, or is typed now. Raises a usage error."""
    if sum((given is not None, file is not None, from_stdin)) > 1:
        raise misused("give the link once: as LINK, by --link-stdin or by --link-file")
    if given is not None:
        return given
    if from_stdin:
        return sys.stdin.readline().strip()
    if file is None:
        return getpass.getpass("One-time link: ").strip()
    try:
        with file.open(encoding="utf-8") as lines:
            return lines.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"--link-file: cannot read {file}: {error}") from error
