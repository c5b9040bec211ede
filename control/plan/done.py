"""A change as it is asked for, and what it left."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from control.store.change import Act, Difference

NEXT_STEP = (
    "PowerMTA's configuration changed: write it with `sendgate pmta config --output FILE` and load "
    "it into PowerMTA before mail uses what is new (or let `sendgate pmta agent` do it there, or "
    "set control.pmta_config and control.pmta_reload_url)"
)

T = TypeVar("T")
Change = Callable[[Act], Awaitable[T]]
"""What is done in one transaction, and returns what it left."""


class Done(msgspec.Struct, Generic[T], frozen=True):
    """A change that was made, or (`dry`) one that could be."""

    result: T
    generation: int
    late: list[str]
    """Workers that do not run the generation yet."""
    dry: bool = False
    notes: list[str] = []
    changed: bool = True
    """False: everything was as asked for, and nothing was published."""
    differences: list[Difference] = []


async def nothing(_: Act) -> None:
    """A change of nothing: publishes the rows as they are."""
