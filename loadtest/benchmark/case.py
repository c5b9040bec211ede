"""The loads, and what Sendgate needs to reach under each.

Rule: a case says everything that decides its figure, and its name says all of that in a line.
"""

import fnmatch
from typing import Literal

import msgspec

KB = 1024
HEADERS_COST = 0.20
"""Most that MailWizz's campaign headers may cost of the throughput without them."""
LATENCY_P50, LATENCY_P99 = 0.003, 0.015
"""Most that Sendgate may add at half load, in seconds."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One load."""

    size: int
    """Octets of a message, about."""
    kept: bool
    """Connections are kept; else each carries one message."""
    connections: int
    workers: int
    messages: int
    """Sent through Sendgate in a round."""
    tool: Literal["smtp-source", "inject"] = "smtp-source"
    headers: bool = False
    """MailWizz's campaign headers, a subscriber of its own for each message: duplicate entries."""
    login: bool = False
    """AUTH PLAIN on each connection; else the source network names the tenant."""
    tls: bool = False
    """STARTTLS on each connection. The direct half stays plain: smtp-sink knows no TLS."""
    sink: Literal["accept", "realistic"] = "accept"
    needed: float | None = None
    """Least share of direct."""
    needed_peers: dict[str, float] = {}
    """Peer to the least multiple of it."""

    @property
    def name(self) -> str:
        words = [f"{self.size // KB} KB", "kept" if self.kept else "each"]
        words += [f"{self.connections} conn", f"{self.workers} w"]
        words += ["inject"] if self.tool == "inject" else []
        words += ["campaign"] if self.headers else []
        words += ["auth"] if self.login else []
        words += ["starttls"] if self.tls else []
        words += ["realistic"] if self.sink == "realistic" else []
        return ", ".join(words)

    @property
    def peers(self) -> bool:
        """Peers run where smtp-source is the client and the sink takes everything."""
        return self.tool == "smtp-source" and self.sink == "accept"


_NEEDED = {(4 * KB, True): 0.40, (40 * KB, True): 0.60, (4 * KB, False): 0.35}
_NEEDED_PEERS = {
    (4 * KB, True): {"postfix proxy": 2.5, "haraka": 8.0},
    (40 * KB, True): {"postfix proxy": 1.7, "haraka": 4.5},
    (4 * KB, False): {"postfix proxy": 1.6, "haraka": 7.0},
}
_MESSAGES = {
    (4 * KB, True): 20_000,
    (40 * KB, True): 8000,
    (4 * KB, False): 8000,
    (40 * KB, False): 6000,
}


def _base(size: int, kept: bool, connections: int, workers: int) -> Case:
    usual = workers == 1 and connections == 20
    return Case(
        size=size,
        kept=kept,
        connections=connections,
        workers=workers,
        messages=_MESSAGES[size, kept],
        needed=_NEEDED.get((size, kept)) if usual else None,
        needed_peers=_NEEDED_PEERS.get((size, kept), {}) if usual else {},
    )


def all_cases() -> list[Case]:
    """Every case of the full run."""
    found = [
        _base(size, kept, connections, workers)
        for workers in (1, 2)
        for connections in (20, 200)
        for kept in (True, False)
        for size in (4 * KB, 40 * KB)
    ]
    small, each = _base(4 * KB, True, 20, 1), _base(4 * KB, False, 20, 1)
    with_headers = (small, each, _base(40 * KB, True, 20, 1), _base(4 * KB, True, 20, 2))
    found += [_own(case, headers=True) for case in with_headers]
    for case in (small, each):
        found += [_own(case, login=True), _own(case, tls=True, login=True)]
    for connections in (20, 200):
        found.append(_own(_base(4 * KB, True, connections, 1), sink="realistic", headers=True))
    return found


def _own(case: Case, **changes: object) -> Case:
    """`case` from our own injector: it needs more of the machine than smtp-source, so that the
    shares of direct are not comparable with those of smtp-source, and none is demanded."""
    return msgspec.structs.replace(
        case,
        tool="inject",
        messages=case.messages // 2,
        needed=None,
        needed_peers={},
        **changes,
    )


def quick_cases() -> list[Case]:
    """Three shares of direct and the cost of campaign headers, in well under 90 s."""
    wanted = {
        "4 KB, kept, 20 conn, 1 w": 4000,
        "40 KB, kept, 20 conn, 1 w": 2000,
        "4 KB, each, 20 conn, 1 w": 2000,
        "4 KB, kept, 20 conn, 1 w, inject, campaign": 3000,
    }
    return [
        msgspec.structs.replace(case, messages=wanted[case.name])
        for case in all_cases()
        if case.name in wanted
    ]


def chosen(cases: list[Case], pattern: str) -> list[Case]:
    """Cases whose name has `pattern` in it, or matches it as a shell pattern, in any case."""
    low = pattern.lower()
    return [c for c in cases if low in c.name.lower() or fnmatch.fnmatch(c.name.lower(), low)]
