"""In which order held mail is asked for, when less may go than waits.

Owns: lines, the order within a tenant. Turns between tenants: `policy.turns`. Not here: what may
go at all (the ledger decides, and the caller names the groups that are open, so that a full
provider never blocks another), and where rows are read from.
Rule: an order, never a ceiling: as long as anything waits, a round is full.

A **line** is the mail of one mailbox in one group (pool × provider), campaigns apart from the
rest. Where it begins is known of every line, and rows of those alone whose turn is near: memory
grows with mailboxes, not with mail, and a choice costs as much with a million rows as with ten.
Failure: none; a line whose rows were taken by somebody else is found empty, and gone.
"""

from collections.abc import Sequence
from heapq import heapify, heappush

EARLY_ONE_IN = 20
"""5 % of a tenant's share of a round, at least one pick: confirmations and password resets that go
before its campaigns."""

ALL = (1 << 20) - 1
"""What a mailbox lacks that sent nothing today: above every minimum, so that each has its first
message before any has its second, and none starves for want of a minimum."""

_PLACES = 1 << 42
"""Milliseconds of the calendar fit in (until 2109): what a mailbox lacks and the age of its mail in
one number."""

FIRST_READ = 2
MOST_READ = 1_000
"""Rows asked for of one line; doubles with each read of it."""

Group = tuple[str, str]
"""(pool, provider)"""

Row = tuple[int, int, str, int]
"""Bucket, arrival in milliseconds of calendar time, id, octets. In this order they go."""

UNREAD: Row = (0, 0, "", 0)
"""Of a pick whose row is read when it is known who else goes: no row has an empty id. Compiled, a
tuple is its values and has no identity that `is` could ask for."""

_NOTHING: list[Row] = []
"""Of every line that nobody has read: never changed."""


def lacks(least: int, reach: int, sent: int) -> int:
    """Recipients a mailbox lacks to its daily minimum, of which it may `reach` so much today."""
    if sent <= 0:
        return ALL
    return min(least - sent, ALL) if sent < reach else 0


class Box:
    """What is known of a mailbox today. Its lines are all of one tenant."""

    __slots__ = ("least", "lines", "mailbox", "rank", "reach", "sent")

    def __init__(self, mailbox: str) -> None:
        self.mailbox = mailbox
        self.least = 0
        self.reach = 0
        self.sent = 0
        self.lines: list[Line] = []
        self.rank = -ALL * _PLACES
        """The less the sooner: what it lacks, before any age."""


class Line:
    """One line. `unread` rows are behind the place `after`, as far as is known: more where one was
    announced twice, fewer where one was read that nobody announced (`Tenant.read`)."""

    __slots__ = (
        "after",
        "ask",
        "box",
        "bulk",
        "exact",
        "group",
        "head",
        "rows",
        "unread",
        "version",
    )

    def __init__(self, group: "Standing", box: Box, bulk: bool, day: int, arrived: int) -> None:
        self.group = group
        self.box = box
        self.bulk = bulk
        self.head = arrived
        self.after: tuple[int, int, str] = (day, arrived, "")
        self.rows: list[Row] = _NOTHING
        """Read and not taken, the oldest last."""
        self.unread = 0
        self.exact = True
        """It begins at `head`; else there or later."""
        self.ask = FIRST_READ
        self.version = 0
        """Entries of earlier ones in a heap are void."""

    def __lt__(self, other: "Line") -> bool:
        return self.box.mailbox < other.box.mailbox


class Pick:
    """A row whose turn it is."""

    __slots__ = ("line", "row")

    def __init__(self, line: Line, row: Row) -> None:
        self.line = line
        self.row = row


Entry = tuple[int, int, Line]
"""Rank of the mailbox when it was made + where the line began, or that alone; its version. A place
too far in front is put right when it comes there."""


class Standing:
    """The lines of one group of a tenant, in order."""

    __slots__ = ("campaigns", "early", "key", "line", "others", "tenant", "waiting")

    def __init__(self, tenant: "Tenant", key: Group) -> None:
        self.tenant = tenant
        self.key = key
        self.waiting = 0
        """Rows, at most."""
        self.campaigns: dict[str, Line] = {}
        self.others: dict[str, Line] = {}
        self.line: list[Entry] = []
        self.early: list[Entry] = []
        """Of what is no campaign, by age alone."""

    def push(self, line: Line) -> None:
        """It has this place from now on."""
        line.version += 1
        self.again(line)

    def again(self, line: Line) -> None:
        """Its mailbox lacks more than it did."""
        heappush(self.line, (line.box.rank + line.head, line.version, line))
        if not line.bulk:
            heappush(self.early, (line.head, line.version, line))

    def remove(self, line: Line) -> None:
        line.version += 1
        del (self.campaigns if line.bulk else self.others)[line.box.mailbox]
        line.box.lines.remove(line)
        if not line.box.lines:
            del self.tenant.boxes[line.box.mailbox]
        if not self.campaigns and not self.others:
            del self.tenant.groups[self.key]

    def rebuild(self) -> None:
        """Every place anew."""
        lines = [*self.campaigns.values(), *self.others.values()]
        self.line = [(line.box.rank + line.head, line.version, line) for line in lines]
        self.early = [(line.head, line.version, line) for line in self.others.values()]
        heapify(self.line)
        heapify(self.early)


