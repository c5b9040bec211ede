"""What has to be known before a lost ledger may open again, and what of it is known.

Owns: the decision, as a plain function of rows. Not here: reading them, asking for probes,
writing the ledger (`control.ledger.rebuild`, `control.ledger.opening`).
Rule: the counts of a server's IPs are known when a probe of ours, sent after the last message
that could still be counted on the old ledger, has been read in that server's receipt stream;
they are lost where no such stream is read. Then its IPs stay closed until the day's turn.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

ASK_AGAIN = 120.0
"""Real seconds for a probe to be sent, accepted and read; then another is asked for."""

PATIENCE = 900.0
"""Real seconds after which a server whose probes come to nothing is left to the day's turn: one
PowerMTA that is down must not keep the mail of the others."""


class Stream(msgspec.Struct, frozen=True):
    """How far a server's accounting was read; calendar milliseconds."""

    server: str
    since: int
    """What was sent before is not in it."""
    gap_at: int
    problem: str


class Probe(msgspec.Struct, frozen=True):
    """A probe that was asked for; `sent` 0: no releaser took it yet."""

    id: str
    server: str
    sent: int
    accepted: bool
    read: bool


class Weighed(msgspec.Struct, frozen=True):
    """What is known, by server."""

    known: list[str]
    lost: dict[str, str]
    """Server to why its counts of today cannot be found out."""
    ask: list[str]
    """Servers that need a probe, or another one."""
    waits: list[str]
    """Sentences; empty: the ledger may open."""


def weigh(
    servers: Sequence[str],
    streams: Mapping[str, Stream],
    asked: Mapping[str, Sequence[str]],
    probes: Mapping[str, Probe],
    *,
    began: Mapping[str, int],
    grants_left: float,
    age: Callable[[str], float],
) -> Weighed:
    """`asked`: server to probe ids since the loss, the newest last. `began`: server to the calendar
    milliseconds from which on its counts matter. `grants_left`: real seconds until no grant of the
    old ledger can still be sent. `age`: real seconds since a probe was asked for."""
    weighed = Weighed([], {}, [], [])
    for server in servers:
        ids = asked.get(server, ())
        stream = streams.get(server)
        if stream is None:
            weighed.lost[server] = "there is no accounting feed"
        elif stream.gap_at >= began[server]:
            weighed.lost[server] = "records of today are missing in its accounting"
        elif stream.since > began[server]:
            weighed.lost[server] = "its accounting has not been read since the day began"
        elif any(probes[i].accepted and probes[i].read for i in ids if i in probes):
            weighed.known.append(server)
        elif ids and age(ids[0]) > PATIENCE:
            weighed.lost[server] = _still(server, probes.get(ids[-1]), stream)
        else:
            if grants_left <= 0 and (not ids or age(ids[-1]) > ASK_AGAIN):
                weighed.ask.append(server)
            weighed.waits.append(_still(server, probes.get(ids[-1]) if ids else None, stream))
    if weighed.waits and grants_left > 0:
        weighed.waits.insert(
            0, f"grants given before the loss may still be sent for {grants_left:.0f} s"
        )
    return weighed


def _still(server: str, probe: Probe | None, stream: Stream) -> str:
    name = f"the probe of server {server}"
    if probe is None:
        return f"{name} is not asked for yet"
    if not probe.sent:
        return f"{name} was not sent yet"
    if not probe.accepted:
        return f"{name} was sent and not accepted yet"
    trouble = f" ({stream.problem})" if stream.problem else ""
    return f"{name} was accepted and its record not read yet{trouble}"
