"""What each operation needs of who asks: the role and whose tenants, as the table of routes, the
document and its page say it. All of it is read from where it is decided: the routes, the table at
the door, and the roles that may post accounting.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from control.api import docspage
from control.api.permission import CLOSED, PERMISSIONS
from control.api.route import Route
from control.kind import PATH
from control.pmta.offer import APPLIED, OFFER
from control.users.link import PAGE as LINK
from control.users.role import ALL_ROLES, CONFIGURED, FEEDERS, ROLES

Tenants = Literal["", "all", "own", "mine"]
WHOSE: dict[Tenants, str] = {
    "": "nobody has to be known",
    "all": "of all tenants: it is closed to who is of some (403)",
    "own": "of all tenants or of some: who is of some asks it of those alone",
    "mine": "whosever it is: about who asks, or people and tokens as far as that reaches",
}
"""What each of them means."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One operation."""

    method: str
    path: str
    role: str
    """The least that will do; '' where nobody has to be known."""
    roles: list[str]
    """All that will do."""
    tenants: Tenants
    summary: str

    @property
    def sentence(self) -> str:
        """For the document."""
        if not self.role:
            return "Needs no token."
        beyond = [role for role in self.roles if role != self.role]
        more = f" (or {', '.join(beyond)})" if beyond else ""
        return f"Needs the role {self.role}{more}, {WHOSE[self.tenants]}."


def need(method: str, path: str, *, public: bool, summary: str) -> Need:
    """Of one route."""
    if public:
        return Need(method=method, path=path, role="", roles=[], tenants="", summary=summary)
    wanted = PERMISSIONS.get((method, path), CLOSED)
    return Need(
        method=method,
        path=path,
        role=wanted.role,
        roles=list(ROLES[ROLES.index(wanted.role) :]),
        tenants="mine" if wanted.mine else "own" if wanted.own else "all",
        summary=summary,
    )


OPEN: dict[tuple[str, str], tuple[str, str]] = {
    ("GET", "/api/openapi.json"): ("All of this as an OpenAPI 3.1 document", "application/json"),
    ("GET", docspage.PATH): (docspage.SUMMARY, "text/html"),
    ("GET", PATH): ("The kinds of problem there are", "application/json"),
    ("GET", f"{PATH}/{{kind}}"): (
        "What a kind of problem means, and what to do",
        "application/json",
    ),
    ("GET", LINK): ("The page that a one-time link opens: choose a password", "text/html"),
}
"""What the application answers beside its routes, to everybody: what it is, and its media type."""


class Doors(NamedTuple):
    """Paths whose handlers read their requests themselves, and know who asks."""

    posted: Iterable[str] = ()
    """That take accounting."""
    agents: Iterable[str] = ()
    """That only our own agent and command post to."""
    asked: Iterable[str] = ()
    """That our own agent gets."""


NO_DOORS = Doors()


POSTED = "PowerMTA's accounting records; 200 means that they are on the disk"
SHIPPED = "Called by our own agent and command alone"
ASKED = "Called by our own agent alone: what its PowerMTA is to run"


def needs(routes: Iterable[Route], doors: Doors) -> list[Need]:
    """Of every operation, by path."""
    found = [
        need(route.method, route.path, public=route.public, summary=route.summary)
        for route in routes
    ]
    for paths, method, summary in (
        (doors.posted, "POST", POSTED),
        (doors.agents, "POST", SHIPPED),
        (doors.asked, "GET", ASKED),
    ):
        found += [at_door(method, path, summary) for path in paths]
    found += [need(*at, public=True, summary=summary) for at, (summary, _) in OPEN.items()]
    return sorted(found, key=lambda one: (one.path, one.method))


def at_door(method: str, path: str, summary: str) -> Need:
    """Of a path that says itself who may."""
    may = CONFIGURED if path in (OFFER, APPLIED) else FEEDERS
    roles = [role for role in ALL_ROLES if role in may]
    least = "agent" if path in (OFFER, APPLIED) else "accounting"
    rest = [role for role in roles if role != least]
    return Need(
        method=method, path=path, role=least, roles=[least, *rest], tenants="all", summary=summary
    )
