"""`sendgate job …`: what is done by the calendar."""

import typer

from control.jobs.run import DueQuery, JobView, RunQuery, RunView
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, Limit, listed, part_of, say_more
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="What is done by the calendar, and how it went.")

PATH = "/api/v2/jobs"


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, every: All = False) -> None:
    """Each job: when it ran last and how that went, and when it is due next."""
    line = line_of(context)
    found = listed(Client(line), PATH, JobView, limit, every)
    if line.json:
        as_json(found)
        return
    table(
        ("job", "when", "next", "last due", "state", "took", "said"),
        (
            (
                *(job.name, job.when, job.next),
                *(
                    (job.last.due, job.last.state, _took(job.last), job.last.said)
                    if job.last
                    else ("never", None, None, None)
                ),
            )
            for job in found
        ),
    )
    for job in found:
        for run in job.dead:
            say(f"given up: {job.name} of {run.due} after {run.attempts} attempts: {run.said}")
            say(f"          next: sendgate job run {job.name} --due {run.due}")


@app.command()
@filters(RunQuery)
def show(context: typer.Context, job: str, query: Body, every: All = False) -> None:
    """Its runs, the latest first."""
    line = line_of(context)
    path = f"{PATH}/{job}"
    client = Client(line)
    found = part_of(client, path, list[RunView], query, every=every)
    if line.json:
        as_json(found)
        return
    table(
        ("due", "by hand", "state", "attempts", "node", "started", "took", "said"),
        (
            (r.due, r.by_hand or None, r.state, r.attempts, r.node, r.started, _took(r), r.said)
            for r in found
        ),
    )
    say_more(client)


@app.command()
@filters(DueQuery)
def run(context: typer.Context, job: str, query: Body) -> None:
    """Run it now, as the audit log will tell. Exit code 1 where it fails."""
    line = line_of(context)
    path = f"{PATH}/{job}/run"
    done = Client(line).send("POST", path, None, RunView, **query)
    as_json(done) if line.json else say(f"job {done.job} of {done.due}: {done.state}: {done.said}")
    if done.state in ("failed", "dead"):
        raise typer.Exit(1)


def _took(run: RunView) -> str | None:
    return None if run.seconds is None else f"{run.seconds:.1f} s"
