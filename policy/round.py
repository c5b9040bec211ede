"""One round: who is asked for next, of all tenants, when so many may go.

Owns: shares of a round, what goes early, and when rows have to be read. The order within a tenant:
`policy.fairness`; turns: `policy.turns`.
Use: while `lacking` names lines, give their rows to `read`; then `picks`, and `pending` where it
names some still. Where a read fails: `taken`.
"""

from collections.abc import Mapping, Sequence

from policy.fairness import EARLY_ONE_IN, MOST_READ, Group, Line, Pick, Row, Tenant
from policy.fronts import Fronts, unread
from policy.turns import Turns


class _Part:
    """A tenant's."""

    __slots__ = ("early", "more", "pending", "picks", "share", "standings", "tenant")

    def __init__(self, tenant: Tenant, groups: Sequence[Group]) -> None:
        self.tenant = tenant
        self.standings = tenant.standing(groups)
        self.share = 0
        self.early = 0
        """Picks that went early."""
        self.picks: list[Pick] = []
        self.pending: dict[int, tuple[Pick, bool]] = {}
        """By line: a pick whose row is to be read, and whether it went early."""
        self.more = True
        """It may have mail for more than its share."""

    @property
    def early_left(self) -> int:
        """At least one of each round goes early, unless the round before was nothing else: however
        small rounds are, what is no campaign keeps nobody else from his turn for ever."""
        if self.share == 1 and self.tenant.owes:
            return 0
        return min(self.share, max(1, self.share // EARLY_ONE_IN)) - self.early

    def wanted(self, *, stalled: bool) -> list[tuple[Line, int]]:
        """Lines to read now, and how many rows of each."""
        lines = {key: pick.line for key, (pick, _) in self.pending.items()}
        left = self.share - len(self.picks)
        if stalled:
            ahead = unread(self.standings, left, min(self.early_left, left))
            lines.update((id(line), line) for line in ahead)
        least = -(-left // len(lines)) if lines else 0
        # One more than there should be: the end of a line is where a read finds fewer.
        return [
            (line, min(max(line.ask, least), line.unread + (key in self.pending) + 1, MOST_READ))
            for key, line in lines.items()
        ]

    def take(self) -> bool:
        """As many as is known of; False where a line has to be read first."""
        picks, share = self.picks, self.share
        early = min(self.early_left, share - len(picks))
        for by_age in (True, False):
            left = early if by_age else share - len(picks)
            fronts = Fronts(self.standings, by_age=by_age) if left > 0 else None
            while fronts is not None and left > 0:
                line = fronts.first()
                if line is None:
                    self.more = by_age
                    break
                if not line.exact:
                    return False
                pick = self.tenant.take(line)
                if not pick.row[2]:
                    self.pending[id(line)] = pick, by_age
                picks.append(pick)
                left -= 1
                self.early += by_age
        return True

    def read(self, line: Line, rows: Sequence[Row], asked: int) -> None:
        pick, early = self.pending.pop(id(line), (None, False))
        self.tenant.read(line, rows, asked, pick)
        if pick is not None and not rows:
            self.picks.remove(pick)
            self.early -= early


class Round:
    """One round; its turns are taken when it is made."""

    def __init__(
        self,
        tenants: Mapping[str, Tenant],
        groups: Mapping[str, Sequence[Group]],
        turns: Turns,
        weights: Mapping[str, float],
        size: int,
    ) -> None:
        """`groups`: those open now, by tenant."""
        self._turns = turns
        self._weights = weights
        self._size = size
        self._parts = {
            name: _Part(tenants[name], open_now)
            for name, open_now in groups.items()
            if name in tenants
        }
        self._order: list[str] = []
        self._share_out(size)

    def _share_out(self, size: int) -> bool:
        rooms = {
            name: min(sum(s.waiting for s in part.standings), size)
            for name, part in self._parts.items()
            if part.more
        }
        order = self._turns.share_out(rooms, self._weights, size)
        for name in order:
            self._parts[name].share += 1
        self._order += order
        return bool(order)

    def lacking(self) -> list[tuple[str, Line, int]]:
        """Lines whose rows have to be read, of which tenant, and how many of each; none when the
        round is whole."""
        while True:
            wanted = []
            for name, part in self._parts.items():
                known = part.take()
                wanted += [(name, line, ask) for line, ask in part.wanted(stalled=not known)]
            if wanted:
                return wanted
            # Turns of those who had less than was thought are others'.
            taken = sum(len(part.picks) for part in self._parts.values())
            if taken >= self._size or not self._share_out(self._size - taken):
                return []

    def read(self, name: str, line: Line, rows: Sequence[Row], asked: int) -> None:
        """What was found behind `line.after`, oldest first."""
        self._parts[name].read(line, rows, asked)

    def taken(self) -> list[Pick]:
        """All there are so far, read or not: where the round comes to nothing, `Tenant.back` has
        them. Its turns are over: those of everybody alike."""
        return [pick for part in self._parts.values() for pick in part.picks]

    def pending(self) -> list[Pick]:
        """Those whose rows nobody read: where no more is read, `Tenant.back` has them."""
        return [pick for part in self._parts.values() for pick, _ in part.pending.values()]

    def picks(self) -> list[Pick]:
        """In the order in which they are asked for."""
        for part in self._parts.values():
            if part.picks:
                part.tenant.owes = part.early == len(part.picks)
        left = {name: iter(part.picks) for name, part in self._parts.items()}
        found = (next(left[name], None) for name in self._order)
        return [pick for pick in found if pick is not None and pick.row[2]]
