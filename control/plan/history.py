"""Published plans that are kept: which, when, by whom, why, and what each changed."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from control.plan.stored import bodies_of, joined, put_together
from control.problem import RefusedError, counted, missing
from control.store.database import Connection
from control.values.query import Limit, Seen
from control.values.wanted import meant
from policy.isotime import instant_of
from policy.model import Tenant
from policy.plan import BadGenerationError, Generation
from policy.unpacking import Unpacking
from settings.statements import statements

_SQL = statements(__package__, "history")


class PlanAct(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log that a plan was made for."""

    action: str
    subject: str
    reason: str


class PlanEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A generation."""

    number: int
    at: str
    who: str
    """A token's name, `control` (it publishes again when rows or hours ask for it), …"""
    acts: list[PlanAct]
    """Empty: nobody changed anything, it was published again."""


class PlanPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    plans: list[PlanEntry]
    before: int | None
    """To be given as `before` for the next page; null: this is the last."""


class PlanQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of them."""

    before: Annotated[Seen | None, meant("The `before` of the page before.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


class PlanAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With what a plan is compared."""

    against: Annotated[Seen | None, meant("The number of another; else the one before it.")] = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Names of one noun in a plan, against the plan before."""

    total: int
    added: int = 0
    changed: int = 0
    removed: int = 0


class PlanView(PlanEntry, frozen=True, kw_only=True):
    """A generation and what it changed."""

    against: int | None
    """The one asked for, or the one before; null: it is not kept, or there was none."""
    counts: dict[str, Moved]
    """By noun; empty: another version made it, and this one cannot read it."""
    changes: list[str]
    """In words."""


class Plans:
    """Those that `control.generations_kept` keeps."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def page(self, wanted: PlanQuery) -> PlanPage:
        """Those before number `before`."""
        limit = wanted.limit
        rows = await self._pool.fetch(_SQL["list"], wanted.before or None, limit + 1)
        plans = [PlanEntry(**_entry(row)) for row in rows[:limit]]
        return PlanPage(plans=plans, before=plans[-1].number if len(rows) > limit else None)

    async def one(self, number: int, against: int | None = None) -> PlanView:
        """What it has that plan `against` (None: the one before) has not. Raises RefusedError."""
        async with (
            self._pool.acquire() as connection,
            # Parts of a plan that is let go meanwhile are there still.
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(_SQL["one"], number, against)
            if row is None:
                raise _gone(number)
            if against is not None and row["before"] is None:
                raise _gone(against)
            try:
                counts, changes = await _changed(connection, row["former"], row["encoded"])
            except BadGenerationError:
                counts, changes = {}, ["another version made it: what it changed cannot be read"]
        return PlanView(**_entry(row), against=row["before"], counts=counts, changes=changes)


async def kept_plan(connection: Connection, number: int) -> Generation:
    """One that is kept. Raises RefusedError."""
    row = await connection.fetchrow(_SQL["one"], number, None)
    if row is None:
        raise _gone(number)
    try:
        return await put_together(connection, row["encoded"])
    except BadGenerationError as error:
        raise RefusedError(
            f"plan {number} was made by another version: it cannot be read"
        ) from error


def _gone(number: int) -> RefusedError:
    return missing("plan", f"{number} (it may have been let go: control.generations_kept)")


def _entry(row: Any) -> dict[str, Any]:
    return {
        "number": row["number"],
        "at": instant_of(row["created"]),
        "who": row["who"],
        "acts": [PlanAct(**act) for act in row["acts"]],
    }


Changes = tuple[dict[str, Moved], list[str]]


async def _changed(connection: Connection, former: bytes | None, encoded: bytes) -> Changes:
    """Raises BadGenerationError."""
    nothing = Unpacking()
    bodies = await bodies_of(connection, encoded, nothing)
    if former is not None:
        bodies |= await bodies_of(connection, former, nothing)

    def compare() -> Changes:
        unpacking = Unpacking()
        after = joined(encoded, bodies, unpacking)
        return compared(None if former is None else joined(former, bodies, unpacking), after)

    # Seconds of work for the largest ones.
    return await asyncio.to_thread(compare)


def compared(before: Generation | None, after: Generation) -> Changes:
    """(how many of each noun came, changed and went, the same in words)."""
    old, new = ({} if before is None else _nouns(before)), _nouns(after)
    counts: dict[str, Moved] = {}
    words: list[str] = []
    for noun, items in new.items():
        known = old.get(noun, {})
        added, removed = sorted(items.keys() - known.keys()), sorted(known.keys() - items.keys())
        changed = sorted(n for n in items.keys() & known.keys() if items[n] != known[n])
        counts[noun] = Moved(
            total=len(items), added=len(added), changed=len(changed), removed=len(removed)
        )
        for what, names in (("added", added), ("changed", changed), ("removed", removed)):
            if names:
                # Addresses of people are counted, not listed.
                some = f"{len(names)} of {noun}" if noun == "mailbox" else counted(names, noun)
                words.append(f"{some} {what}")
    if before is None:
        return counts, ["the plan before it is not kept: all that it has counts as added"]
    if (before.rate, before.provider_rates) != (after.rate, after.provider_rates):
        words.append("the rates of the whole gateway changed")
    return counts, words or ["nothing but its number and its time"]


def _nouns(plan: Generation) -> dict[str, Mapping[str, Any]]:
    """Noun to what the plan has of it, by name."""
    return {
        "server": plan.server,
        "VirtualMTA": plan.vmta,
        "pool": plan.pool,
        "tenant": {t.name: _alone(t) for t in plan.tenants},
        "domain": {f"{t.name}/{d}": pool for t in plan.tenants for d, pool in t.domains.items()},
        "login": {lo.name: (t.name, lo) for t in plan.tenants for lo in t.logins},
        "network": {net: t.name for t in plan.tenants for net in t.networks},
        "mailbox": {f"{t.name}/{a}": m for t in plan.tenants for a, m in t.mailboxes.items()},
    }


def _alone(tenant: Tenant) -> Tenant:
    """Without what is counted by itself."""
    return msgspec.structs.replace(tenant, domains={}, logins=(), networks=(), mailboxes={})
