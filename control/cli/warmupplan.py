"""`sendgate warmup plan …`: the plans that IPs follow."""

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason, removed
from control.plan.changed import Changed
from control.terminal.client import Client
from control.terminal.options import Body, options
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, table
from control.warmup.plans import NewPlan, PlanView

app = typer.Typer(no_args_is_help=True, help="Warm-up plans: stages, and what a step asks for.")

PATH = "/api/v2/warmup/plans"


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, every: All = False) -> None:
    """All plans; `default` is the configuration's."""
    line = line_of(context)
    found = listed(Client(line), PATH, PlanView, limit, every)
    as_json(found) if line.json else _plans(found)


@app.command()
def show(context: typer.Context, name: str) -> None:
    """One plan with its stages."""
    line = line_of(context)
    found = Client(line).get(f"{PATH}/{name}", PlanView)
    if line.json:
        as_json(found)
        return
    _plans([found])
    table(("stage", "a day", "ceilings"), ((s.stage, s.quota, s.ceilings) for s in found.stages))


@app.command()
@options(NewPlan, but=("name",), named={"quotas": "--quota", "shares": "--share"})
def add(context: typer.Context, name: str, body: Body, dry_run: Dry = False) -> None:
    """Store a plan: a --quota for each stage, or --ready with a --target."""
    change(
        *(context, "POST", PATH, {**body, "name": name}, Changed[PlanView]),
        f"warm-up plan {name} added",
        dry_run=dry_run,
        show=lambda view: _plans([view]),
    )


@app.command()
def remove(context: typer.Context, name: str, reason: Reason = "", dry_run: Dry = False) -> None:
    """Remove a plan that no IP is on."""
    removed(context, f"{PATH}/{name}", f"warm-up plan {name}", dry_run, False, reason)


def _plans(found: list[PlanView]) -> None:
    table(
        ("plan", "stages", "first", "last", "days", "growth", "breach", "IPs", "source"),
        (
            (
                *(p.name, len(p.stages), p.stages[0].quota, p.stages[-1].quota),
                *(p.days, p.growth, p.breach, p.ips, p.source or "-"),
            )
            for p in found
        ),
    )
