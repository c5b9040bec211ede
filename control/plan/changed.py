"""The answer to a change."""

from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from control.store.change import Act, Difference
from control.store.change import Still as Still
from control.store.database import Connection

V = TypeVar("V")


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken away (or, with `dry_run`, could be)."""

    noun: str
    name: str
    also: dict[str, list[str]] = {}
    """What went with it, by noun."""


class Changed(msgspec.Struct, Generic[V], frozen=True, kw_only=True):
    """The answer to a change that was made (or, with `dry_run`, could be)."""

    view: V
    """What was changed, as it is afterwards."""
    generation: int
    late: list[str] = []
    """Gateway workers that do not run the generation yet."""
    dry_run: bool = False
    changed: bool = True
    """False: everything was as asked for already, and nothing was published."""
    notes: list[str] = []
    """What the change did besides, and what is left to do."""
    differences: list[Difference] = []
    """What it set, field by field, as the audit log has it."""


async def removed(noun: str, change: Awaitable[str]) -> Removed:
    """What a change that returns the name of what it took away has removed."""
    return Removed(noun=noun, name=await change)


class Seen(Protocol):
    """A `Still` that what is there is what who asks saw of it."""

    async def __call__(self, connection: Connection) -> None:
        """Raises RefusedError."""

    async def go_on(self, connection: Connection) -> "Seen":
        """That it is what it is now, for what is done in several transactions."""


def both(first: Still | None, then: Still | None) -> Still | None:
    """Asks the one, and then the other."""
    if first is None or then is None:
        return first or then

    async def asked(connection: Connection) -> None:
        await first(connection)
        await then(connection)

    return asked


def sure(
    change: Callable[[Act], Awaitable[V]], still: Still | None
) -> Callable[[Act], Awaitable[V]]:
    """`change`, with `still` asked first in its own transaction: under its lock, if it has one."""
    if still is None:
        return change

    async def act(a: Act) -> V:
        await still(a.connection)
        return await change(a)

    return act


class Charged(Protocol):
    """What stays of IPs because mail may be queued for them, or their counts be lost."""

    def __call__(self, act: Act, ips: dict[str, str], *, force: bool) -> Awaitable[list[str]]:
        """A sentence for each; `ips`: to VirtualMTA. Raises RefusedError when the ledger cannot be
        asked."""
