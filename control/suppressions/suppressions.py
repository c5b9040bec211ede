"""Suppressions as people ask for them: added, removed, looked at, imported."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from control.held.request import digest
from control.problem import RefusedError, bad, missing
from control.store.change import Act, Still
from control.store.database import Connection
from control.store.once import settle
from control.suppressions.change import SQL, Written, locked, write
from control.suppressions.entry import (
    AT_ONCE,
    Entry,
    ImportedRow,
    NewSuppression,
    SuppressionView,
    address,
    entry,
    imported,
    view,
)
from control.values.mailbox import RecipientText
from control.values.query import FLAG, Seen
from control.values.wanted import meant
from policy.isotime import milliseconds_of
from policy.model import Name
from policy.suppression import EVERYBODY, Digests, Reason
from settings.suppressions import Suppressions as Settings

Origin = Literal["rule", "hand", "import", "api"]
SWEPT = 10_000
"""Entries that one statement takes away."""


class SuppressionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which ones; every one that is given must match."""

    tenant: Annotated[Name | None, meant("Of this tenant's mail.")] = None
    everybody: Annotated[bool, meant("Only those that concern all tenants."), FLAG] = False
    address: Annotated[RecipientText | None, meant("Only this address.")] = None
    reason: Annotated[Reason | None, meant("Of this kind.")] = None
    origin: Annotated[Origin | None, meant("Who made them.")] = None
    ended: Annotated[bool, meant("Those that ended or were removed, too."), FLAG] = False
    before: Annotated[Seen | None, meant("The `before` of the part before.")] = None
    after: Annotated[
        Seen | None,
        meant(
            "0, then the `after` of the part before: the oldest change first, so that none is "
            "missed while others are made."
        ),
    ] = None
    limit: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=AT_ONCE)],
        meant(f"At most so many, 1 to {AT_ONCE}; 100."),
    ] = 100

    @property
    def whose(self) -> str | None:
        """A tenant's, EVERYBODY's, or None: all there are."""
        return EVERYBODY if self.everybody and self.tenant is None else self.tenant


class SuppressionPage(msgspec.Struct, frozen=True):
    """A part of them."""

    suppressions: list[SuppressionView]
    before: int | None
    """For the next older part."""
    after: int | None
    """For the next newer part, of a list that began with `after`."""


class Suppressed(msgspec.Struct, frozen=True, kw_only=True):
    """What a change left."""

    suppression: SuppressionView
    changed: bool
    dry_run: bool = False


