"""Attempts to sign in, counted by account and source: what keeps guessers out, and nobody else.

Rule: failures lock an account for the source they came from alone, for longer each time, so that
nobody is locked out by another's guesses. What many sources guess together, or one of many
accounts, is bounded, too; that closes to sources the account never signed in from, and to no other.
An account that does not exist is counted as one that does. State is in PostgreSQL: several control
nodes count together.
"""

import hashlib
import ipaddress
import math

from control import kinds
from control.problem import RefusedError
from control.store.database import Connection
from settings.people import People
from settings.statements import statements

_SQL = statements(__package__, "attempt")

_BUSY = 600.0
"""Seconds told to who is refused for what others do."""


class LockedError(RefusedError):
    """Too many failures; `after` seconds it may be tried again."""

    def __init__(self, after: float, why: str) -> None:
        super().__init__(f"{why}: try again in {math.ceil(after)} s", kind=kinds.LOCKED)
        self.after = math.ceil(after)


def source_of(address: str) -> str:
    """Where an attempt comes from: an IPv4 address, an IPv6 /64, which is one customer's."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network(f"{found}/64", strict=False))


def account_of(name: str) -> bytes:
    """What stands for a name that somebody gives, whether there is such an account or not."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


class Attempts:
    """By the bounds of the settings."""

    def __init__(self, settings: People) -> None:
        self._of = settings

    async def begin(self, connection: Connection, name: str, address: str) -> int:
        """Counts one as failed; `right` takes that back. Failures of the two so far. Raises
        LockedError."""
        of, account, source = self._of, account_of(name), source_of(address)
        known = await connection.fetchval(_SQL["known"], account, source) is not None
        found = await connection.fetchrow(_SQL["failures"], account, source)
        full = (
            found["account"] >= of.account_failures
            or found["source"] >= of.source_failures
            or found["every"] >= of.all_failures
        )
        if full and not known:
            raise LockedError(
                _BUSY, "too many failed of late; from where you signed in before you may"
            )
        counted = await connection.fetchval(
            _SQL["begin"], account, source, of.lock_after, of.lock_first, of.lock_most
        )
        if counted is None:
            left = await connection.fetchval(_SQL["left"], account, source)
            raise LockedError(left or 1.0, "too many failures from where you are")
        return int(counted)

    def locks(self, failures: int) -> bool:
        """Whether so many lock the two."""
        return failures >= self._of.lock_after

    async def right(self, connection: Connection, name: str, address: str) -> None:
        """It was who it says: failures from there are forgotten, and the source is known."""
        await connection.execute(_SQL["right"], account_of(name), source_of(address))

    async def forget(self, connection: Connection, name: str) -> None:
        """Failures of an account, whatever their sources: somebody on the host vouches for it."""
        await connection.execute(_SQL["forget"], account_of(name))


async def sweep(connection: Connection) -> None:
    """Those that count no more."""
    await connection.execute(_SQL["sweep"])
