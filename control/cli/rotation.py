"""`sendgate domain rotate`: a new DKIM key in stages, and how far it is."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason
from control.plan.changed import Changed
from control.rotation.stages import RotationOrder
from control.sources.dns import dkim_name, zone_text
from control.sources.domainview import DomainView
from control.terminal.show import say


def rotate(
    context: typer.Context,
    domain: str,
    selector: Annotated[
        str | None, typer.Option(help="Name of the new key in DNS; else from the month.")
    ] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Call the new key off, unless it signs.")
    ] = False,
    finish: Annotated[
        bool,
        typer.Option(
            "--finish",
            help="Delete the former key, where PowerMTA's configuration is carried by hand.",
        ),
    ] = False,
    tenant: Annotated[str | None, typer.Option()] = None,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Replace a domain's DKIM key: a new one is made, signs once DNS shows it, and the former one
    goes a week later."""
    if sum((cancel, finish, selector is not None)) > 1:
        raise typer.BadParameter("--selector, --cancel and --finish exclude one another")
    path = f"/api/v2/domains/{domain}/rotation"
    if cancel or finish:
        method, path = ("DELETE", path) if cancel else ("POST", f"{path}/finish")
        what = "the new DKIM key is called off" if cancel else "the former DKIM key is deleted"
        change(
            *(context, method, path, None, Changed[DomainView], f"{domain}: {what}"),
            dry_run=dry_run,
            tenant=tenant,
            reason=reason or None,
        )
        return
    order = RotationOrder(selector=selector, reason=reason)
    change(
        *(context, "POST", path, order, Changed[DomainView], f"{domain}: a new DKIM key is made"),
        dry_run=dry_run,
        show=_record,
        tenant=tenant,
    )


def _record(view: DomainView) -> None:
    if view.rotation is None:
        return
    name = dkim_name(view.rotation.selector, view.domain)
    say("DNS record to publish, beside the one that is there:")
    for record in view.records:
        if record.name == name:
            say(zone_text(record))


def short(view: DomainView) -> str:
    """The stage, for a table."""
    return "-" if view.rotation is None else f"{view.rotation.stage}: {view.rotation.selector}"


def say_stage(view: DomainView) -> None:
    """How far it is, in a line or two."""
    of = view.rotation
    if of is None:
        return
    if of.switched is not None:
        say(
            f"DKIM: signs with {view.dkim_selector} since {of.switched}; the former key "
            f"{of.selector} and its record stay until it is told that they can go"
        )
    elif of.seen is not None:
        say(f"DKIM: the new key {of.selector} is seen since {of.seen}, and signs soon")
    else:
        say(f"DKIM: the new key {of.selector} is to be published, since {of.began}")
    if of.said:
        say(f"  last look: {of.said}")
