"""What one injector counted, and several together."""

import msgspec


class Tally(msgspec.Struct):
    """Times in seconds; `started` and `ended` on the machine's monotonic clock."""

    accepted: int = 0
    deferred: int = 0
    """4xx at any step; the message is not sent again."""
    refused: int = 0
    """5xx at any step."""
    lost: int = 0
    """Messages without an answer: the connection ended."""
    started: float = 0.0
    """When the first MAIL went."""
    ended: float = 0.0
    """When the last reply came."""
    cpu: float = 0.0
    """CPU time of the injector itself."""
    latencies: list[float] = []
    """From MAIL (paced: from when it was due, if no session was free) to the reply of the dot, of
    accepted messages."""
    trouble: list[str] = []
    """The first few replies that were not positive, and why connections ended."""

    @property
    def rate(self) -> float:
        """Messages accepted a second."""
        return self.accepted / (self.ended - self.started) if self.ended > self.started else 0.0

    @property
    def failed(self) -> int:
        return self.deferred + self.refused + self.lost

    def note(self, text: str) -> None:
        """Keep the first five."""
        if len(self.trouble) < 5:
            self.trouble.append(text)


def together(tallies: list[Tally]) -> Tally:
    """The sum; it lasted from the first start to the last end."""
    with_mail = [t for t in tallies if t.ended] or tallies
    return Tally(
        accepted=sum(t.accepted for t in tallies),
        deferred=sum(t.deferred for t in tallies),
        refused=sum(t.refused for t in tallies),
        lost=sum(t.lost for t in tallies),
        started=min(t.started for t in with_mail),
        ended=max(t.ended for t in with_mail),
        cpu=sum(t.cpu for t in tallies),
        latencies=[value for t in tallies for value in t.latencies],
        trouble=[text for t in tallies for text in t.trouble][:5],
    )
