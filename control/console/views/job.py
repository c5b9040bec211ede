"""One job: its runs, the latest first."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Page
from control.console.views.jobs import JOBS, RUN, RUNS, run
from control.console.visit import Visit
from control.jobs.run import JobView, RunView
from control.problem import missing

PART = 50
STATES = ("running", "done", "failed", "dead")


async def view(visit: Visit) -> Mapping[str, Any]:
    """`job` of the path."""
    name = visit.names["job"]
    jobs: list[JobView] = await visit.ask(*JOBS)
    job = next((one for one in jobs if one.name == name), None)
    if job is None:
        raise missing("job", name)
    state = visit.query.get("state")
    query = {"state": state, "limit": PART, "after": visit.query.get("after")}
    runs: list[RunView]
    runs, after = await visit.listed(*RUNS, names={"job": name}, query=query)
    return {
        "title": name,
        "job": job,
        "runs": runs,
        "after": after,
        "filters": {"state": state or ""},
        "states": STATES,
    }


PAGE = Page(
    path="/jobs/{job}",
    title="One job",
    template="job.html",
    view=view,
    needs=RUNS,
    under="/jobs",
    actions={"run": Action(RUN, run, "Run now")},
)
