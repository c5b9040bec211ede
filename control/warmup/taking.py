"""Taking over IPs that ran elsewhere: each goes on at its stage and day, all of them or none.

Rule: an IP that is new comes with its domain; one that is here is its tenant's already. Days it had
are evidence for its step, spread evenly, and never statistics of ours.
"""

from typing import Annotated

import msgspec

from control.plan import rows
from control.plan.compile import DEFAULT_PLAN, plans_of
from control.pmta.dkim import Seal
from control.problem import FieldProblem, RefusedError
from control.sources import domain, ip
from control.sources.domain import NewDomain
from control.sources.ip import IpChange
from control.store.change import Act
from control.store.reference import key
from control.values.host import DomainText
from control.values.ip import IpText, normal_ip
from control.values.reason import ReasonText
from control.warmup.source import Imported, Kept, keep, sources, states
from policy.limits import day_of
from policy.model import Count, Name
from policy.number import agree
from policy.number import count as numbered
from policy.warmup.evidence import Day
from policy.warmup.plan import limits
from settings.model import Warmup

MOST = 500
"""Rows of one import: a DKIM key each, made while nobody else changes anything."""


class TakenRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One IP. Counts are of its present stage."""

    tenant: Name
    """Its name, or its number."""
    domain: DomainText
    ip: IpText
    stage: Annotated[int, msgspec.Meta(ge=1, le=520)]
    day: Annotated[int, msgspec.Meta(ge=1, le=365)] = 1
    """Of the stage, from 1: those before it are over."""
    plan: Name = DEFAULT_PLAN
    sent: Count | None = None
    """Null: its quota on each day."""
    bounced: Count = 0
    complaints: Count = 0


class TakenRows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them, or none."""

    rows: Annotated[list[TakenRow], msgspec.Meta(min_length=1, max_length=MOST)]
    reason: ReasonText = ""


class TakenView(msgspec.Struct, frozen=True, kw_only=True):
    """An IP as it goes on here."""

    tenant: str
    domain: str
    ip: str
    new: bool
    """False: it was here."""
    stage: int
    day: int
    quota: int


async def take(act: Act, wanted: TakenRows, *, seal: Seal, warmup: Warmup) -> list[TakenView]:
    """Raises RefusedError with every row's problem."""
    problems: list[FieldProblem] = []
    taken: list[TakenView] = []
    met: dict[str, int] = {}
    status = 409
    for number, row in enumerate(wanted.rows, 1):
        try:
            address = normal_ip(row.ip)
            if address in met:
                raise RefusedError(f"ip: {address} stands in row {met[address]}, too")
            met[address] = number
            named = await key(act.connection, "tenant", row.tenant) or row.tenant
            one = msgspec.structs.replace(row, tenant=named)
            taken.append(await _one(act, one, address, wanted.reason, seal, warmup))
        except RefusedError as error:
            problems.append(FieldProblem(f"row {number}", error.line()))
            status = 400 if error.status == 400 else status
    if problems:
        title = (
            f"{len(problems)} of {numbered(len(wanted.rows), 'row')} "
            f"{agree(len(problems), 'is', 'are')} wrong; nothing was changed"
        )
        raise RefusedError(title, status=status, errors=problems)
    return taken


async def _one(
    act: Act, row: TakenRow, address: str, reason: str, seal: Seal, warmup: Warmup
) -> TakenView:
    plans = plans_of(await rows.stages(act.connection), warmup)
    if row.plan not in plans:
        raise RefusedError(f"plan: there is no warm-up plan {row.plan}")
    plan = plans[row.plan]
    if row.stage > len(plan.stages):
        raise RefusedError(f"stage: {row.stage} is too high: the plan has {len(plan.stages)}")
    quota = limits(plan, row.stage).quota
    before = row.day - 1
    if row.sent is not None and row.sent > quota * max(1, before):
        raise RefusedError(
            f"sent: {row.sent} in {numbered(before, 'day')} is more than {quota} a day"
        )
    if row.bounced + row.complaints and not before:
        raise RefusedError("day: counts are of days that are over, and on day 1 none is")
    found = await sources(act.connection, ips=[address])
    if found and found[0].tenant != row.tenant:
        raise RefusedError(f"ip: {address} is not available to tenant {row.tenant}")
    if not found:
        new = NewDomain(tenant=row.tenant, domain=row.domain, ip=address)
        await domain.add(act, new, seal=seal, warmup=warmup)
    change = IpChange(plan=row.plan, stage=row.stage, reason=reason)
    noted = len(act.unchanged)
    await ip.change(act, address, change, warmup=warmup)
    del act.unchanged[noted:]
    source = (await sources(act.connection, ips=[address]))[0]
    kept = (await states(act.connection, [source.name])).get((source.name, ""))
    kept = kept or Kept(vmta=source.name, provider="")
    today = day_of(act.milliseconds)
    imported = Imported(source.since, _days(row, quota, range(today - before, today)))
    await keep(act.connection, msgspec.structs.replace(kept, imported=imported))
    after = msgspec.to_builtins(row)
    await act.audit("warmup.import", address, None, after, reason, tenant=row.tenant)
    return TakenView(
        tenant=row.tenant,
        domain=row.domain,
        ip=address,
        new=not found,
        stage=row.stage,
        day=row.day,
        quota=quota,
    )


def _days(row: TakenRow, quota: int, days: range) -> tuple[Day, ...]:
    """Its counts, spread evenly; what does not divide is on the first ones."""
    count = len(days)
    if not count:
        return ()
    sent = quota * count if row.sent is None else row.sent
    found = []
    for at, day in enumerate(days):
        relayed, bounced, complaints = (
            whole // count + (at < whole % count) for whole in (sent, row.bounced, row.complaints)
        )
        found.append(Day(day, relayed, max(0, relayed - bounced), bounced, complaints))
    return tuple(found)
