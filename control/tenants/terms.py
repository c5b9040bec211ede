"""A tenant's terms: senders, limits, sending hours, networks; and limits of single mailboxes."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from control.plan.hours import hours, zone
from control.plan.rows import MailboxRow, TenantRow, mailboxes, tenants
from control.problem import bad, missing
from control.store.change import Act
from control.store.refusal import unless_taken
from control.tenants.holdterms import HoldTerms, given, set_hold
from control.values.mailbox import SenderText, mail_address, sender
from control.values.network import NetworkText, source_network, warning
from policy.model import Count
from settings.statements import statements

_SQL = statements(__package__, "tenant")
_MAILBOX = statements(__package__, "mailbox")

Spacing = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class TenantChange(HoldTerms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays as it is."""

    strict: bool | None = None
    """Refuse sending domains that were not added."""
    senders: tuple[SenderText, ...] | None = None
    """Allowed senders, `user@domain` or `domain`, replacing all; `[]` allows every sender."""
    max_recipients: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    """Most recipients of one message."""
    mailbox: Literal["from", "envelope"] | None = None
    """Which address is the mailbox that limits count."""
    unreadable_from: Literal["refuse", "shared"] | None = None
    """Mail whose From: names nobody for certain: refuse it, or count it for one shared mailbox."""
    mailbox_max: Count | UnsetType | None = UNSET
    """Recipients a day of each mailbox without a limit of its own; null is off."""
    mailbox_spacing: Spacing | None = None
    """Seconds between two messages of one mailbox."""
    per_minute: Count | UnsetType | None = UNSET
    """Recipients a minute; null is off."""
    per_hour: Count | UnsetType | None = UNSET
    """Recipients an hour; null takes the setting warmup.user_hourly_limit."""
    hours: str | UnsetType | None = UNSET
    """Sending hours `HH:MM-HH:MM` in `zone`; null sends always."""
    zone: str | None = None
    """Time zone of `hours`, such as Europe/Paris."""
    profile: Literal["mailwizz", "mta"] | None = None
    networks: tuple[NetworkText, ...] | None = None
    """Source networks (CIDR) that name the tenant without a login, replacing all."""


class MailboxChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of one mailbox, in place of the tenant's."""

    daily_max: Count | UnsetType | None = UNSET
    """Recipients a day; null is off; left out it stays."""
    daily_min: Count | UnsetType | None = UNSET
    """What it should send a day: waiting mail of a mailbox behind it goes first; null is off."""
    spacing: Spacing | None = None
    """Seconds between two messages; left out it stays."""


async def change(act: Act, name: str, wanted: TenantChange) -> str:
    """Returns the tenant. Raises RefusedError."""
    row = await _tenant(act, name)
    after = _applied(row, wanted)
    if after == row:
        act.no_change(f"tenant {name} is like that already")
        return name
    await act.connection.execute(
        _SQL["set"],
        *(name, after.profile, after.strict, after.senders, after.mailbox, after.rate_minute),
        *(after.rate_hour, after.max_recipients, after.window_start, after.window_length),
        *(after.window_zone, after.mailbox_max, after.mailbox_spacing),
        after.unreadable_from,
    )
    await set_hold(act, after)
    if after.networks != row.networks:
        await act.connection.execute(_SQL["drop_networks"], name)
        for network in after.networks:
            if network not in row.networks and (wide := warning(network, name)) is not None:
                act.note(wide)
            with unless_taken(bad("networks", f"{network} names another tenant already")):
                await act.connection.execute(_SQL["add_network"], network, name)
    before, now = msgspec.to_builtins(row), msgspec.to_builtins(after)
    fields = [field for field in now if before[field] != now[field]]
    await act.audit("tenant.set", name, {f: before[f] for f in fields}, {f: now[f] for f in fields})
    return name


async def set_mailbox(act: Act, name: str, address: str, wanted: MailboxChange) -> MailboxRow:
    """Returns the mailbox. Raises RefusedError."""
    await _tenant(act, name)
    mailbox = mail_address("address", address)
    before = next(iter(await mailboxes(act.connection, name, [mailbox])), None)
    start = before or MailboxRow(name, mailbox, None, 0.0)
    most = start.daily_max if wanted.daily_max is UNSET else wanted.daily_max
    least = start.daily_min if wanted.daily_min is UNSET else wanted.daily_min
    if most is not None and least is not None and least > most:
        raise bad("daily_min", f"{least} is more than daily_max ({most})")
    spacing = start.spacing if wanted.spacing is None else wanted.spacing
    after = MailboxRow(name, mailbox, most, spacing, least, start.id)
    if before == after:
        act.no_change(f"mailbox {mailbox} is like that already")
        return after
    number = await act.connection.fetchval(_MAILBOX["put"], name, mailbox, most, spacing, least)
    after = msgspec.structs.replace(after, id=number)
    await act.audit("mailbox.set", mailbox, before, after)
    return after


async def _tenant(act: Act, name: str) -> TenantRow:
    if await act.connection.fetchrow(_SQL["lock"], name) is None:
        raise missing("tenant", name)
    return (await tenants(act.connection, [name]))[0]


def _applied(row: TenantRow, wanted: TenantChange) -> TenantRow:
    """The row with the changes in it. Raises RefusedError."""
    columns = msgspec.structs.asdict(row) | given(wanted)
    for field in (
        "strict",
        "max_recipients",
        "mailbox",
        "unreadable_from",
        "mailbox_spacing",
        "profile",
    ):
        if (value := getattr(wanted, field)) is not None:
            columns[field] = value
    for field, column in (
        ("mailbox_max", "mailbox_max"),
        ("per_minute", "rate_minute"),
        ("per_hour", "rate_hour"),
    ):
        if (value := getattr(wanted, field)) is not UNSET:
            columns[column] = value
    if wanted.senders is not None:
        columns["senders"] = sorted({sender("senders", text) for text in wanted.senders})
    if wanted.networks is not None:
        columns["networks"] = sorted({source_network(text) for text in wanted.networks})
    columns["window_start"], columns["window_length"], columns["window_zone"] = _hours(row, wanted)
    return TenantRow(**columns)


def _hours(row: TenantRow, wanted: TenantChange) -> tuple[int | None, int | None, str | None]:
    if wanted.hours is None:
        if wanted.zone is not None:
            raise bad("zone", "has no meaning without hours")
        return None, None, None
    name = wanted.zone or row.window_zone
    if wanted.hours is UNSET:
        if wanted.zone is None:
            return row.window_start, row.window_length, row.window_zone
        if row.window_start is None:
            raise bad("zone", "has no meaning without hours: give both")
        zone(wanted.zone)
        return row.window_start, row.window_length, wanted.zone
    if name is None:
        raise bad("zone", "is missing: hours are local time, so name one such as Europe/Paris")
    zone(name)
    return *hours(wanted.hours), name
