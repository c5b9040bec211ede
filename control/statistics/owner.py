"""Whose a record is: its IP and its tenant.

Rule: the IP it left from, where that is one of ours, else the one of its VirtualMTA on that day,
whose name PowerMTA takes in any case; behind a network address translation PowerMTA names an
address that nobody knows. Who owns a VirtualMTA or an IP is remembered when it was removed, too
(`vmta_ip`). A record that names neither (rb, and often f) is looked up by its message, in what the
gateways told of it.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from control.accounting.columns import storable
from control.store.database import Connection
from policy.limits import DAY
from settings.statements import statements

_SQL = statements(__package__, "statistics")

_HOUR = 3_600_000


class Owner(NamedTuple):
    """'' for what is not known."""

    ip: str
    tenant: str


class _Past(NamedTuple):
    """An IP that a VirtualMTA had."""

    created: int
    """Calendar milliseconds."""
    here: bool
    """It has it still."""
    vmta: str
    owner: Owner


class Owners:
    """Of the VirtualMTAs and IPs of one batch."""

    def __init__(self, records: Iterable[Any]) -> None:
        """From statement `owners`."""
        self._vmtas: dict[str, list[_Past]] = {}
        self._ips: dict[str, list[_Past]] = {}
        for row in records:
            owner = Owner(row["ip"], row["tenant"])
            one = _Past(row["created"], row["here"], row["vmta"], owner)
            self._vmtas.setdefault(row["vmta"].lower(), []).append(one)
            self._ips.setdefault(row["ip"], []).append(one)

    def of(self, day: int, vmta: str, source_ip: str) -> Owner:
        """`source_ip` as `address_of` gives it."""
        named = _then(self._vmtas.get(vmta.lower(), ()), day)
        if source_ip and (named is None or named.owner.ip != source_ip):
            left = _then(self._ips.get(source_ip, ()), day)
            if left is not None:
                return left.owner
            if named is None:
                return Owner(source_ip, "")
        return Owner("", "") if named is None else named.owner


async def owners(connection: Connection, vmtas: set[str], ips: set[str]) -> Owners:
    """Whose these are and were."""
    names = {vmta.lower() for vmta in vmtas}
    return Owners(await connection.fetch(_SQL["owners"], sorted(names), sorted(ips)))


@lru_cache(maxsize=4096)
def address_of(text: str) -> str:
    """The column dlvSourceIp as the ledger writes an IP; '' for none (`0.0.0.0`: it was never
    connected)."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return ""
    return "" if address.is_unspecified else str(address)


class Told(NamedTuple):
    """What the gateways told of a message."""

    vmta: str
    tenant: str
    campaign: str
    domain: str
    """Of its recipient."""


async def told(connection: Connection, messages: set[str]) -> dict[str, Told]:
    """Of those that are still known."""
    if not messages:
        return {}
    return {
        row["message"]: Told(
            row["vmta"], row["tenant"], row["campaign"], row["recipient"].rpartition("@")[2]
        )
        for row in await connection.fetch(_SQL["told"], sorted(map(storable, messages)))
    }


def _then(known: Iterable[_Past], day: int) -> _Past | None:
    """The one of that day: the newest that was made before its end, or the first there was."""
    end = (day + 1) * DAY + _HOUR
    before = [one for one in known if one.created < end]
    if before:
        return max(before, key=lambda one: (one.created, one.here))
    return min(known, key=lambda one: one.created, default=None)
