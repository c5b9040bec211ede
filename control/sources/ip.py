"""IPs: quota, warm-up stage, ceilings, pace, and their life from new to retiring."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from control.plan import rows
from control.plan.compile import DEFAULT_PLAN, plans_of, stage_limits
from control.plan.rows import VmtaRow, vmta_by_ip
from control.problem import RefusedError, bad, missing, taken
from control.sources.quota import QuotaText, quota_columns
from control.store.change import Act
from control.values.host import GreetingText, greeting_name
from control.values.ip import normal_ip
from control.values.provider import ALL_KNOWN, known_provider
from control.values.reason import ReasonText
from control.values.wanted import meant
from policy.model import Count, Name, Share
from policy.warmup.plan import Plan
from settings.model import Warmup
from settings.statements import statements

_VMTA = statements(__package__, "vmta")

Order = Literal["pause", "resume", "retire"]

_STATES: dict[tuple[str, Order], str] = {
    ("new", "pause"): "paused",
    ("warming", "pause"): "paused",
    ("active", "pause"): "paused",
    ("paused", "pause"): "paused",
    ("new", "resume"): "",
    ("paused", "resume"): "",
    ("retiring", "resume"): "",
    ("warming", "resume"): "warming",
    ("active", "resume"): "active",
    ("new", "retire"): "retiring",
    ("warming", "retire"): "retiring",
    ("active", "retire"): "retiring",
    ("paused", "retire"): "retiring",
    ("retiring", "retire"): "retiring",
}
"""Every transition there is; '' goes back to what the quota says (warming on a plan, else active).
A retiring IP is not paused: it does not send, and pausing it would hide that it is leaving."""


class IpChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays as it is."""

    either: ClassVar = ({"plan": {"type": "null"}}, {"quota": {"enum": ["plan", None]}})
    """A quota of its own switches the plan off."""

    quota: Annotated[
        QuotaText | None, meant("Recipients a day, unlimited, or plan (the warm-up plan decides).")
    ] = None
    stage: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=520)] | None,
        meant("Stage of the warm-up plan, from 1."),
    ] = None
    plan: Annotated[
        Name | None, meant("Warm-up plan that decides its quota; a new one begins at stage 1.")
    ] = None
    state: Order | None = None
    hourly_share: Annotated[
        Share | None,
        meant("Largest burst as a share of the day; 1.0 switches pacing off."),
    ] = None
    weight: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=1000)] | None,
        meant("Its part of the pool's mail, beside the others'."),
    ] = None
    ceilings: Annotated[
        Annotated[
            dict[str, Count],
            ALL_KNOWN,
        ]
        | Literal["plan"]
        | None,
        meant(
            "Recipients a day of a provider, in place of all of the plan's; plan: the plan's again."
        ),
    ] = None
    per_minute: Annotated[
        Count | UnsetType | None, meant("Most recipients in any 60 seconds; null is off.")
    ] = UNSET
    per_hour: Annotated[
        Count | UnsetType | None, meant("Most recipients in any 3,600 seconds; null is off.")
    ] = UNSET
    host_name: Annotated[
        GreetingText | None, meant("What it says in EHLO: a name that no other IP has.")
    ] = None
    reason: ReasonText = ""


async def change(
    act: Act,
    ip: str,
    wanted: IpChange,
    *,
    warmup: Warmup,
    finished: bool = False,
    grown: int | None = None,
) -> str:
    """Returns the IP in its usual spelling. What only warm-up says: `finished`, that the IP is past
    its plan and ACTIVE; `grown`, its quota then. Raises RefusedError."""
    ip = normal_ip(ip)
    row = await vmta_by_ip(act.connection, ip)
    if row is None:
        raise missing("IP", ip)
    plans = plans_of(await rows.stages(act.connection), warmup)
    after = _applied(row, wanted, plans, finished=finished)
    if grown is not None:
        after = msgspec.structs.replace(after, grown=grown)
    if wanted.host_name is not None:
        host = await own_host_name(act, wanted.host_name, ip)
        after = msgspec.structs.replace(after, host_name=host)
    if after == row:
        act.no_change(f"IP {ip} is {row.state} and like that already")
        return ip
    for text in _lost_ceilings(row, after, plans):
        act.note(text)
    await act.connection.execute(
        _VMTA["set"],
        *(row.tenant, row.name, after.state, after.quota_source),
        *(after.fixed_quota, after.hourly_share, after.weight, after.plan, after.stage),
        *(after.ceilings, after.host_name, after.grown, after.per_minute, after.per_hour),
    )
    if after.state == "retiring" != row.state:
        for pool, waiting in await act.connection.fetch(_VMTA["sends_alone"], row.name):
            held = "1 message waits" if waiting == 1 else f"{waiting} messages wait"
            act.note(
                f"pool {pool} has no other IP that sends: its mail is held until it has one "
                f"({held} now)"
            )
    if row.host_name != after.host_name:
        act.note(
            f"it says EHLO {after.host_name} from the next connection on: its A (or AAAA) and PTR "
            f"records must say so, too (`sendgate domain show`); those of {row.host_name} can go"
        )
    if _begins(row) != _begins(after):
        await act.connection.execute(
            _VMTA["add_history"],
            *(row.name, act.now, _quota_text(row), _quota_text(after)),
            *(row.stage, after.stage, act.who, wanted.reason, row.state, after.state),
        )
    before, now = _shown(row), _shown(after)
    changed = {field for field in now if before[field] != now[field]}
    await act.audit(
        "ip.set",
        ip,
        {field: before[field] for field in sorted(changed)},
        {field: now[field] for field in sorted(changed)},
        wanted.reason,
        tenant=row.tenant,
    )
    return ip


