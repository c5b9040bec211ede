"""/api/v2/jobs: what is done by the calendar."""

from collections.abc import Awaitable, Callable

from control.api.route import Call, Route
from control.jobs.run import SHOWN, JobView, RunView
from control.jobs.runner import Runner
from control.problem import bad
from control.values.time import moment

PATH = "/api/v2/jobs"
STATES = ("running", "done", "failed", "dead")

Listed = Callable[[], Awaitable[list[JobView]]]
Runs = Callable[[str, str | None, int], Awaitable[list[RunView]]]


class JobsApi:
    """Asks `listed` and `runs` each time."""

    def __init__(self, runner: Runner, listed: Listed, runs: Runs) -> None:
        self._runner = runner
        self._listed = listed
        self._runs = runs

    async def _list(self, _: Call) -> list[JobView]:
        return await self._listed()

    async def _show(self, call: Call) -> list[RunView]:
        job = self._runner.named(call.path["job"])
        state = call.query.get("state")
        if state is not None and state not in STATES:
            raise bad("state", f"{state!r} is none of {', '.join(STATES)}")
        return await self._runs(job.name, state, max(1, call.number("limit", 20, SHOWN)))

    async def _run(self, call: Call) -> RunView:
        text = call.query.get("due")
        due = None if text is None else round(moment(text, "due").timestamp() * 1000)
        return await self._runner.by_hand(call.path["job"], call.who, due)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("GET", PATH, "What is done by the calendar", self._list, list[JobView]),
            Route(
                "GET",
                f"{PATH}/{{job}}",
                "Runs of one job, the latest first",
                self._show,
                list[RunView],
                query={
                    "state": f"one of {', '.join(STATES)}",
                    "limit": f"how many, at most {SHOWN}; 20",
                },
            ),
            Route(
                "POST",
                f"{PATH}/{{job}}/run",
                "Run it now; answered when it ended, or after 20 s while it goes on",
                self._run,
                RunView,
                query={"due": "ISO time: what was due then, once more; without it, what is now"},
            ),
        ]
