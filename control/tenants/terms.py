"""A tenant's terms: senders, limits, sending hours, networks."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from control.plan.hours import HoursText, ZoneText, hours, hours_text, zone
from control.plan.rows import TenantRow, tenants
from control.plan.terms import Terms, terms_of, with_terms
from control.problem import bad, missing, taken
from control.store.change import Act
from control.store.refusal import unless_taken
from control.values.host import domain_name
from control.values.mailbox import sender
from control.values.network import NetworkText, source_network, warning
from control.values.ramp import falling
from control.values.wanted import changes, given, meant
from policy.pattern import pattern_problem
from settings.statements import statements

_SQL = statements(__package__, "tenant")
_SET = with_terms(_SQL["set"], first=5)


@changes(Terms)
class TenantChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays as it is."""

    hours: Annotated[
        HoursText | UnsetType | None,
        meant("Sending hours HH:MM-HH:MM in zone; null sends always."),
    ] = UNSET
    zone: Annotated[ZoneText | None, meant("Time zone of hours, such as Europe/Paris.")] = None
    networks: Annotated[
        tuple[NetworkText, ...] | None,
        meant("Source networks (CIDR) that name the tenant without a login, replacing all."),
    ] = None


async def change(act: Act, name: str, wanted: TenantChange) -> str:
    """Returns the tenant. Raises RefusedError."""
    row = await _tenant(act, name)
    after = applied(row, wanted)
    if after == row:
        act.no_change(f"tenant {name} is like that already")
        return name
    await store(act, row, after)
    before, now = _shown(row), _shown(after)
    fields = [field for field in now if before[field] != now[field]]
    await act.audit("tenant.set", name, {f: before[f] for f in fields}, {f: now[f] for f in fields})
    return name


def _shown(row: TenantRow) -> dict[str, Any]:
    """A row as the audit log has it: hours in the words they were given in."""
    columns: dict[str, Any] = msgspec.to_builtins(row)
    start, length = columns.pop("window_start"), columns.pop("window_length")
    columns["hours"] = None if start is None else hours_text(start, length)
    columns["zone"] = columns.pop("window_zone")
    return columns


async def store(act: Act, row: TenantRow, after: TenantRow) -> None:
    """Write the terms and networks of a tenant that is there. Raises RefusedError."""
    await _not_sent_from(act, after, set(after.brand_domains) - set(row.brand_domains))
    window = after.window_start, after.window_length, after.window_zone
    await act.connection.execute(_SET, after.name, *window, *terms_of(after).values())
    if after.mailbox_ramp != row.mailbox_ramp and (said := falling(after.mailbox_ramp)):
        act.note(said)
    if after.networks == row.networks:
        return
    await act.connection.execute(_SQL["drop_networks"], after.name)
    for network in after.networks:
        if network not in row.networks and (wide := warning(network, after.name)) is not None:
            act.note(wide)
        with unless_taken(taken("networks", f"{network} names another tenant already")):
            await act.connection.execute(_SQL["add_network"], network, after.name)


async def _not_sent_from(act: Act, tenant: TenantRow, brand: set[str]) -> None:
    """Raises RefusedError for a brand domain that mail is sent from already."""
    used = await act.connection.fetchval(_SQL["sent_from"], tenant.name, sorted(brand))
    if used is not None:
        raise taken(
            "brand_domains",
            f"{used} is a sending domain of tenant {tenant.name}: its mail needs another one "
            f"first, then `sendgate domain remove {used}`",
        )


async def _tenant(act: Act, name: str) -> TenantRow:
    if await act.connection.fetchrow(_SQL["lock"], name) is None:
        raise missing("tenant", name)
    return (await tenants(act.connection, [name]))[0]


def applied(row: TenantRow, wanted: TenantChange) -> TenantRow:
    """The row with the changes in it; pure. Raises RefusedError."""
    columns = msgspec.structs.asdict(row)
    for field, value in given(Terms, wanted).items():
        read = _READ.get(field)
        columns[field] = value if read is None or value is None else read(field, value)
    if wanted.networks is not None:
        columns["networks"] = sorted({source_network(text) for text in wanted.networks})
    columns["window_start"], columns["window_length"], columns["window_zone"] = _hours(row, wanted)
    after = TenantRow(**columns)
    _spaced(after)
    if (after.mailbox_min, after.mailbox_max) != (row.mailbox_min, row.mailbox_max):
        _possible(after.mailbox_min, after.mailbox_max)
    return after


def _possible(least: int | None, most: int | None) -> None:
    """Raises RefusedError, as for one mailbox."""
    if least is not None and most is not None and least > most:
        raise bad("mailbox_min", f"{least} is more than mailbox_max ({most})")


def _spaced(row: TenantRow) -> None:
    """Raises RefusedError for bounds of gaps that contradict each other."""
    least, most = row.mailbox_spacing, row.mailbox_spacing_max
    if most is None:
        return
    if least is None:
        raise bad("mailbox_spacing_max", "has no meaning without mailbox_spacing: give both")
    if most < least:
        raise bad("mailbox_spacing_max", f"{most:g} is less than mailbox_spacing ({least:g})")


def _senders(field: str, texts: tuple[str, ...]) -> list[str]:
    return sorted({sender(field, text) for text in texts})


def _domains(field: str, texts: tuple[str, ...]) -> list[str]:
    return sorted({domain_name(field, text) for text in texts})


def _pattern(field: str, text: str) -> str:
    if problem := pattern_problem(text):
        raise bad(field, problem)
    return text


_READ: dict[str, Callable[[str, Any], Any]] = {
    "senders": _senders,
    "brand_domains": _domains,
    "mailbox_ramp": lambda _, stages: list(stages),
    "feedback_id": _pattern,
    "list_unsubscribe": _pattern,
}
"""Terms whose form a type alone cannot tell, or that have a usual spelling."""


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
