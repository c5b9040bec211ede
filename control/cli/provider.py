"""`sendgate provider …`: whose mail a recipient domain's is counted as, and why."""

from typing import Annotated

import typer

from control.provider.view import ProviderQuery, ProviderView
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, part_of, say_more
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="Mailbox providers of recipient domains.")

_WHY = {
    "table": "our table has the domain",
    "mx": "its MX records name the provider's servers",
    "dsnMta": "PowerMTA's records name the provider's servers",
    "": "nothing is known of it yet",
}


@app.command()
def show(
    context: typer.Context,
    domain: Annotated[str, typer.Argument(help="What stands after the @ of a recipient.")],
) -> None:
    """Which provider's ceilings its mail counts for, and why."""
    line = line_of(context)
    found = Client(line).get(f"/api/v2/providers/{domain}", ProviderView)
    if line.json:
        as_json(found)
        return
    by = f" ({found.host})" if found.host else ""
    since = f", since {found.since}" if found.since else ""
    why = _WHY[found.why] if found.provider != "other" or not found.why else "no provider's servers"
    say(f"{found.domain} counts as {found.provider}: {why}{by}{since}")
    if found.checked:
        said = f"without an answer ({found.trouble})" if found.trouble else "and it answered"
        say(f"DNS was asked at {found.checked}, {said}; the next time is {found.next}")
    elif found.next:
        say("DNS has not been asked yet")
    if found.records:
        say(f"the last {found.in_a_row} records in a row name servers of {found.records}")


@app.command("list")
@filters(ProviderQuery)
def list_(context: typer.Context, query: Body, every: All = False) -> None:
    """Hosted domains whose provider was learnt."""
    line = line_of(context)
    client = Client(line)
    found = part_of(client, "/api/v2/providers", list[ProviderView], query, every=every)
    if line.json:
        as_json(found)
        return
    if not found:
        say("no domain was learnt yet: they come from PowerMTA's accounting")
        return
    table(
        ("domain", "provider", "why", "host", "since", "checked"),
        ((d.domain, d.provider, d.why or "-", d.host, d.since, d.checked) for d in found),
    )
    say_more(client)
