"""What goes through each IP now: what is asked and answered. Values, and how they are chosen."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from control.explain.standing import Mail
from control.sources.ipview import State
from control.stop.stop import Stop
from control.values.query import FoundText, Limit
from control.values.wanted import meant
from policy.model import UNLIMITED, Unlimited

# fmt: off
Sort = Literal[
    "ip", "vmta", "tenant", "state", "stage", "quota", "used", "left", "held", "rate", "bounced",
    "deferred",
    "-ip", "-vmta", "-tenant", "-state", "-stage", "-quota", "-used", "-left", "-held", "-rate",
    "-bounced", "-deferred",
]
# fmt: on
SHOWN = 50
"""IPs of an answer, unless another number is asked for."""


class TrafficQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every filter that is given must match."""

    tenant: Annotated[FoundText | None, meant("Only of this tenant.")] = None
    state: Annotated[State | None, meant("Only in this state.")] = None
    containing: Annotated[
        FoundText | None, meant("Only with this in the address, VirtualMTA or tenant.")
    ] = None
    sort: Annotated[
        Sort | None,
        meant("What IPs are sorted by; - before it: the largest first. -used by default."),
    ] = None
    limit: Annotated[Limit | None, meant("At most so many IPs; 50 by default.")] = None


class IpTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """One IP, in recipients of today (UTC)."""

    tenant: str
    ip: str
    vmta: str
    state: str
    stage: int | None
    """Of its plan; null: its quota is its own."""
    stages: int | None
    quota: int | Unlimited
    used: int
    """PowerMTA took them, or is being given them."""
    opening: int
    """Of earlier days, not done with; they count against today."""
    left: int | Unlimited
    now: int | Unlimited
    """How many may go at this moment."""
    held: int | None
    """Messages that wait for its pools; null: not counted yet."""
    rate: float | None
    """Recipients a minute, over the last seconds; null: not known yet."""
    delivered: int
    bounced: int
    deferred: int
    """Attempts that were put off."""
    next_free: str
    """When the next recipient may go; empty: now, or not before a change."""
    why: str
    """What binds; empty: nothing."""


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Sums are of all IPs that match, not only of those that are shown."""

    at: str
    """Calendar time."""
    stopped: Stop | None
    """That all sending is stopped; null: it is not."""
    mail: Mail | None
    """Of all tenants in the last 60 s; null: one tenant was asked for."""
    held: int | None
    """Messages that wait; null: not counted yet."""
    ips: int
    states: dict[str, int]
    quota: int
    """Of IPs that have a limit, as the next two."""
    used: int
    left: int
    unlimited: int
    """IPs without a limit."""
    bound: int
    """IPs that may send nothing at this moment."""
    binds: dict[str, int]
    """Kind of limit (`ip_quota`, `ip_pace`, `paused`) to how many of those it binds; the most
    frequent first."""
    known: int
    """IPs that were looked at so far, of `all`: the others follow with the next questions."""
    all: int
    age: float
    """Seconds since the one was looked at that was looked at longest ago."""
    rows: list[IpTraffic]


class Seen(NamedTuple):
    """An IP as it was seen."""

    row: IpTraffic
    at: float
    """Of the process's own clock, seconds."""
    order: tuple[int, int]
    """Of its address: IPv4 first."""
    text: str
    """What is searched, folded."""
    cause: str
    """What kind of limit binds it; empty: none."""


def order_of(ip: str) -> tuple[int, int]:
    """As `Seen.order`."""
    address = ipaddress.ip_address(ip)
    return address.version, int(address)


def text_of(ip: str, vmta: str, tenant: str) -> str:
    """As `Seen.text`."""
    return f"{ip}\n{vmta}\n{tenant}".casefold()


def matching(found: Iterable[Seen], asked: TrafficQuery) -> list[Seen]:
    """Those that every filter matches."""
    some = list(found)
    if asked.tenant is not None:
        some = [one for one in some if one.row.tenant == asked.tenant]
    if asked.state is not None:
        some = [one for one in some if one.row.state == asked.state]
    if asked.containing is not None:
        text = asked.containing.casefold()
        some = [one for one in some if text in one.text]
    return some


def ordered(found: Sequence[Seen], sort: Sort | None) -> list[Seen]:
    """Equal ones stay in the order they have; what has no limit comes as the largest."""
    sort = sort or "-used"
    key = _KEYS[sort.removeprefix("-")]
    return sorted(found, key=key, reverse=sort.startswith("-"))


def sums(found: Sequence[Seen]) -> dict[str, Any]:
    """The fields of `Traffic` that are of all that match."""
    states: dict[str, int] = {}
    binds: dict[str, int] = {}
    quota = used = left = unlimited = bound = 0
    for one in found:
        row = one.row
        states[row.state] = states.get(row.state, 0) + 1
        if one.cause:
            bound += 1
            binds[one.cause] = binds.get(one.cause, 0) + 1
        if isinstance(row.quota, int) and isinstance(row.left, int):
            quota += row.quota
            used += row.used
            left += row.left
        else:
            unlimited += 1
    return {
        "ips": len(found),
        "states": dict(sorted(states.items())),
        "quota": quota,
        "used": used,
        "left": left,
        "unlimited": unlimited,
        "bound": bound,
        "binds": dict(sorted(binds.items(), key=lambda pair: -pair[1])),
    }


def _number(value: int | float | Unlimited | None) -> float:
    return float("inf") if value is None or value == UNLIMITED else float(value)


_KEYS: Mapping[str, Callable[[Seen], Any]] = {
    "ip": lambda one: one.order,
    "vmta": lambda one: one.row.vmta,
    "tenant": lambda one: one.row.tenant,
    "state": lambda one: one.row.state,
    "stage": lambda one: _number(one.row.stage),
    "quota": lambda one: _number(one.row.quota),
    "used": lambda one: one.row.used,
    "left": lambda one: _number(one.row.left),
    "held": lambda one: -1 if one.row.held is None else one.row.held,
    "rate": lambda one: -1.0 if one.row.rate is None else one.row.rate,
    "bounced": lambda one: one.row.bounced,
    "deferred": lambda one: one.row.deferred,
}
