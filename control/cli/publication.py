"""`sendgate domain check` and `domain records`: what has to be in DNS, and what is."""

from typing import Annotated

import typer

from control.published.finding import DnsFinding, DomainCheck, worst
from control.sources.domainview import DomainView
from control.sources.zone import zone_file
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say

Tenant = Annotated[str | None, typer.Option()]


def check(
    context: typer.Context,
    domains: Annotated[
        list[str] | None, typer.Argument(help="Sending domains; none: all.", metavar="[DOMAIN]...")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="All of this tenant's.")] = None,
) -> None:
    """Ask DNS for SPF, DKIM, DMARC, host names, PTR and MX of sending domains.

    Exit code 0: ok or with warnings, 1: something is wrong, or nobody answered."""
    line = line_of(context)
    client = Client(line)
    wanted = [(tenant, name) for name in domains or ()]
    if not wanted:
        views = client.pages("/api/v2/domains", DomainView, tenant=tenant)
        wanted = [(view.tenant, view.domain) for view in views]
    found = []
    for owner, name in wanted:
        one = client.get(f"/api/v2/domains/{name}/check", DomainCheck, tenant=owner)
        found.append(one)
        if not line.json:
            _show(one)
    if line.json:
        as_json(found)
    elif not found:
        say("there is no sending domain")
    if worst(one.verdict for one in found) in ("error", "unknown"):
        raise typer.Exit(1)


def records(
    context: typer.Context,
    domain: str,
    tenant: Tenant = None,
    name_server: Annotated[
        list[str] | None,
        typer.Option(help="Host name; with one or more it is a whole zone, with SOA and NS."),
    ] = None,
    reverse: Annotated[
        str | None,
        typer.Option(help="PTR records alone, of this zone: 2.0.192.in-addr.arpa", metavar="ZONE"),
    ] = None,
) -> None:
    """The records to publish, as text for a zone file."""
    line = line_of(context)
    view = Client(line).get(f"/api/v2/domains/{domain}", DomainView, tenant=tenant)
    if line.json:
        as_json(view.records)
        return
    servers = name_server or []
    if reverse is not None:
        text = zone_file(reverse.rstrip(".").lower(), view.records, servers, only="PTR")
    else:
        text = zone_file(view.domain, view.records, servers)
    print(text, end="", flush=True)


_MARKS = {"ok": "ok", "unknown": "NOT KNOWN", "warning": "WARNING", "error": "WRONG"}


def _show(check: DomainCheck) -> None:
    say(f"{check.domain} ({check.tenant}): {_MARKS[check.verdict]}")
    for finding in check.findings:
        _say(finding)


def _say(finding: DnsFinding) -> None:
    say(f"  {_MARKS[finding.verdict]}: {finding.about} {finding.name}: {finding.what}")
    for text in finding.there:
        say(f"    is:        {text}")
    for text in finding.wanted:
        say(f"    should be: {text}")
