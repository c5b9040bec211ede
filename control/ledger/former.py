"""What IP a VirtualMTA was, by the plans that were in force.

For counts whose IP nobody wrote down when they were booked: those of an older version. Plans are
read one by one and only names and addresses of them, for each of a version before may be megabytes.
"""

import logging
from collections.abc import Mapping

import msgspec

from control.plan.stored import parts_of
from control.store.database import Connection
from policy.plan import BadGenerationError
from policy.unpacking import checked
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "ledger")


class _Vmta(msgspec.Struct, frozen=True):
    name: str
    ip: str


class _Plan(msgspec.Struct, frozen=True):
    """Of any version: what a plan has besides is not looked at."""

    vmtas: list[_Vmta | bytes]
    """Themselves, or the digests of the parts that have them (`policy.division`)."""


_plan = msgspec.msgpack.Decoder(_Plan).decode
_part = msgspec.msgpack.Decoder(list[_Vmta]).decode


class Former(msgspec.Struct, frozen=True):
    """What plans tell."""

    ips: Mapping[str, set[str]]
    """VirtualMTA to each IP it was since the time asked for; without those of no such plan."""
    unknown: str
    """Why it may have been another one, too; '' when it was not."""


async def former(connection: Connection, names: set[str], since: float) -> Former:
    """Of `names`, since `since` (UTC seconds). `connection` in a transaction."""
    ips: dict[str, set[str]] = {}
    unreadable: list[int] = []
    number, read = 0, dict[bytes, list[_Vmta]]()
    async for row in connection.cursor(_SQL["plans"], prefetch=1):
        number = row["number"]
        try:
            for vmta in await _vmtas(connection, row["encoded"], read):
                if vmta.name in names:
                    ips.setdefault(vmta.name, set()).add(vmta.ip)
        except (msgspec.MsgspecError, BadGenerationError) as error:
            log.error("generation %d cannot be read and is left out: %s", number, error)
            unreadable.append(number)
        if row["created"] <= since:
            # It was in force when the time began.
            break
    else:
        if number > 1 and not unreadable:
            return Former(ips, f"generations before {number} are not kept")
    return Former(ips, f"generation {unreadable[0]} cannot be read" if unreadable else "")


async def _vmtas(
    connection: Connection, encoded: bytes, read: dict[bytes, list[_Vmta]]
) -> list[_Vmta]:
    """Of one plan; `read`: parts of others, which it shares most of. Raises msgspec's errors and
    BadGenerationError."""
    found = _plan(encoded).vmtas
    digests = [one for one in found if isinstance(one, bytes)]
    lacking = [digest for digest in digests if digest not in read]
    bodies = await parts_of(connection, lacking)
    for digest in lacking:
        read[digest] = _part(checked("VirtualMTAs", digest, bodies))
    vmtas = [one for one in found if not isinstance(one, bytes)]
    return vmtas + [vmta for digest in digests for vmta in read[digest]]
