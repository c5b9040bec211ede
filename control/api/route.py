"""A route as a value: the application and the OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from control.core import Core
from control.plan.changed import Changed, V
from control.store.change import Act


@dataclass(frozen=True)
class Call:
    """One request, decoded."""

    core: Core
    who: str
    path: dict[str, str]
    query: dict[str, str]
    body: Any

    @property
    def dry(self) -> bool:
        """Whether the change is only to be tried."""
        return self.query.get("dry_run", "") in ("1", "true", "yes")


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    summary: str
    handler: Handler
    answer: Any
    """Type of the answer; `str` answers plain text."""
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    """Query parameter to its description; others are refused."""
    public: bool = False
    status: int = 200


DRY = {"dry_run": "1: show what would happen, change nothing"}


async def changed(call: Call, act: Callable[[Act], Awaitable[V]]) -> Changed[V]:
    """Run a change for a request and answer with what it left."""
    done = await call.core.publisher.change(call.who, act, dry=call.dry)
    return Changed(
        view=done.result,
        generation=done.generation,
        late=done.late,
        dry_run=done.dry,
        changed=done.changed,
        notes=done.notes,
    )
