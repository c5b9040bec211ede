"""Whose mailboxes may send more than they might: of whom what rests is looked at again.

Rule: those of whose tenants the terms of mailboxes differ from those by which it was put to rest. A
million messages that rest were written twice at every change of anybody's, and once more when they
were put to rest again.
"""

from collections.abc import Iterable

from policy.model import Tenant


def _terms(tenant: Tenant) -> tuple[object, ...]:
    return (
        tenant.mailbox_default,
        tenant.mailboxes,
        tenant.mailbox_ramp,
        tenant.mailbox_ramp_days,
        tenant.mailbox_unknown,
        tenant.mailbox_bound,
    )


class Renewed:
    """What one releaser remembers."""

    def __init__(self) -> None:
        self._terms: dict[str, tuple[object, ...]] = {}
        self._tenants: set[str] = set()
        self._all = True

    def all(self) -> None:
        """A moved clock, a ledger opened anew: everybody's."""
        self._all = True

    def look(self, tenants: Iterable[Tenant]) -> list[str] | None:
        """By name those of now, and those since `done`; None: all of them."""
        terms = {tenant.name: _terms(tenant) for tenant in tenants}
        self._tenants |= {name for name, its in terms.items() if self._terms.get(name) != its}
        self._terms = terms
        return None if self._all else sorted(self._tenants)

    def done(self) -> None:
        """They were looked at as often as they have to be."""
        self._tenants.clear()
        self._all = False