class RowProblem(msgspec.Struct, frozen=True):
    """A row that was not taken."""

    row: int
    """From 0."""
    why: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of rows."""

    added: int
    changed: int
    unchanged: int
    refused: list[RowProblem]
    dry_run: bool = False


class Suppressions:
    """Of one database. `now`: the calendar's."""

    def __init__(
        self, pool: Any, now: Callable[[], Awaitable[datetime]], settings: Settings, key: bytes
    ) -> None:
        """`key`: of digests of addresses."""
        self._pool = pool
        self._key = key
        self._now = now
        self._settings = settings

    async def add(self, who: str, wanted: NewSuppression, *, by: Origin, dry: bool) -> Suppressed:
        """Raises RefusedError."""
        one = entry(wanted)
        async with self._acting(who, dry) as act:
            if one.until is not None and one.until <= act.milliseconds:
                raise bad("until", f"{wanted.until} is over; give a later time, or leave it out")
            before = await self._one(act, one.tenant, one.address)
            done = await self._put(act, [one], by)
            found = await self._one(act, one.tenant, one.address)
            assert found is not None
            if done.added or done.changed:
                was = None if before is None or not before.active else _said(before, wanted)
                subject = self._named(one.tenant, one.address)
                after = _said(found, wanted)
                await act.audit("suppression.add", subject, was, after, tenant=_of(one.tenant))
            changed = done != Written(0, 0)
            answer = Suppressed(suppression=found, changed=changed, dry_run=dry)
            await settle(act.connection, answer)
        return answer

    async def remove(
        self,
        who: str,
        tenant: str,
        text: str,
        *,
        reason: str,
        dry: bool,
        still: Still | None = None,
    ) -> Suppressed:
        """`tenant` may be EVERYBODY. Raises RefusedError (404 where there is none)."""
        name = address("address", text)
        async with self._acting(who, dry) as act:
            numbers = await locked(act.connection)
            if still is not None:
                await still(act.connection)
            before = await self._one(act, tenant, name)
            now = act.milliseconds
            row = await act.connection.fetchrow(
                SQL["remove"],
                *(numbers.digests.of(tenant, name.encode()), now, who, numbers.change + 1),
            )
            if row is None:
                raise missing("suppression", _subject(tenant, name))
            await act.connection.execute(SQL["changed"], numbers.change + 1, 0)
            subject = self._named(tenant, name)
            was = None if before is None else {"reason": before.reason, "until": before.until}
            await act.audit("suppression.remove", subject, was, None, reason, tenant=_of(tenant))
        shown = msgspec.structs.replace(view(row, now), address=name)
        return Suppressed(suppression=shown, changed=True, dry_run=dry)

    async def take(
        self, who: str, tenant: str, rows: Sequence[ImportedRow], *, dry: bool
    ) -> Imported:
        """A part of somebody's list; `tenant` may be EVERYBODY. Raises RefusedError."""
        entries: list[Entry] = []
        refused: list[RowProblem] = []
        for number, row in enumerate(rows):
            try:
                entries.append(imported(row, tenant))
            except RefusedError as error:
                refused.append(RowProblem(number, error.line()))
        async with self._acting(who, dry) as act:
            done = await self._put(act, entries, "import")
            if done.added or done.changed:
                said = {"rows": len(rows), "added": done.added, "changed": done.changed}
                subject = tenant or "all"
                await act.audit("suppression.import", subject, None, said, tenant=_of(tenant))
            answer = Imported(
                added=done.added,
                changed=done.changed,
                unchanged=len(entries) - done.added - done.changed,
                refused=refused,
                dry_run=dry,
            )
            await settle(act.connection, answer)
        return answer

    async def page(
        self, wanted: SuppressionQuery, connection: Connection = None
    ) -> SuppressionPage:
        """The newest change first, unless `after` is given; over a connection of one's own, or
        another. Raises RefusedError."""
        of = self._pool if connection is None else connection
        now = milliseconds_of(await self._now())
        if wanted.address is not None:
            name = address("address", wanted.address)
            key, whose = await of.fetchval(SQL["key"]), wanted.whose
            several = await of.fetch(SQL["forgotten_of"], whose)
            digests = [Digests(key).of(row["tenant"], name.encode()) for row in several]
            rows = await of.fetch(SQL["of_address"], name, whose, digests)
            found = [msgspec.structs.replace(view(row, now), address=name) for row in rows]
            return SuppressionPage([one for one in found if _matches(one, wanted)], None, None)
        newest = wanted.after is None
        rows = await of.fetch(
            SQL["newest" if newest else "oldest"],
            *(wanted.whose, wanted.reason, wanted.origin),
            *(wanted.before if newest else wanted.after, wanted.ended, now, wanted.limit),
        )
        found = [view(row, now) for row in rows]
        last = found[-1].change if len(found) == wanted.limit else None
        return SuppressionPage(found, last if newest else None, None if newest else last)

    async def sweep(self) -> int:
        """Take away what ended long ago (`suppressions.ended_kept`); how many it were."""
        before = milliseconds_of(await self._now()) - round(self._settings.ended_kept * 1000)
        gone, swept = SWEPT, 0
        while gone == SWEPT:
            async with self._pool.acquire() as connection, connection.transaction():
                numbers = await locked(connection)
                gone = await connection.fetchval(SQL["sweep"], before, SWEPT)
                await connection.execute(SQL["changed"], numbers.change, -gone)
            swept += gone
        return swept

    async def _put(self, act: Act, entries: list[Entry], by: Origin) -> Written:
        async def put(change: int, digests: list[bytes], places: list[int]) -> Any:
            chosen = [entries[place] for place in places]
            return await act.connection.fetchrow(
                SQL["put"],
                *(change, by, act.who, act.milliseconds, digests),
                [one.tenant for one in chosen],
                [one.address for one in chosen],
                [one.reason for one in chosen],
                [one.note for one in chosen],
                [one.until for one in chosen],
            )

        names = [(one.tenant, one.address) for one in entries]
        return await write(act.connection, names, self._settings.most, put)

    async def _one(self, act: Act, tenant: str, name: str) -> SuppressionView | None:
        digests = Digests(await act.connection.fetchval(SQL["key"]))
        row = await act.connection.fetchrow(SQL["one"], digests.of(tenant, name.encode()))
        if row is None:
            return None
        return msgspec.structs.replace(view(row, act.milliseconds), address=name)

    def _named(self, tenant: str, name: str) -> str:
        """For the audit log, which outlives what it tells of: an address forgotten later must not
        stay in it."""
        return _subject(tenant, digest(self._key, name))

    @asynccontextmanager
    async def _acting(self, who: str, dry: bool) -> AsyncIterator[Act]:
        """One transaction; nothing of a dry one stays."""
        now = await self._now()
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            kept = False
            try:
                yield Act(connection, now, who)
                if not dry:
                    await transaction.commit()
                    kept = True
            finally:
                if not kept:
                    await transaction.rollback()


def _subject(tenant: str, name: str) -> str:
    return f"{name} of {f'tenant {tenant}' if tenant else 'all tenants'}"


def _said(one: SuppressionView, wanted: NewSuppression) -> dict[str, Any]:
    """What was said of it, as it stands there: its reason, and what else was given."""
    more = {"until": wanted.until is not None, "note": bool(wanted.note)}
    fields = ("reason", *(field for field, given in more.items() if given))
    return {field: getattr(one, field) for field in fields}


def _matches(one: SuppressionView, wanted: SuppressionQuery) -> bool:
    return (
        (wanted.ended or one.active)
        and wanted.reason in (None, one.reason)
        and wanted.origin in (None, one.origin)
    )


def _of(tenant: str) -> str | None:
    """Whose change it is; None: it concerns all."""
    return None if tenant == EVERYBODY else tenant
