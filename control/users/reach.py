"""How far who asks reaches: whose people and tokens it sees and changes, and what it may give.

Rule: nobody gives more than it has. An admin of some tenants is not told of people and tokens of
others, nor of all; what a token gives is good from no more networks, and for no longer, than
itself. It is read in the transaction that changes something: who was let in at the door may have
lost it since.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from control import kinds
from control.problem import RefusedError, bad, missing
from control.store.database import Connection
from control.store.reference import key, no_such
from control.users.role import Holder
from policy.isotime import instant_of
from policy.node import network
from settings.statements import statements

_SQL = statements(__package__, "reach")


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Of an admin."""

    said: str
    """Who, for a sentence."""
    tenants: tuple[str, ...] | None
    """None: all."""
    networks: tuple[str, ...] = ()
    """From where it is good; none: from anywhere."""
    expires: datetime | None = None

    @property
    def scope(self) -> list[str] | None:
        """For a query: the tenants, or None."""
        return None if self.tenants is None else list(self.tenants)

    def see(self, noun: str, name: str, tenants: Sequence[str] | None) -> None:
        """Raises RefusedError (404) for what is not of its tenants alone; `tenants` None: of all,
        none: of ones that went."""
        if self.tenants is None or (tenants and set(tenants) <= set(self.tenants)):
            return
        raise missing(noun, name)

    async def give(
        self, connection: Connection, tenants: Sequence[str] | None
    ) -> tuple[str, ...] | None:
        """The names of tenants (names or numbers) that are to be somebody's. Raises
        RefusedError."""
        if tenants is None:
            if self.tenants is not None:
                raise bad("tenants", f"name those it is for, of yours: {', '.join(self.tenants)}")
            return None
        found = []
        for given in tenants:
            name = await key(connection, "tenant", given)
            if name is None or (self.tenants is not None and name not in self.tenants):
                raise no_such("tenant", given)
            found.append(name)
        return tuple(dict.fromkeys(found))

    def bound(self, networks: Sequence[str], expires: datetime | None) -> None:
        """Raises RefusedError (403) for a token that would be good from more networks than its
        giver, or for longer."""
        if self.expires is not None and (expires is None or expires > self.expires):
            raise _more("expires", f"{self.said} ends at {instant_of(self.expires)}: no later")
        if self.networks and not networks:
            raise _more("networks", f"{self.said} is good from {', '.join(self.networks)} alone")
        own = [network(one) for one in self.networks]
        for one in map(network, networks):
            if own and not any(o.version == one.version and one.subnet_of(o) for o in own):  # type: ignore[arg-type]
                raise _more("networks", f"{one}: {self.said} is not good from there")

    def unbound(self) -> None:
        """Raises RefusedError (403): a person signs in from anywhere, whenever, which is more than
        a bound token has."""
        if self.networks or self.expires is not None:
            raise RefusedError(
                f"{self.said} is bound to networks or to an end, and people are to neither: they "
                "are changed by a person, or by a token that has no such bound",
                kind=kinds.OUT_OF_REACH,
            )


def _more(field: str, detail: str) -> RefusedError:
    found = bad(field, detail)
    return RefusedError(found.detail, kind=kinds.OUT_OF_REACH, errors=found.errors)


async def reach_of(connection: Connection, holder: Holder) -> Reach:
    """As it is now. Raises RefusedError (403) for who is an admin no more, or of no tenant,
    or whose session was ended."""
    if holder.person is None:
        row = await connection.fetchrow(_SQL["token"], holder.name)
    else:
        row = await connection.fetchrow(_SQL["person"], holder.person, holder.session)
    if row is None or row["role"] != "admin" or not (row["everywhere"] or row["tenants"]):
        raise RefusedError(
            f"{holder.said} is an admin of nothing any more", kind=kinds.ROLE_TOO_LOW
        )
    return Reach(
        said=holder.said,
        tenants=None if row["everywhere"] else tuple(row["tenants"]),
        networks=tuple(row["networks"]),
        expires=row["expires"],
    )
