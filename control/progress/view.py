"""Mailboxes as the API shows them: what each sent, what it should have, and when it may go on."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import msgspec

from control.ledger.limits import LimitView, fullest
from control.problem import missing, quoted
from control.progress import counted
from control.progress.counted import Counted
from control.progress.day import Sums
from control.progress.progress import Progress, Snapshot
from control.progress.standing import Standing, Status, elapsed, free_at, standing, terms_at
from control.store.reference import spelt
from control.values.query import CONTROLS, MOST, FoundText, Limit
from control.values.wanted import meant
from policy.isotime import date_of, instant, not_before
from policy.ledger.rates import NEVER, Used, mailboxes_used
from policy.limits import day_of
from policy.mailbox import rate_of
from policy.model import Name, Tenant
from settings.statements import statements

_SQL = statements(__package__, "progress")

_LONGEST_ID = 18
"""Digits."""

AfterText = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=400, pattern=f"^[^/{CONTROLS}]+/[^{CONTROLS}]+$"),
]


class ListQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which mailboxes."""

    tenant: Annotated[Name | None, meant("Only this tenant's.")] = None
    limit: Annotated[Limit, meant(f"At most so many; {MOST}.")] = MOST
    after: Annotated[AfterText | None, meant("`TENANT/MAILBOX`: where the page before ended.")] = (
        None
    )


