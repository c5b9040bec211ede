"""What people see and do of sending as a whole: whether it runs, stop, start, and once by hand.

By hand: every releaser trusts no denial it remembers and looks at all that waits, and warm-up looks
at all IPs, as its job of the night does; the run is listed with that job's.
"""

from typing import Any, Literal

import msgspec

from control.jobs.job import Job
from control.jobs.run import RunView, job_views
from control.jobs.runner import Runner
from control.plan.changed import Changed, sure
from control.plan.done import Done
from control.plan.publish import Publisher
from control.problem import RefusedError
from control.stop.stop import Stop, standing, start, stop
from control.store.change import Act, Still
from control.store.database import Connection
from control.values.reason import ReasonText
from policy.isotime import instant
from policy.ledger.admin import LedgerAdmin

LOOKS = ("warmup", "warmup-late")
"""Jobs in which warm-up looks at all IPs; the first is the one that is run by hand."""


class ControlAct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with all sending. `stop`: nothing is released or sent, mail that comes is held,
    warm-up decides nothing, until `start`; `trigger`: one look at all that waits and at all IPs."""

    action: Literal["start", "stop", "trigger"]
    reason: ReasonText = ""


class ControlView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether mail goes and warm-up decides."""

    running: bool
    stopped: Stop | None
    """Since when not, by whom and why; null while it runs, and for who sees one tenant alone."""
    last: str | None
    """When warm-up last looked at all IPs, ISO time; null: it never did."""
    next: str | None
    """When it does next; null while it is stopped."""
    releasers: int
    """Live processes that release held mail."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The part of it that somebody sets."""

    running: bool
    stopped: Stop | None


MEASURED = frozenset(ControlView.__struct_fields__) - frozenset(Settled.__struct_fields__)


class Control:
    """Of one control node. Its calls raise RefusedError, redis-py's errors and those of a database
    that is away."""

    def __init__(
        self, pool: Any, publisher: Publisher, admin: LedgerAdmin, runner: Runner, now: Any
    ) -> None:
        """`now`: calendar milliseconds, to be awaited."""
        self._pool = pool
        self._publisher = publisher
        self._admin = admin
        self._runner = runner
        self._now = now

    async def view(self) -> ControlView:
        """As it is."""
        found = await standing(self._pool)
        jobs = await job_views(self._pool, self._looks(), await self._now())
        ended = [job.last.ended or job.last.started for job in jobs if job.last is not None]
        figures = await self._admin.figures()
        return ControlView(
            running=found is None,
            stopped=found,
            last=max(ended, default=None),
            next=None if found is not None else min(job.next for job in jobs),
            releasers=sum(one.sessions is None and one.began > 0 for one in figures.values()),
        )

    async def settled(self, connection: Connection) -> Settled:
        """What of it somebody sets."""
        found = await standing(connection)
        return Settled(running=found is None, stopped=found)

    async def act(
        self, who: str, wanted: ControlAct, *, dry: bool, still: Still | None = None
    ) -> Changed[ControlView]:
        """Do it; answered when every live gateway runs the plan, or with those that do not."""
        if wanted.action == "trigger":
            if still is not None:
                await still(self._pool)
            return await self._once(who, wanted.reason, dry=dry)
        stopping = wanted.action == "stop"

        async def change(act: Act) -> Stop | None:
            return await (stop if stopping else start)(act, wanted.reason)

        done: Done[Stop | None] = await self._publisher.change(who, sure(change, still), dry=dry)
        notes = [*done.notes]
        if not stopping and done.changed and not dry and done.result is not None:
            notes += await self._caught_up(who, done.result)
        return Changed(
            view=await self.view(),
            generation=done.generation,
            late=done.late,
            dry_run=dry,
            changed=done.changed,
            notes=notes,
            differences=done.differences,
        )

    def _looks(self) -> list[Job]:
        return [self._runner.named(name) for name in LOOKS]

    async def _caught_up(self, who: str, ended: Stop) -> list[str]:
        """The look of a night in which it was stopped is done now."""
        now = await self._now()
        if ended.since[:10] == instant(now)[:10]:
            return []
        try:
            run = await self._runner.by_hand(LOOKS[0], who, None, "sending was stopped at its time")
        except RefusedError as error:
            return [f"warm-up was not looked at: {error.detail}"]
        return [f"warm-up: {said(run)}"]

    async def _once(self, who: str, reason: str, *, dry: bool) -> Changed[ControlView]:
        found = await standing(self._pool)
        if found is not None:
            raise RefusedError(
                f"{found.sentence()}: start it first (`sendgate warmup start`), which lets all of "
                "it go"
            )
        notes = []
        if not dry:
            await self._admin.stir()
            run = await self._runner.by_hand(LOOKS[0], who, None, reason)
            notes = ["every releaser looks at all that waits", f"warm-up: {said(run)}"]
        view = await self.view()
        number = await self._admin.number()
        return Changed(view=view, generation=number, dry_run=dry, notes=notes)


def said(run: RunView) -> str:
    """How a look by hand went."""
    return run.said or f"it goes on (`sendgate job show {run.job}`)"
