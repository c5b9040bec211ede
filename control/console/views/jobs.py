"""Jobs: what is done by the calendar, how it went, and doing it now."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.visit import Visit
from control.jobs.run import JobView, RunView

JOBS = ("GET", "/api/v2/jobs")
RUNS = ("GET", "/api/v2/jobs/{job}")
RUN = ("POST", "/api/v2/jobs/{job}/run")


async def view(visit: Visit) -> Mapping[str, Any]:
    """By name."""
    found: list[JobView] = await visit.ask(*JOBS)
    return {"found": found}


async def run(visit: Visit) -> Done:
    """What is due now of the job that the form names, or of what was due at its `due`."""
    query = visit.given("due", "reason")
    done: RunView = await visit.ask(*RUN, names={"job": visit.form.get("job", "")}, query=query)
    if done.state == "running":
        return Done(f"{done.job} runs; look again in a while.")
    return Done(f"{done.job}: {done.state}. {done.said}")


PAGE = Page(
    path="/jobs",
    title="Jobs",
    menu="Jobs",
    template="jobs.html",
    view=view,
    needs=JOBS,
    actions={"run": Action(RUN, run, "Run now")},
)
