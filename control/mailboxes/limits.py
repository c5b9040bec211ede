"""Limits of single mailboxes, in place of their tenant's: set and taken away."""

from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from control.plan.changed import Removed
from control.plan.rows import MailboxRow, mailboxes
from control.plan.terms import MailboxRamp, Spacing
from control.problem import RefusedError, bad, missing, quoted
from control.store.change import Act
from control.values.mailbox import mail_address
from control.values.ramp import falling
from control.values.time import CountedDayText, moment
from control.values.wanted import BY_DEFAULT, meant
from policy.address import mailbox_of
from policy.model import Count
from settings.statements import statements

SQL = statements(__package__, "limits")

_FIRST, _LAST = date(1970, 1, 1), date(2999, 12, 31)
"""Days that `policy.model.Day` can tell, and a few less."""


class MailboxChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of one mailbox, in place of the tenant's; one left out stays."""

    daily_max: Annotated[
        Count | UnsetType | None,
        meant("Recipients a day; 0 sends nothing, null takes the tenant's."),
        BY_DEFAULT,
    ] = UNSET
    daily_min: Annotated[
        Count | UnsetType | None,
        meant(
            "What it should send a day: waiting mail of a mailbox behind it goes first; 0 is off, "
            "null takes the tenant's."
        ),
        BY_DEFAULT,
    ] = UNSET
    spacing: Annotated[
        Spacing | UnsetType | None,
        meant("Seconds between two messages, at least; 0 is off, null takes the tenant's."),
        BY_DEFAULT,
    ] = UNSET
    spacing_max: Annotated[
        Spacing | UnsetType | None,
        meant("And at most: above spacing each gap is drawn between the two; null draws none."),
    ] = UNSET
    ramp: Annotated[
        MailboxRamp | UnsetType | None,
        meant("Recipients a day, stage by stage; null takes the tenant's, an empty list is none."),
        BY_DEFAULT,
    ] = UNSET
    ramp_from: Annotated[
        CountedDayText | UnsetType | None,
        meant("First day of its ramp, such as 2026-03-01; null: the day it sends first."),
    ] = UNSET
    per_minute: Annotated[
        Count | UnsetType | None,
        meant("Most recipients in any 60 seconds; null takes the tenant's mailbox_minute."),
        BY_DEFAULT,
    ] = UNSET
    per_hour: Annotated[
        Count | UnsetType | None,
        meant("Most recipients in any 3,600 seconds; null takes the tenant's mailbox_hour."),
        BY_DEFAULT,
    ] = UNSET


async def set_mailbox(act: Act, name: str, address: str, wanted: MailboxChange) -> MailboxRow:
    """Returns the mailbox. Raises RefusedError."""
    await lock(act, name)
    mailbox = mail_address("address", address)
    before = next(iter(await mailboxes(act.connection, name, [mailbox])), None)
    if before is None:
        await _own_domain(act, name, mailbox)
    after = _applied(before or MailboxRow(name, mailbox, None, None), wanted)
    if before == after:
        act.no_change(f"mailbox {mailbox} is like that already")
        return after
    number = await act.connection.fetchval(
        SQL["put"], name, mailbox, after.daily_max, after.spacing, after.daily_min,
        after.spacing_max, after.ramp, after.ramp_from, after.per_minute, after.per_hour,
    )  # fmt: skip
    after = msgspec.structs.replace(after, id=number)
    if after.ramp != (before and before.ramp) and (said := falling(after.ramp or ())):
        act.note(said)
    await act.audit("mailbox.set", mailbox, before, after, tenant=name)
    return after


def _applied(row: MailboxRow, wanted: MailboxChange) -> MailboxRow:
    """Raises RefusedError."""
    given: dict[str, Any] = {
        field: value
        for field in wanted.__struct_fields__
        if (value := getattr(wanted, field)) is not UNSET
    }
    if given.get("ramp") is not None:
        given["ramp"] = list(given["ramp"])
    if given.get("ramp_from") is not None:
        given["ramp_from"] = day("ramp_from", given["ramp_from"])
    after = msgspec.structs.replace(row, **given)
    if problem := contradiction(after.daily_max, after.daily_min, after.spacing, after.spacing_max):
        raise bad(*problem)
    return after


def contradiction(
    most: int | None, least: int | None, spacing: float | None, spacing_max: float | None
) -> tuple[str, str] | None:
    """(field, what is wrong) of limits that cannot be meant."""
    if most is not None and least is not None and least > most:
        return "daily_min", f"{least} is more than daily_max ({most})"
    if spacing_max is not None and spacing is None:
        return "spacing_max", "has no meaning without spacing: give both"
    if spacing_max is not None and spacing is not None and spacing_max < spacing:
        return "spacing_max", f"{spacing_max:g} is less than spacing ({spacing:g})"
    return None


def day(field: str, text: str) -> str:
    """Raises RefusedError for a text that is no day."""
    none = bad(field, f"{quoted(text)} is not a day such as 2026-03-01")
    try:
        found = moment(text, field).date()
    except RefusedError:
        raise none from None
    if found.isoformat() != text:
        raise none
    if not _FIRST <= found <= _LAST:
        raise bad(field, f"{text} is not between {_FIRST} and {_LAST}")
    return text


async def remove_mailbox(act: Act, tenant: str, address: str, reason: str = "") -> Removed:
    """A mailbox's own limits give way to the tenant's. Raises RefusedError."""
    mailbox = mailbox_of(address) or address
    row = await act.connection.fetchrow(SQL["remove"], tenant, mailbox)
    if row is None:
        raise missing("mailbox", f"{mailbox} of tenant {tenant} (with limits of its own)")
    before = {"tenant": tenant, **dict(row)}
    await act.audit("mailbox.remove", mailbox, before, reason=reason, tenant=tenant)
    act.note("the tenant's limits hold for it again (`sendgate tenant show`)")
    return Removed(noun="mailbox", name=mailbox)


async def lock(act: Act, tenant: str) -> None:
    """Until the change ends. Raises RefusedError (404)."""
    if await act.connection.fetchrow(SQL["lock"], tenant) is None:
        raise missing("tenant", tenant)


async def _own_domain(act: Act, tenant: str, mailbox: str) -> None:
    """Raises RefusedError for an address of another tenant's sending domain: limits that no mail of
    this one meets would look as if they held. A domain that nobody added is anybody's."""
    domain = mailbox.rpartition("@")[2]
    owner = await act.connection.fetchval(SQL["sender"], domain)
    if owner not in (None, tenant):
        raise bad(
            "address",
            f"{domain} is a sending domain of tenant {owner}, not of {tenant}: name that tenant",
            alone=f"{domain} is no sending domain of tenant {tenant}",
        )
