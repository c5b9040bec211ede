"""An offer that somebody waits for, and what became of it. Pure."""

import msgspec

from control import kinds
from control.pmta.desired import Desired
from control.pmta.known import Fact, told
from control.pmta.standing import Standing
from control.problem import RefusedError


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """One offer ahead of its plan."""

    server: str
    version: int
    digest: str
    offer: int
    before: Desired | None
    """What was wanted; None: nothing yet."""
    more: bool = False
    """It has what the plan has not any more, until no gateway needs that."""


def arrived(standing: Standing, offered: Offered) -> bool:
    """Raises RefusedError for one that was not taken."""
    if standing.offer != offered.offer:
        raise RefusedError(
            f"{standing.server} was offered version {standing.version} meanwhile, by another "
            f"change: version {offered.version} is not waited for any more",
        )
    if standing.runs_version(offered.version, offered.digest):
        return True
    if why := standing.refused(offered.offer):
        raise RefusedError(
            f"{why}. Nothing was changed",
            alone="PowerMTA refused the new configuration: nothing was changed",
        )
    return False


def must_stay(goes: frozenset[Fact], late: str) -> RefusedError:
    """What an offer would take away from gateways that may still name it: `late`, in words."""
    return RefusedError(
        f"{told(goes)} must stay at PowerMTA until {late} let go of it: nothing was changed; try "
        "again",
        kind=kinds.BUSY,
    )


def removed(server: str) -> RefusedError:
    """A server that is not there any more, whatever was begun on it."""
    return RefusedError(
        f"PowerMTA server {server} was removed meanwhile: its configuration is nobody's any more, "
        "and nothing was changed on it"
    )
