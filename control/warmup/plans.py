"""Stored warm-up plans: made from quotas or from a ready-made shape, and removed when unused."""

from typing import Annotated, Literal

import msgspec

from control.plan import rows
from control.plan.compile import DEFAULT_PLAN, plans_of
from control.problem import RefusedError, bad, counted, missing, taken
from control.store.change import Act
from control.store.database import Connection
from control.values.name import NewName, new_name
from control.values.reason import ReasonText
from control.values.wanted import meant
from policy.model import Count, Share
from policy.warmup.plan import MAX_GROWTH, Plan, problems, stage_of
from policy.warmup.ready import READY, ready_plan
from settings.model import Warmup
from settings.statements import statements

_SQL = statements(__package__, "plans")

MOST = 520
"""Stages: as many as an IP may be set to."""
Shape = Literal["doubling", "daily-30", "ses-45"]


class NewPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan, by its quotas or by a ready-made shape."""

    name: NewName
    quotas: Annotated[
        Annotated[list[Count], msgspec.Meta(max_length=MOST)] | None,
        meant("Recipients a day of each stage, rising."),
    ] = None
    ready: Annotated[Shape | None, meant("A ready-made shape, in place of quotas.")] = None
    target: Annotated[
        Annotated[int, msgspec.Meta(ge=51, le=1_000_000_000)] | None,
        meant("Of a ready-made shape: the last stage's quota."),
    ] = None
    shares: Annotated[
        dict[str, Share] | None,
        meant("Most of a day's quota that a provider may get; null: warmup.provider_shares."),
    ] = None
    days: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=28)] | None,
        meant("Counted days a stage; null: 7, or what the shape says."),
    ] = None
    growth: Annotated[
        Annotated[float, msgspec.Meta(ge=1, le=MAX_GROWTH)],
        meant("What an ACTIVE IP's quota is multiplied by after each such window; 1: it stays."),
    ] = 1.0
    breach: Annotated[
        Literal["pause", "step_back"], meant("What a rate that is proven over its limit does.")
    ] = "pause"
    reason: ReasonText = ""


class StageView(msgspec.Struct, frozen=True, kw_only=True):
    """A stage, from 1."""

    stage: int
    quota: int
    ceilings: dict[str, int]


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and how many IPs are on it."""

    name: str
    stages: list[StageView]
    days: int
    growth: float
    breach: str
    source: str
    """Where its shape comes from; empty: somebody's own."""
    ips: int


async def plan_views(connection: Connection, warmup: Warmup) -> list[PlanView]:
    """All, by name; `default` is the settings' unless one of that name is stored."""
    plans = plans_of(await rows.stages(connection), warmup)
    known = {row["plan"]: row for row in await connection.fetch(_SQL["plans"])}
    used = {row["plan"]: row["ips"] for row in await connection.fetch(_SQL["used"])}
    found = []
    for name, plan in sorted(plans.items()):
        source = known[name]["source"] if name in known else "warmup.weeks of the configuration"
        found.append(_view(plan, source, used.get(name, 0)))
    return found


async def add(act: Act, new: NewPlan, *, warmup: Warmup) -> PlanView:
    """Raises RefusedError."""
    name = new_name("name", new.name)
    plan, source = _made(new, warmup)
    if await act.connection.fetchval(_SQL["there"], name):
        raise taken("name", f"there is a warm-up plan {name} already")
    await act.connection.execute(
        _SQL["add"], name, act.now, plan.days, plan.growth, plan.breach, source
    )
    await act.connection.execute(
        _SQL["add_stages"],
        name,
        list(range(1, len(plan.stages) + 1)),
        [stage.quota for stage in plan.stages],
        [msgspec.json.encode(stage.ceilings).decode() for stage in plan.stages],
    )
    shown = _view(plan, source, 0)
    await act.audit("warmup.plan.add", name, None, msgspec.to_builtins(shown), new.reason)
    return shown


async def remove(act: Act, name: str, reason: str) -> str:
    """Its name. Raises RefusedError: for one that IPs are on, too."""
    if not await act.connection.fetchval(_SQL["there"], name):
        if name == DEFAULT_PLAN:
            raise RefusedError("the default plan is the configuration's: change warmup.weeks")
        raise missing("warm-up plan", name)
    its = [row["ip"] for row in await act.connection.fetch(_SQL["its_ips"], name)]
    if its:
        raise RefusedError(
            f"warm-up plan {name} stays: {counted(its, 'IP')} on it; `sendgate ip set IP --plan "
            "OTHER` moves one"
        )
    await act.connection.execute(_SQL["remove"], name)
    await act.audit("warmup.plan.remove", name, {"name": name}, None, reason)
    return name


def _made(new: NewPlan, warmup: Warmup) -> tuple[Plan, str]:
    shares = warmup.provider_shares if new.shares is None else new.shares
    source = ""
    if new.ready is not None:
        if new.quotas is not None:
            raise taken("ready", "a ready-made shape has its own quotas: give one of them")
        try:
            plan = ready_plan(new.ready, target=new.target, shares=shares)
        except ValueError as error:
            raise bad("target", str(error)) from error
        source = READY[new.ready].source
    elif new.target is not None:
        raise taken("target", "is of a ready-made shape: give ready, too")
    else:
        plan = Plan(name=new.name, stages=tuple(stage_of(q, shares) for q in new.quotas or ()))
    plan = msgspec.structs.replace(
        plan,
        name=new.name,
        days=plan.days if new.days is None else new.days,
        growth=new.growth,
        breach=new.breach,
    )
    if found := problems(plan):
        raise taken("quotas", "; ".join(found))
    return plan, source


def _view(plan: Plan, source: str, ips: int) -> PlanView:
    stages = [
        StageView(stage=number, quota=stage.quota, ceilings=stage.ceilings)
        for number, stage in enumerate(plan.stages, 1)
    ]
    return PlanView(
        name=plan.name,
        stages=stages,
        days=plan.days,
        growth=plan.growth,
        breach=plan.breach,
        source=source,
        ips=ips,
    )