class Tenant:
    """The lines of one tenant."""

    __slots__ = ("boxes", "groups", "name", "owes")

    def __init__(self, name: str) -> None:
        self.name = name
        self.groups: dict[Group, Standing] = {}
        self.boxes: dict[str, Box] = {}
        self.owes = False
        """Its last round had room for nothing but what goes early."""

    def announce(
        self, group: Group, mailbox: str, day: int, arrived: int, count: int, *, bulk: bool
    ) -> None:
        """There is mail in this line, `count` rows from `arrived` on: new, or back."""
        standing = self.groups.get(group)
        if standing is None:
            standing = self.groups[group] = Standing(self, group)
        lines = standing.campaigns if bulk else standing.others
        line = lines.get(mailbox)
        if line is None:
            box = self.boxes.get(mailbox)
            if box is None:
                box = self.boxes[mailbox] = Box(mailbox)
            line = lines[mailbox] = Line(standing, box, bulk, day, arrived)
            box.lines.append(line)
            standing.push(line)
        elif line.rows:
            if (day, arrived) <= line.rows[0][:2]:
                first = line.rows[-1]
                line.unread += len(line.rows)
                line.rows = _NOTHING
                self._begin(line, min((day, arrived, ""), (first[0], first[1], "")))
        elif (day, arrived, "") < line.after:
            self._begin(line, (day, arrived, ""))
        line.unread += count
        standing.waiting += count

    def _begin(self, line: Line, place: tuple[int, int, str]) -> None:
        line.after, line.head, line.exact = place, place[1], True
        line.group.push(line)

    def count(self, mailbox: str, least: int, reach: int, sent: int) -> None:
        """What a mailbox has sent today and should, and what of that it may."""
        box = self.boxes.get(mailbox)
        if box is not None:
            box.least, box.reach = least, reach
            self._sent(box, sent)

    def _sent(self, box: Box, sent: int) -> None:
        box.sent = sent
        before, box.rank = box.rank, -lacks(box.least, box.reach, sent) * _PLACES
        if box.rank < before:
            for line in box.lines:
                line.group.again(line)

    def day(self) -> None:
        """A new one: nobody has sent anything."""
        for box in self.boxes.values():
            box.sent, box.rank = 0, -ALL * _PLACES
        for standing in self.groups.values():
            standing.rebuild()

    def standing(self, groups: Sequence[Group]) -> list[Standing]:
        """Those of these groups that have lines."""
        return [self.groups[group] for group in groups if group in self.groups]

    def take(self, line: Line) -> Pick:
        """Its oldest row: read already, or one that has to be. `read`, or `back`, follows then."""
        line.group.waiting -= 1
        if line.rows:
            pick = Pick(line, line.rows.pop())
            self._stand(line)
        else:
            line.unread -= 1
            line.exact = False
            pick = Pick(line, UNREAD)
        self._sent(line.box, line.box.sent + 1)
        return pick

    def read(self, line: Line, rows: Sequence[Row], asked: int, pick: Pick | None = None) -> None:
        """What was found behind `line.after`, oldest first; the first of it is the `pick`'s. What
        was known before is older, and stays."""
        line.ask = min(2 * line.ask, MOST_READ)
        rest = list(reversed(rows))
        if rows:
            last = rows[-1]
            line.after = (last[0], last[1], last[2])
        if pick is not None:
            if rest:
                pick.row = rest.pop()
            else:
                self._sent(line.box, line.box.sent - 1)
        # What became ready, was read, and waits again was never announced: the count of those that
        # were may be short by it, and only a read that finds fewer than it may has seen the end.
        before = line.unread
        line.unread = max(before - len(rest), 1) if len(rows) >= asked else 0
        line.group.waiting += line.unread + len(rest) - before
        line.rows = rest + line.rows or _NOTHING
        self._stand(line)

    def _stand(self, line: Line) -> None:
        """Where it stands by what is left of it. It is over where a read has seen its end, and all
        before that was taken: nowhere else is that decided."""
        if line.rows:
            line.exact = True
            if line.head != line.rows[-1][1]:
                line.head = line.rows[-1][1]
                line.group.push(line)
        elif line.unread > 0:
            line.exact = False
        else:
            line.group.remove(line)

    def back(self, pick: Pick, *, waits: bool) -> None:
        """It did not go. `waits`: it stands in line as before."""
        line, row = pick.line, pick.row
        if not row[2]:
            line.unread += 1
            line.group.waiting += 1
            self._sent(line.box, line.box.sent - 1)
            return
        box = self.boxes.get(line.box.mailbox, line.box)
        if waits:
            self.boxes[box.mailbox] = box
            self.announce(line.group.key, box.mailbox, row[0], row[1], 1, bulk=line.bulk)
        if box.sent > 0:
            self._sent(box, box.sent - 1)