class MailboxQuery(ListQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, or one."""

    id: Annotated[
        FoundText | None, meant("One, by its number or its address, as it is this moment.")
    ] = None


class QuotaQuery(ListQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of those that stand so."""

    status: Annotated[
        Status | None,
        meant("Only those behind what is due by now, on_track, that reached it, or have none."),
    ] = None


class MailboxView(msgspec.Struct, frozen=True, kw_only=True):
    """One of them today (UTC), in recipients; rates in per cent."""

    id: int | None
    """Null: it has no limits of its own."""
    tenant: str
    mailbox: str
    status: Status
    quota: int | None
    """Its daily minimum, and no more than it may send; null: it has none."""
    most: int | None
    """That it may send today; null: any number."""
    sent: int
    bounced: int
    refused: int
    """By PowerMTA; they are not in `sent`."""
    failed: int
    """Bounced or refused."""
    failure_rate: float
    """Failed, of sent and refused."""
    fill: float | None
    """Sent, of its quota."""
    behind_by: int
    """What it lacks of the part of its quota that is due by now."""
    streak: int
    """Days in a row on which it reached its quota, today with them if it has."""
    last_sent: str | None
    """ISO time; null: not known."""
    per_minute: int | None
    """Most that it may send in any 60 seconds; null: any number."""
    per_hour: int | None
    sent_minute: int
    """What counts against that now; 0 where it has no such limit."""
    sent_hour: int
    next_possible: str | None
    """When its next message may go as far as it alone is asked (spacing, maximum, minute and hour,
    sending hours); null: nobody can say, for its tenant is paused, all sending is stopped, or a
    limit is 0."""


class MailboxQuotas(msgspec.Struct, frozen=True, kw_only=True):
    """How far they are today, and a page of them."""

    date: str
    at: str
    """When they were looked at, ISO time."""
    total: int
    active: int
    """That sent today or yesterday."""
    with_quota: int
    reached: int
    behind: int
    missing: int
    """Recipients that those behind lack by now."""
    completion_rate: float
    """Per cent of those with a quota that are not behind."""
    limits: list[LimitView]
    """Limits of a minute and an hour that are set, the fullest first, at most 100; a tenant's token
    sees its own. Those of mailboxes are with each."""
    mailboxes: list[MailboxView]
    after: str | None
    """To be given for the next page; null: this is the last."""


class Views:
    """Of one control process. What it does raises what `Progress` does."""

    def __init__(self, pool: Any, admin: Any, progress: Progress) -> None:
        """`admin`: the ledger's."""
        self._pool = pool
        self._admin = admin
        self._progress = progress

    async def quotas(self, wanted: QuotaQuery) -> MailboxQuotas:
        """How far they are."""
        look = await self._progress.snapshot()
        sums = look.sums if wanted.tenant is None else _sums(look, wanted.tenant)
        views = await self._page(look, wanted, wanted.status, wanted.limit + 1)
        more = len(views) > wanted.limit
        shown = views[: wanted.limit]
        return MailboxQuotas(
            date=date_of(day_of(look.at)),
            at=instant(look.at),
            total=sums.total,
            active=sums.active,
            with_quota=sums.with_quota,
            reached=sums.reached,
            behind=sums.behind,
            missing=sums.missing,
            completion_rate=round(sums.completion, 2),
            limits=fullest(look.limits, wanted.tenant),
            mailboxes=shown,
            after=f"{shown[-1].tenant}/{shown[-1].mailbox}" if more else None,
        )

    async def mailboxes(self, wanted: MailboxQuery) -> list[MailboxView] | MailboxView:
        """A page of them, or one. Raises RefusedError."""
        if wanted.id is not None:
            return await self._one(wanted.id, wanted.tenant)
        look = await self._progress.snapshot()
        return await self._page(look, wanted, None, wanted.limit)

    async def _page(
        self, look: Snapshot, wanted: ListQuery, status: Status | None, most: int
    ) -> list[MailboxView]:
        found = list(islice(_found(look, wanted, status), most))
        return await self._views(look.at, look.stopped, found)

    async def _one(self, given: str, only: str | None) -> MailboxView:
        plan, now = await self._progress.plan(), await self._progress.calendar()
        tenants = [] if plan is None else [t for t in plan.tenants if only in (None, t.name)]
        address = spelt("mailbox", given.strip())
        if given.isascii() and given.isdigit() and len(given) <= _LONGEST_ID:
            row = await self._pool.fetchrow(_SQL["numbered"], int(given), only)
            if row is not None:
                tenants = [tenant for tenant in tenants if tenant.name == row["tenant"]]
                address = row["address"]
        day, client, root = day_of(now), self._admin.client, self._admin.root
        for tenant in tenants:
            (found,) = await counted.of_mailboxes(client, root, tenant.name, [address], day)
            if address in tenant.mailboxes or found.first >= 0:
                part = elapsed(tenant.window, now)
                stands = standing(terms_at(tenant, address), found, part, day)
                stopped = plan is not None and plan.stopped
                (view,) = await self._views(now, stopped, [(tenant, address, found, stands)])
                return view
        raise missing("mailbox", quoted(given))

    async def _views(self, now: int, stopped: bool, found: "list[_Found]") -> list[MailboxView]:
        if not found:
            return []
        tenants, names = [one[0].name for one in found], [one[1] for one in found]
        rows = await self._pool.fetch(_SQL["details"], day_of(now), tenants, names)
        used = await mailboxes_used(
            self._admin.client, self._admin.root, [one[0] for one in found], names
        )
        return [
            _view(*one, row, now, spans, stopped=stopped)
            for one, row, spans in zip(found, rows, used, strict=True)
        ]


_Found = tuple[Tenant, str, Counted, Standing]


def _sums(look: Snapshot, tenant: str) -> Sums:
    """A tenant that is newer than the look has none."""
    return look.days[tenant].sums if tenant in look.days else Sums()


def _found(look: Snapshot, wanted: ListQuery, status: Status | None) -> Iterator[_Found]:
    first, _, address = (wanted.after or "").partition("/")
    for name, day in look.days.items():
        if (wanted.tenant not in (None, name)) or name < first:
            continue
        for place in day.places(status, address if name == first else None):
            yield day.tenant, day.names[place], day.counted(place), day.standing(place)


def _view(
    tenant: Tenant,
    mailbox: str,
    sent: Counted,
    stands: Standing,
    row: Any,
    now: int,
    spans: tuple[Used, Used],
    *,
    stopped: bool,
) -> MailboxView:
    failed, tried = row["bounced"] + row["refused"], sent.sent + row["refused"]
    rate = rate_of(tenant, tenant.mailboxes.get(mailbox))
    never = stands.most == 0 or NEVER in (span.free for span in spans)
    held = stopped or tenant.paused or never
    free = free_at(
        terms_at(tenant, mailbox), mailbox, sent, tenant.window, now,
        least=max(span.free for span in spans),
    )  # fmt: skip
    return MailboxView(
        id=row["id"],
        tenant=tenant.name,
        mailbox=mailbox,
        status=stands.status,
        quota=stands.quota or None,
        most=None if stands.most < 0 else stands.most,
        sent=sent.sent,
        bounced=row["bounced"],
        refused=row["refused"],
        failed=failed,
        failure_rate=round(100.0 * failed / tried, 2) if tried else 0.0,
        fill=round(100.0 * sent.sent / stands.quota, 2) if stands.quota else None,
        behind_by=stands.behind_by,
        streak=_streak(row, day_of(now), reached=stands.status == "reached"),
        last_sent=instant(sent.last) if sent.last else None,
        per_minute=rate.minute,
        per_hour=rate.hour,
        sent_minute=spans[0].used,
        sent_hour=spans[1].used,
        next_possible=None if held else not_before(free),
    )


def _streak(row: Any, today: int, *, reached: bool) -> int:
    """The day before yesterday is as far as it is counted until the night's job has run."""
    day, days = row["streak"]
    return (int(days) if day >= today - 2 else 0) + reached
