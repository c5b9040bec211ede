"""`sendgate plan list|show`: plans that were published, who made each, and what it changed."""

from typing import Annotated

import typer

from control.cli import whatif
from control.cli.change import change
from control.cli.removal import Dry, Reason
from control.plan.changed import Changed
from control.plan.history import PlanAct, PlanPage, PlanQuery, PlanView
from control.rollback.change import PlanBackView
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, part_of
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="Published plans (generations): when, who, why, what.")

app.command()(whatif.growth)


@app.command("list")
@filters(PlanQuery)
def list_(context: typer.Context, query: Body, every: All = False) -> None:
    """Newest first; as many as control.generations_kept keeps."""
    line = line_of(context)
    page = part_of(Client(line), "/api/v2/plans", PlanPage, query, every=every, rows="plans")
    if line.json:
        as_json(page)
        return
    table(
        ("plan", "at", "who", "for", "reason"),
        ((p.number, p.at, p.who, _acts(p.acts), _reasons(p.acts)) for p in page.plans),
    )
    if page.before is not None:
        say(f"more: --before {page.before}")


@app.command()
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=0, help="Its number.")],
    against: Annotated[
        int | None, typer.Option(min=0, help="The number of another; else the one before it.")
    ] = None,
) -> None:
    """One plan, and what it changed against the one before, or any other."""
    line = line_of(context)
    found = Client(line).get(f"/api/v2/plans/{number}", PlanView, against=against)
    if line.json:
        as_json(found)
        return
    say(f"plan {found.number}, {found.at}, by {found.who}")
    for act in found.acts:
        say(f"for {act.action} {act.subject}" + (f": {act.reason}" if act.reason else ""))
    other = "" if found.against is None else f" against plan {found.against}"
    say(f"what it changed{other}:")
    for text in found.changes:
        say(f"  {text}")
    table(
        ("noun", "in it", "added", "changed", "removed"),
        ((noun, m.total, m.added, m.changed, m.removed) for noun, m in found.counts.items()),
    )


@app.command()
def rollback(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=0, help="Its number, as `plan list` has it.")],
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Set again what an earlier plan had: pools, overflow, members, weights, rates, terms of
    tenants. Never what an IP may send, a pause, a login or a network."""
    body = {"reason": reason} if reason else {}
    path, kind = f"/api/v2/plans/{number}/rollback", Changed[PlanBackView]
    change(
        *(context, "POST", path, body, kind, f"gone back to plan {number}"),
        dry_run=dry_run,
        show=_went_back,
        seen="/api/v2/generation",
    )


def _went_back(view: PlanBackView) -> None:
    for sentence in view.sets:
        say(f"  {sentence}")


def _acts(acts: list[PlanAct]) -> str:
    return ", ".join(f"{act.action} {act.subject}" for act in acts) or "published again"


def _reasons(acts: list[PlanAct]) -> str:
    return "; ".join(dict.fromkeys(act.reason for act in acts if act.reason))
