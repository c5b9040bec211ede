"""/api/v2/jobs: what is done by the calendar."""

from collections.abc import Awaitable, Callable

from control.api.listing import Listing
from control.api.route import Call, Route
from control.jobs.run import DueQuery, JobView, RunQuery, RunView
from control.jobs.runner import Runner
from control.values.part import Part, Slice
from control.values.time import moment

PATH = "/api/v2/jobs"

Listed = Callable[[], Awaitable[list[JobView]]]
Runs = Callable[[str, RunQuery, Part], Awaitable[Slice[RunView]]]


class JobsApi:
    """Asks `listed` and `runs` each time."""

    def __init__(self, runner: Runner, listed: Listed, runs: Runs) -> None:
        self._runner = runner
        self._listed = listed
        self._runs = runs

    async def _list(self, _: Call) -> list[JobView]:
        return await self._listed()

    async def _show(self, call: Call) -> Slice[RunView]:
        return await self._runs(self._runner.named(call.path["job"]).name, call.wanted, call.parted)

    async def _run(self, call: Call) -> RunView:
        wanted: DueQuery = call.wanted
        due = None
        if wanted.due is not None:
            due = round(moment(wanted.due, "due").timestamp() * 1000)
        return await self._runner.by_hand(call.path["job"], call.who, due, wanted.reason)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                PATH,
                "What is done by the calendar",
                self._list,
                list[JobView],
                listing=Listing(key=("name",), sorts=("name", "-name")),
            ),
            Route(
                "GET",
                f"{PATH}/{{job}}",
                "Runs of one job, the latest first",
                self._show,
                list[RunView],
                wanted=RunQuery,
                listing=Listing(key=("due",), sorts=("-due", "due"), shown=(1_772_352_000_000,)),
            ),
            Route(
                "POST",
                f"{PATH}/{{job}}/run",
                "Run it now; answered when it ended, or after 20 s while it goes on",
                self._run,
                RunView,
                wanted=DueQuery,
            ),
        ]
