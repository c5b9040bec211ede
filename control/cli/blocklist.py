"""`sendgate blocklist …`: which DNS blocklists have our IPs and sending domains."""

from typing import Annotated

import typer

from control.blocklists.view import BlocklistAnswer, BlocklistQuery, ZoneView
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, Limit, listed, part_of, say_more
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="DNS blocklists: who has our IPs and domains.")

PATH = "/api/v2/blocklists"


@app.command("list")
@filters(BlocklistQuery)
def list_(context: typer.Context, query: Body, every: All = False) -> None:
    """What each list says, by IP and domain; `sendgate job run blocklists` asks all anew."""
    line = line_of(context)
    client = Client(line)
    found = part_of(client, PATH, list[BlocklistAnswer], query, every=every)
    if line.json:
        as_json(found)
    elif found:
        _show(found)
        say_more(client)
    else:
        say("no list said that; they are asked every four hours: sendgate job run blocklists")


@app.command()
def zones(context: typer.Context, limit: Limit = None, every: All = False) -> None:
    """The lists that are asked."""
    line = line_of(context)
    found = listed(Client(line), f"{PATH}/zones", ZoneView, limit, every)
    if line.json:
        as_json(found)
        return
    table(
        ("list", "of", "pauses", "note"),
        ((z.name, z.kind, "yes" if z.pausing else "no", z.note) for z in found),
    )


@app.command()
def check(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="An IP or a sending domain of ours.")],
) -> None:
    """Ask the lists about one IP or sending domain now. Exit code 1: one has it."""
    line = line_of(context)
    found = Client(line).send("POST", f"{PATH}/{subject}/check", None, list[BlocklistAnswer])
    if line.json:
        as_json(found)
    else:
        _show(found)
    if any(one.state == "listed" for one in found):
        raise typer.Exit(1)


def _show(found: list[BlocklistAnswer]) -> None:
    table(
        ("of", "list", "says", "since", "why", "asked"),
        ((a.subject, a.zone, _says(a), a.since or None, _why(a), a.asked) for a in found),
    )


def _says(answer: BlocklistAnswer) -> str:
    if answer.state == "unknown" and answer.known:
        return f"unknown (last: {answer.known})"
    return answer.state


def _why(answer: BlocklistAnswer) -> str | None:
    if answer.state == "unknown":
        return answer.trouble
    if answer.state == "clean":
        return None
    return " ".join(filter(None, (",".join(answer.codes), answer.meaning, answer.said)))
