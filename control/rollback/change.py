"""A rollback to an earlier plan, as one change: all of it, or nothing.

Owns: the order in which what `decision` says is set, each by the change that an operator would
make, with its rules and its line in the audit log. Not here: publishing.
Failure: RefusedError with what is in the way, and nothing was changed.
"""

import msgspec

from control.plan.history import kept_plan
from control.plan.inforce import in_force
from control.plan.publish import Publisher
from control.problem import RefusedError, in_the_way
from control.rollback.decision import Named, Steps, decided
from control.sources import ip, moving, pool
from control.sources.ip import IpChange
from control.sources.moving import DomainMove
from control.sources.pool import PoolChange
from control.sources.removal import alone
from control.store.change import Act
from control.tenants import terms
from control.tenants.terms import TenantChange
from control.values.reason import ReasonText
from policy.plan import Generation
from settings.model import Warmup


class PlanBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an earlier plan is gone back to."""

    reason: ReasonText = ""


class PlanBackView(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback set (or, with `dry_run`, would), and what it left."""

    plan: int
    """To which."""
    sets: list[str]
    """In words."""
    stays: list[str]
    """In words: what is otherwise today, and is never rolled back."""


async def go_back(
    act: Act, number: int, wanted: PlanBack, *, publisher: Publisher, warmup: Warmup
) -> PlanBackView:
    """Set what plan `number` had. Raises RefusedError."""
    now = await in_force(publisher, act.connection)
    if number >= now.number:
        raise RefusedError(f"plan {number} is not an earlier one: {now.number} is in force")
    steps = decided(await kept_plan(act.connection, number), now)
    view = PlanBackView(plan=number, sets=_said(steps), stays=steps.stays)
    if steps.nothing:
        act.no_change(f"all that may be rolled back is as plan {number} had it")
        return view
    await act.audit(
        *("plan.rollback", str(number), {"plan": now.number}, {"plan": number}, wanted.reason)
    )
    await _set(act, steps, now, wanted.reason, warmup)
    for sentence in steps.stays:
        act.note(f"stays as it is: {sentence}")
    return view


async def _set(act: Act, steps: Steps, now: Generation, reason: str, warmup: Warmup) -> None:
    """A pool has its IPs before a domain comes to it, and loses them behind that."""
    for tenant, name, vmta in steps.joins:
        await pool.put_member(act, tenant, name, vmta)
    # Two that change places would go in circles on the way: what overflows elsewhere does not at
    # all in between.
    first = sorted(steps.pools.items(), key=lambda one: one[1].get("overflow") is not None)
    for name, fields in first:
        if fields.get("overflow") is not None and now.pool[name].overflow is not None:
            await pool.change(act, name, PoolChange(overflow=None, reason=reason))
    for name, fields in first:
        await pool.change(act, name, PoolChange(**fields, reason=reason))
    for (tenant, domain), name in steps.domains.items():
        await moving.move_domain(act, tenant, domain, DomainMove(pool=name, reason=reason))
    for name, vmta in steps.leaves:
        if found := await alone(act, vmta, [name]):
            raise in_the_way(f"IP {now.vmta[vmta].ip}", found)
        await pool.drop_member(act, name, vmta)
    await _audit_members(act, steps, now, reason)
    for address, fields in steps.ips.items():
        await ip.change(act, address, IpChange(**fields, reason=reason), warmup=warmup)
    for name, fields in steps.tenants.items():
        await terms.change(act, name, msgspec.convert(_plain(fields), TenantChange))


async def _audit_members(act: Act, steps: Steps, now: Generation, reason: str) -> None:
    for vmta in sorted({v for _, _, v in steps.joins} | {v for _, v in steps.leaves}):
        before = sorted(p.name for p in now.pools_of.get(vmta, []))
        left = {name for name, v in steps.leaves if v == vmta}
        joined = {name for _, name, v in steps.joins if v == vmta}
        after = sorted({*before, *joined} - left)
        owner = next((p.tenant for p in now.pools_of.get(vmta, [])), None)
        said = {"pools": before}, {"pools": after}
        await act.audit("ip.move", now.vmta[vmta].ip, *said, reason, tenant=owner)
    if steps.joins or steps.leaves:
        act.note("the SPF records of the pools changed: `sendgate domain show DOMAIN` of each")


def _plain(fields: Named) -> Named:
    """As a request's body has them."""
    found = msgspec.to_builtins(fields)
    assert isinstance(found, dict)
    return found


def _said(steps: Steps) -> list[str]:
    found = [f"domain {d} of tenant {t} to pool {p}" for (t, d), p in steps.domains.items()]
    found += [f"{vmta} into pool {name}" for _, name, vmta in steps.joins]
    found += [f"{vmta} out of pool {name}" for name, vmta in steps.leaves]
    for noun, of in (("pool", steps.pools), ("IP", steps.ips), ("tenant", steps.tenants)):
        found += [f"{noun} {name}: {', '.join(fields)}" for name, fields in of.items()]
    return found
