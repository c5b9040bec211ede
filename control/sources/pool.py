"""Pools: add, overflow, default, pause and resume."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from control.problem import bad, missing
from control.store.change import Act
from control.tenants.poolname import add_pool, holder_of
from control.tenants.tenant import stopped
from control.tenants.view import PoolView, tenant_view
from control.values.name import NewName, new_name
from control.values.reason import ReasonText
from control.values.wanted import meant
from policy.model import Count, Name
from policy.number import agree, count
from policy.overflow import circles, too_deep
from settings.statements import statements

_SQL = statements(__package__, "pool")
_REMOVAL = statements(__package__, "removal")


class NewPool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pool without IPs."""

    tenant: Name
    name: NewName
    overflow: Annotated[
        Name | None, meant("Pool of the tenant that takes what this one may not send now.")
    ] = None


class PoolChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays as it is."""

    overflow: Annotated[
        Name | UnsetType | None,
        meant("Pool that takes what this one may not send now; null: none."),
    ] = UNSET
    default: Annotated[
        Literal[True] | UnsetType,
        meant("Make it the pool of domains that were not added; another stops being it."),
    ] = UNSET
    per_minute: Annotated[
        Count | UnsetType | None,
        meant("Most recipients its own IPs take in any 60 seconds; null is off."),
    ] = UNSET
    per_hour: Annotated[
        Count | UnsetType | None,
        meant("Most recipients its own IPs take in any 3,600 seconds; null is off."),
    ] = UNSET
    reason: ReasonText = ""


async def add(act: Act, new: NewPool) -> str:
    """Returns its name. Raises RefusedError."""
    if await act.connection.fetchval(_SQL["tenant"], new.tenant) is None:
        raise missing("tenant", new.tenant)
    if await act.connection.fetchrow(_SQL["one"], new.tenant, new.name) is not None:
        raise bad("name", f"tenant {new.tenant} has pool {new.name} already")
    await ensure(act, new.tenant, new.name, field="name")
    if new.overflow is not None:
        await overflow_to(act, new.tenant, new.name, new.overflow)
    after = {"tenant": new.tenant, "overflow": new.overflow}
    await act.audit("pool.add", new.name, None, after, tenant=new.tenant)
    return new.name


async def change(act: Act, name: str, wanted: PoolChange) -> str:
    """Returns its name. Raises RefusedError."""
    row = await act.connection.fetchrow(_REMOVAL["pool"], name)
    if row is None:
        raise missing("pool", name)
    tenant = str(row["tenant"])
    rates = await act.connection.fetchrow(_SQL["rates"], name)
    before = {"overflow": row["overflow"], "default": row["is_default"], **dict(rates)}
    after = dict(before)
    if wanted.overflow is not UNSET:
        after["overflow"] = wanted.overflow
    if wanted.default is not UNSET:
        after["default"] = True
    for field in ("per_minute", "per_hour"):
        if (most := getattr(wanted, field)) is not UNSET:
            after[field] = most
    if after == before:
        act.no_change(f"pool {name} is like that already")
        return name
    if after["overflow"] != before["overflow"]:
        await overflow_to(act, tenant, name, after["overflow"])
    if after["default"] != before["default"]:
        await act.connection.execute(_REMOVAL["set_default"], tenant, name)
    new = after["per_minute"], after["per_hour"]
    if new != (before["per_minute"], before["per_hour"]):
        await act.connection.execute(_SQL["set_rates"], name, *new)
    changed = [field for field in after if before[field] != after[field]]
    was, now = ({f: values[f] for f in changed} for values in (before, after))
    await act.audit("pool.set", name, was, now, wanted.reason, tenant=tenant)
    return name


async def overflow_to(act: Act, tenant: str, pool: str, overflow: str | None) -> None:
    """Let a pool's mail overflow to another of the tenant, or to none. Raises RefusedError."""
    if (
        overflow is not None
        and await act.connection.fetchrow(_SQL["one"], tenant, overflow) is None
    ):
        raise bad(
            "overflow",
            f"tenant {tenant} has no pool {overflow}: add a domain with --pool {overflow} first",
        )
    await act.connection.execute(_SQL["set_overflow"], tenant, pool, overflow)
    after = dict(await act.connection.fetch(_SQL["overflows"], tenant))
    if found := circles(after) or too_deep(after):
        raise bad("overflow", found[0])


async def ensure(act: Act, tenant: str, name: str, *, field: str = "pool") -> None:
    """A pool of the tenant, made when it is not there. `field` names it in the request. Raises
    RefusedError."""
    if await act.connection.fetchrow(_SQL["one"], tenant, name) is None:
        new_name(field, name)
        if (holder := await holder_of(act, name)) is not None:
            other = "choose another" + _by_option(field)
            alone = f"the name {name} is taken; {other}"
            raise bad(field, f"the name {name} is taken by {holder}; {other}", alone=alone)
        taken = bad(field, f"{name} is taken; choose another{_by_option(field)}")
        await add_pool(act, name, tenant, taken=taken)


async def put_member(act: Act, tenant: str, name: str, vmta: str) -> bool:
    """Let a VirtualMTA of the tenant carry a pool's mail; False: it does already."""
    if await act.connection.fetchrow(_SQL["member"], tenant, name, vmta):
        return False
    await act.connection.execute(_SQL["add_member"], tenant, name, vmta)
    return True


async def drop_member(act: Act, name: str, vmta: str) -> None:
    """Let a VirtualMTA carry a pool's mail no more."""
    await act.connection.execute(_REMOVAL["leave"], vmta, [name])


def _by_option(field: str) -> str:
    """A domain names its pool by an option; a pool of its own has a name and no option."""
    return " with --pool" if field == "pool" else ""


async def set_paused(act: Act, name: str, paused: bool) -> str:
    """Stop or go on with a pool's mail; returns its tenant. Raises RefusedError."""
    row = await act.connection.fetchrow(_SQL["lock"], name)
    if row is None:
        raise missing("pool", name)
    if row["paused"] == paused:
        act.no_change(f"pool {name} is {'paused' if paused else 'not paused'} already")
        return str(row["tenant"])
    await act.connection.execute(_SQL["set_paused"], name, paused)
    action = "pool.pause" if paused else "pool.resume"
    await act.audit(
        action, name, {"paused": row["paused"]}, {"paused": paused}, tenant=row["tenant"]
    )
    waiting = await act.connection.fetchval(_SQL["waiting"], name)
    act.note(
        stopped(waiting, f"pool resume {name}")
        if paused
        else f"{count(waiting, 'held message')} {agree(waiting, 'goes', 'go')} on"
    )
    return str(row["tenant"])


async def shown(act: Act, name: str, paused: bool) -> PoolView:
    """Stop or go on with its mail, and the pool as it is then. Raises RefusedError."""
    tenant = await set_paused(act, name, paused)
    view = await tenant_view(act.connection, tenant)
    return next(p for p in view.pools if p.name == name)