async def own_host_name(act: Act, text: str, ip: str) -> str:
    """A host name that no other IP has, in the usual spelling. Raises RefusedError."""
    host = greeting_name("host_name", text)
    other = await act.connection.fetchval(_VMTA["by_host_name"], host)
    if other not in (None, ip):
        raise bad("host_name", f"{host} is the name of IP {other} already: each IP has its own")
    return host


def _begins(row: VmtaRow) -> tuple[object, ...]:
    """What a window of evidence is of: with another one it begins anew."""
    return (_quota_text(row), row.plan, row.stage, row.state, row.grown)


def _applied(row: VmtaRow, wanted: IpChange, plans: dict[str, Plan], *, finished: bool) -> VmtaRow:
    """The row with the changes in it; pure. Raises RefusedError."""
    columns = msgspec.structs.asdict(row)
    for field in ("hourly_share", "weight"):
        if (value := getattr(wanted, field)) is not None:
            columns[field] = value
    for field in ("per_minute", "per_hour"):
        if (most := getattr(wanted, field)) is not UNSET:
            columns[field] = most
    if wanted.quota is not None:
        columns["quota_source"], columns["fixed_quota"] = quota_columns(wanted.quota)
        if wanted.quota == "plan":
            columns["ceilings"] = None
    if wanted.plan is not None:
        if wanted.plan not in plans:
            known = ", ".join(sorted(plans))
            raise taken("plan", f"there is no warm-up plan {wanted.plan}; known: {known}")
        if wanted.quota not in (None, "plan"):
            raise bad("plan", "a quota of its own switches the plan off: give one of them")
        if wanted.plan != columns["plan"]:
            columns["stage"] = 1
        columns["quota_source"], columns["fixed_quota"] = quota_columns("plan")
        columns["plan"] = wanted.plan
    if wanted.ceilings is not None:
        columns["ceilings"] = _ceilings(wanted.ceilings)
    on_plan = columns["quota_source"] == "plan"
    if wanted.stage is not None:
        if not on_plan:
            raise bad("stage", f"IP {row.ip} is not on a warm-up plan; set quota to plan with it")
        columns["stage"] = wanted.stage
    if on_plan:
        columns["plan"] = columns["plan"] or DEFAULT_PLAN
        columns["stage"] = columns["stage"] or 1
        stages = len(plans[columns["plan"]].stages) if columns["plan"] in plans else 0
        if wanted.stage is not None and wanted.stage > stages:
            raise bad("stage", f"{wanted.stage} is too high: the plan has {stages} stages")
    elif wanted.ceilings == "plan":
        raise bad("ceilings", f"IP {row.ip} is not on a warm-up plan; set quota to plan with it")
    same = (row.quota_source, row.plan, row.stage) == (
        *(columns["quota_source"], columns["plan"], columns["stage"]),
    )
    if not same or not on_plan:
        columns["grown"] = None
    past = same and (finished or row.state == "active")
    sending = "active" if past or not on_plan else "warming"
    if columns["state"] in ("warming", "active"):
        columns["state"] = sending
    if wanted.state is not None:
        goal = _STATES.get((row.state, wanted.state))
        if goal is None:
            raise RefusedError(f"IP {row.ip} is {row.state}: it cannot be {wanted.state}d")
        columns["state"] = sending if goal in ("", "warming", "active") else goal
    return VmtaRow(**columns)


def _ceilings(wanted: dict[str, int] | Literal["plan"]) -> dict[str, int] | None:
    if wanted == "plan":
        return None
    for provider in wanted:
        known_provider(provider, "ceilings")
    return wanted


def _lost_ceilings(before: VmtaRow, after: VmtaRow, plans: dict[str, Plan]) -> list[str]:
    """Says which ceilings a change of quota took away without being asked to."""
    old, new = stage_limits(before, plans), stage_limits(after, plans)
    if isinstance(old, str) or isinstance(new, str):
        return []
    listed = " ".join(f"{provider}={count}" for provider, count in sorted(old[1].items()))
    if before.quota_source == "plan" and after.quota_source != "plan" and old[1] and not new[1]:
        text = f"the ceilings of the plan ({listed}) went with it: one provider may get the whole "
        return [text + "quota now; set ceilings with --ceiling PROVIDER=N"]
    if before.ceilings is not None and after.ceilings is None:
        return [f"the IP's own ceilings ({listed or 'none'}) gave way to the plan's"]
    return []


def _shown(row: VmtaRow) -> dict[str, Any]:
    """A row as the audit log has it: its quota in the words it was given in."""
    columns: dict[str, Any] = msgspec.to_builtins(row)
    del columns["quota_source"], columns["fixed_quota"]
    return {**columns, "quota": _quota_text(row)}


def _quota_text(row: VmtaRow) -> str:
    return str(row.fixed_quota) if row.quota_source == "fixed" else row.quota_source or "none"
