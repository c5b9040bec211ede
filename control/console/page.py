"""A page as a value: where it is, what it shows, what may be done on it.

Rule: a page needs what the API's route of the same meaning needs, by that route's name
(control/api/permission.py): it is not said a second time. An action is a form of the page's own
path, with `do` naming it, and works without a script: it ends in a redirect, or on the page again
with what was wrong beside the field. One that is tried first (`tried`) is a dry run until the form
says `sure`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from control.api.ratelimit import COSTLY
from control.api.tagged import TAGGED
from control.console.visit import Visit

Needs = tuple[str, str]
"""Method and path of a route of the API, as `PERMISSIONS` has it."""


@dataclass(frozen=True)
class Done:
    """What an action did, or, tried, would do."""

    said: str
    """One sentence, or a few."""
    notes: tuple[str, ...] = ()
    to: str = ""
    """Where to go on; empty: the page itself."""
    secret: str = ""
    """What is shown once, on the page that answers the form: it goes into no address and no cookie.
    Empty: there is none."""


View = Callable[[Visit], Awaitable[Mapping[str, Any]]]
"""What the template is given."""
Do = Callable[[Visit], Awaitable[Done]]
"""Reads `visit.form`. Raises RefusedError, and nothing was done then."""


@dataclass(frozen=True)
class Action:
    """A form of a page."""

    needs: Needs
    do: Do
    label: str
    """Of its button, and of what is shown when it was tried."""
    tried: bool = False
    """Whether it is shown what it would do before it is done."""
    unseen: str = ""
    """Why its form shows nothing of what it changes, which has a tag (control/console/seen.py);
    empty: it does."""

    @property
    def seen(self) -> bool:
        """Whether its form says what it showed."""
        return self.needs in TAGGED and not self.unseen


@dataclass(frozen=True)
class File:
    """What a page shows, to be kept: at its path, with `ending` behind it."""

    ending: str
    """`.csv`."""
    kind: str
    """`text/csv`."""
    make: Callable[[Visit], Awaitable[str]]
    """Of the visit's query."""


@dataclass(frozen=True)
class Page:
    """One path."""

    path: str
    """As routes have it: `/ips/{ip}`."""
    title: str
    template: str
    view: View
    needs: Needs
    menu: str = ""
    """What it is called in the menu; empty: it is not in it."""
    under: str = ""
    """Path of the page in the menu that it belongs to."""
    actions: Mapping[str, Action] = field(default_factory=dict)
    also: Mapping[str, Needs] = field(default_factory=dict)
    """What a field of the query has the page ask besides: it counts as that route of the API does
    (control/api/ratelimit.py)."""
    file: File | None = None

    def costly(self, query: Mapping[str, str]) -> bool:
        """Whether it asks a route that is, with such a query."""
        also = (needs for name, needs in self.also.items() if query.get(name))
        return any(needs in COSTLY for needs in (self.needs, *also))
