"""An IP as warm-up sees it: its row, when its stage began, what its plan is, what it may send."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from control.plan.page import WHOLE, Page
from control.store.database import Connection, fetch
from policy.limits import day_of
from policy.warmup.evidence import Day
from policy.warmup.plan import Plan, Stage, limits
from settings.statements import statements

SQL = statements(__package__, "source")

WHO = "warmup"
"""In histories, of what the engine does by itself."""
DECIDED = frozenset({"warming", "active", "paused"})
"""States that warm-up decides about: an IP that is retiring, or was never used, is not its."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One IP."""

    id: int = 0
    name: str
    tenant: str
    ip: str
    state: str
    quota_source: str | None
    fixed_quota: int | None
    plan: str | None
    stage: int | None
    grown: int | None
    created: int
    """Calendar milliseconds, as the next one."""
    began: int | None
    """When its stage or state changed last, in its history."""
    who: str | None
    """Who changed it then."""

    @property
    def since(self) -> int:
        """When what is judged began."""
        return self.created if self.began is None else self.began

    @property
    def since_day(self) -> int:
        """Since the epoch."""
        return day_of(self.since)

    @property
    def on_plan(self) -> bool:
        """Whether stages are its way."""
        return self.quota_source == "plan"

    @property
    def by_hand(self) -> bool:
        """Whether a person made it what it is."""
        return self.who != WHO


class Imported(msgspec.Struct, frozen=True):
    """Days of an IP that ran elsewhere before: evidence, and no statistics of ours."""

    at: int
    """When its stage was set with them, calendar milliseconds: with another stage they are over."""
    days: tuple[Day, ...]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `warmup_state`."""

    vmta: str
    provider: str
    stage: int | None = None
    paused: bool = False
    since: int | None = None
    earned: list[int] | None = None
    earned_on: int | None = None
    idle_mail: int | None = None
    idle_taken: int = 0
    cool_until: int | None = None
    cool_same: bool = False
    override: str = ""
    override_until: int | None = None
    override_who: str = ""
    imported: Imported | None = None

    def standing(self, now: int) -> str:
        """The act by hand that stands at a time, in words; '': none does."""
        if not self.override or (self.override_until is not None and self.override_until <= now):
            return ""
        return f"{self.override} (by {self.override_who})"


States = Mapping[tuple[str, str], Kept]
"""By VirtualMTA and provider."""


async def sources(
    connection: Connection,
    *,
    names: Collection[str] | None = None,
    ips: Collection[str] | None = None,
    tenant: str | None = None,
    page: Page = WHOLE,
) -> list[Source]:
    """IPs in the order of their VirtualMTAs' names, all or those that are asked for."""
    given = (names, ips, tenant, page.after, page.limit)
    found = (page.containing, page.state, page.domain, page.pool, page.plan, page.provider)
    return await fetch(connection, Source, SQL["sources"], *given, *found)


async def states(connection: Connection, names: Collection[str]) -> dict[tuple[str, str], Kept]:
    """Of some VirtualMTAs."""
    found = await fetch(connection, Kept, SQL["states"], list(names))
    return {(one.vmta, one.provider): one for one in found}


async def keep(connection: Connection, kept: Kept) -> None:
    """Store a row."""
    columns: dict[str, Any] = msgspec.structs.asdict(kept)
    columns["imported"] = None if kept.imported is None else msgspec.to_builtins(kept.imported)
    await connection.execute(SQL["keep"], *columns.values())


def plan_of(source: Source, plans: Mapping[str, Plan]) -> Plan | None:
    """What it follows: its plan, or the one stage that its own quota is. None: it has neither,
    and the plan that gateways have names it."""
    if source.on_plan:
        found = plans.get(source.plan or "")
        return None if source.stage is None else found
    if source.fixed_quota is None and source.quota_source != "unlimited":
        return None
    return Plan(name="own", stages=(Stage(quota=source.fixed_quota or 0),))


def quota_of(source: Source, plan: Plan) -> int:
    """Recipients a day; 0 for an unlimited IP."""
    if not source.on_plan:
        return source.fixed_quota or 0
    stage = source.stage or 1
    if source.grown is not None and stage >= len(plan.stages):
        return source.grown
    return limits(plan, stage).quota
