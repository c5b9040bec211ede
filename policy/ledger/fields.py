"""A generation as the rows that the ledger's scripts read.

Fields of the hash `plan:N`: `g` (the whole gateway), `t:TENANT`, `p:POOL`, `m:POOL` (its members,
apart because a reservation in the common case does not read them), `v:VMTA`, `i:IP`.
Numbers stand for absence (-1: no limit) because msgpack's nil vanishes from a Lua table.
A mailbox: [most a day, milliseconds between messages at least, how much more at most, least a day,
first day of its ramp, its ramp]; -2, and no ramp: the tenant's.
Mailbox limits have a hash of their own per tenant, named by their digest: those that change are
written, not 100,000 with every generation.
"""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from policy.division import Part
from policy.mailbox import milliseconds, terms_of
from policy.model import OFF, UNLIMITED, MailboxLimits, Rate, Tenant, VirtualMta
from policy.plan import Generation

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_NOBODY: Mapping[str, str] = MappingProxyType({})


def plan_rows(generation: Generation, own: Mapping[str, str] = _NOBODY) -> dict[str, bytes]:
    """Field to msgpack row, without the mailboxes. `own`: tenants to the digests of theirs."""
    rows: dict[str, bytes] = {
        "g": _encode(_whole(generation)),
    }
    pools_of: dict[str, list[str]] = {}
    for pool in generation.pools:
        members = [m for m in pool.members if generation.vmta[m].state.sends]
        for member in members:
            pools_of.setdefault(member, []).append(pool.name)
        row: dict[str, Any] = {"tenant": pool.tenant, "paused": pool.paused}
        if pool.overflow:
            row["overflow"] = pool.overflow
        if pool.rate != OFF:
            row |= _rate(pool.rate)
        rows[f"p:{pool.name}"] = _encode(row)
        rows[f"m:{pool.name}"] = _encode(members)
    for vmta in generation.vmtas:
        packed = _encode(_vmta(vmta, pools_of.get(vmta.name, [])))
        rows[f"v:{vmta.name}"] = packed
        rows[f"i:{vmta.ip}"] = packed
    for tenant in generation.tenants:
        rows[f"t:{tenant.name}"] = _encode(_tenant(tenant, own.get(tenant.name)))
    return rows


def mailbox_rows(part: Part) -> dict[str, bytes]:
    """Mailbox to row, of a part of those that a tenant limits by name."""
    return {
        name: _encode(mailbox_row(limits))
        for name, limits in zip(part.names, part.rows, strict=True)
    }


class Digests:
    """Of mailboxes as rows, by which the hash is named that has them; keeps those of the parts it
    saw last, so that a change costs the parts it touched."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def of(self, mailboxes: Mapping[str, Sequence[Part]]) -> dict[str, str]:
        """By tenant."""
        known = {
            part.digest: self._known.get(part.digest) or _rows_digest(part)
            for parts in mailboxes.values()
            for part in parts
        }
        self._known = known
        return {
            tenant: hashlib.sha256(b"".join(known[part.digest] for part in parts)).hexdigest()[:16]
            for tenant, parts in mailboxes.items()
        }


def _rows_digest(part: Part) -> bytes:
    """Of the rows, not of the part: another version may make other rows of it."""
    return hashlib.sha256(_encode(mailbox_rows(part))).digest()


def _whole(generation: Generation) -> dict[str, Any]:
    row: dict[str, Any] = {**_rate(generation.rate)}
    if generation.stopped:
        row["stopped"] = 1
    # An empty table would be asked for every recipient's provider.
    if shared := {name: _rate(r) for name, r in generation.provider_rates.items() if r != OFF}:
        row["providers"] = shared
    return row


def _rate(rate: Rate) -> dict[str, int]:
    return {
        "minute": -1 if rate.minute is None else rate.minute,
        "hour": -1 if rate.hour is None else rate.hour,
    }


def _vmta(vmta: VirtualMta, pools: list[str]) -> dict[str, Any]:
    rate = {} if vmta.rate == OFF else _rate(vmta.rate)
    return {
        **rate,
        "name": vmta.name,
        "ip": vmta.ip,
        "server": vmta.server,
        "daily": -1 if vmta.daily == UNLIMITED else vmta.daily,
        "share": vmta.hourly_share,
        "weight": vmta.weight,
        "ceilings": vmta.ceilings,
        "pools": pools,
    }


TENANTS = -2
"""In a mailbox's row: the tenant's holds."""


def mailbox_row(limits: MailboxLimits) -> list[Any]:
    """What the scripts read of a mailbox."""
    gap = span = TENANTS
    if limits.spacing is not None:
        gap = milliseconds(limits.spacing)
        span = max(milliseconds(limits.spacing_max) - gap, 0)
    row: list[Any] = [
        TENANTS if limits.daily_max is None else limits.daily_max,
        gap,
        span,
        TENANTS if limits.daily_min is None else limits.daily_min,
        -1 if limits.ramp_from is None else limits.ramp_from,
    ]
    if limits.rate != OFF:
        rate = _rate(limits.rate)
        return [*row, False if limits.ramp is None else limits.ramp, (rate["minute"], rate["hour"])]
    return row if limits.ramp is None else [*row, limits.ramp]


def _tenant(tenant: Tenant, own: str | None) -> dict[str, Any]:
    common = terms_of(tenant, None)
    row: dict[str, Any] = {
        "paused": tenant.paused,
        "mailbox_max": -1 if common.most is None else common.most,
        "mailbox_gap": common.gap,
        "bound": tenant.mailbox_bound,
        **_rate(tenant.rate),
    }
    # Left out where they say nothing: most tenants have none of them.
    if common.gap_most > common.gap:
        row["mailbox_span"] = common.gap_most - common.gap
    if tenant.mailbox_ramp:
        row["ramp"] = tenant.mailbox_ramp
    row["ramp_days"] = tenant.mailbox_ramp_days
    if tenant.mailbox_unknown != "discover":
        row["unknown"] = tenant.mailbox_unknown
    if tenant.mailbox_default.rate != OFF:
        row |= {
            f"mailbox_{span}": most for span, most in _rate(tenant.mailbox_default.rate).items()
        }
    if tenant.window is not None:
        row["window"] = tenant.window
    if own is not None:
        row["own"] = own
    return row
