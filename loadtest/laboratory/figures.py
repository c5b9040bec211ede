"""What came of a run, in figures: completion, fairness, failures, streaks. Pure."""

import statistics
from array import array
from collections import Counter, defaultdict

import msgspec

from loadtest.benchmark.figures import percentile
from loadtest.laboratory import fairness
from loadtest.laboratory.books import Books
from loadtest.laboratory.clients import Answer
from loadtest.laboratory.traffic import Traffic
from loadtest.laboratory.world import World

_WORST = 10


class Day(msgspec.Struct, frozen=True):
    """One day of the calendar, in recipients."""

    day: int
    offered: int
    taken: int
    allowance: int
    with_mail: int
    """Mailboxes that had their minimum's worth of mail."""
    reached: int
    """Of them, those that reached it."""
    shortfall: int
    """Recipients by which the others are short of it."""
    farthest: int
    """Recipients by which one mailbox is away from its fair share of its pool's day, at most."""
    jain: float | None
    """Jain's index of sent ÷ fair share over all mailboxes with mail."""


class Spread(msgspec.Struct, frozen=True):
    """Of many values."""

    lowest: float
    median: float
    p95: float
    p99: float
    highest: float


class Failing(msgspec.Struct, frozen=True):
    """A mailbox's failures."""

    mailbox: str
    offered: int
    failed: int


class Figures(msgspec.Struct, frozen=True):
    """All of them. Shares are from 0 to 1, seconds of real time."""

    offered: int
    acknowledged: int
    deferred: int
    refused: int
    unheard: int
    taken: int
    waiting: int
    bounced: int
    over_midnight: int
    """Receipts of mail that was granted before midnight."""
    days: list[Day]
    completion: float | None
    """Of mailboxes with their minimum's worth of mail, each day, those that reached it."""
    farthest: int
    failures: float
    worst: list[Failing]
    streaks: dict[int, int]
    """Longest row of days in which a mailbox reached its minimum, to mailboxes."""
    answer: Spread | None
    """From MAIL to the answer of the dot."""


def figures(
    world: World,
    traffic: Traffic,
    books: Books,
    answers: bytearray,
    held: bytearray,
    latencies: "array[float]",
    first_day: int,
) -> Figures:
    """`first_day`: days since 1970."""
    told = Counter(answers)
    refused, bounced = told[Answer.REFUSED], sum(books.bounced)
    offered = len(answers) - told[Answer.NONE]
    wanted = array("i", [0]) * world.mailboxes
    days, rows = [], array("B", [0]) * world.mailboxes
    longest = array("B", [0]) * world.mailboxes
    for place in range(world.scenario.days.days):
        for number in traffic.day(place):
            if answers[number] in (Answer.TAKEN, Answer.UNHEARD):
                wanted[traffic.mailbox[number]] += 1
        sent = books.by_mailbox.get(first_day + place) or array("I", [0]) * world.mailboxes
        days.append(_day(world, wanted, sent, place, traffic))
        for mailbox, count in enumerate(sent):
            least = _minimum(world, mailbox)
            rows[mailbox] = rows[mailbox] + 1 if count >= least else 0
            longest[mailbox] = max(longest[mailbox], rows[mailbox])
            wanted[mailbox] = max(0, wanted[mailbox] - count)
    with_mail = sum(day.with_mail for day in days)
    return Figures(
        offered=offered,
        acknowledged=told[Answer.TAKEN],
        deferred=told[Answer.DEFERRED],
        refused=refused,
        unheard=told[Answer.UNHEARD],
        taken=books.receipts,
        waiting=sum(1 for count in held if count),
        bounced=bounced,
        over_midnight=books.over_midnight,
        days=days,
        completion=sum(day.reached for day in days) / with_mail if with_mail else None,
        farthest=max((day.farthest for day in days), default=0),
        failures=(refused + bounced) / offered if offered else 0.0,
        worst=_worst(world, traffic, books, answers),
        streaks=dict(sorted(Counter(longest).items())),
        answer=spread(latencies),
    )


def _minimum(world: World, mailbox: int) -> int:
    """At least one message makes a day of a streak."""
    return world.tenants[world.tenant_of(mailbox)].kind.mailbox_min or 1


def _day(
    world: World, wanted: "array[int]", sent: "array[int]", place: int, traffic: Traffic
) -> Day:
    with_mail = reached = shortfall = far = 0
    all_sent: list[int] = []
    all_fair: list[float] = []
    for tenant in world.tenants:
        kind = tenant.kind
        its = [sent[m] for m in tenant.mailboxes]
        most = kind.mailbox_max
        could = [wanted[m] if most is None else min(wanted[m], most) for m in tenant.mailboxes]
        if kind.mailbox_min:
            for one, could_be in zip(its, could, strict=True):
                if could_be >= kind.mailbox_min:
                    with_mail += 1
                    reached += one >= kind.mailbox_min
                    shortfall += max(0, kind.mailbox_min - one)
        fair = fairness.shares(could, sum(its))
        far = max(far, fairness.farthest(its, fair))
        all_sent += its
        all_fair += fair
    return Day(
        day=place + 1,
        offered=len(traffic.day(place)),
        taken=sum(sent),
        allowance=world.allowance,
        with_mail=with_mail,
        reached=reached,
        shortfall=shortfall,
        farthest=far,
        jain=fairness.jain(all_sent, all_fair),
    )


def _worst(world: World, traffic: Traffic, books: Books, answers: bytearray) -> list[Failing]:
    failed: Counter[int] = Counter()
    for number, answer in enumerate(answers):
        if books.bounced[number] or answer == Answer.REFUSED:
            failed[traffic.mailbox[number]] += 1
    worst = failed.most_common(_WORST)
    named = {mailbox for mailbox, _ in worst}
    offered: dict[int, int] = defaultdict(int)
    for number, mailbox in enumerate(traffic.mailbox):
        if mailbox in named and answers[number] != Answer.NONE:
            offered[mailbox] += 1
    return [Failing(world.address(m), offered[m], n) for m, n in worst]


def spread(values: "array[float] | list[float]") -> Spread | None:
    """None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return Spread(
        lowest=round(ordered[0], 4),
        median=round(statistics.median(ordered), 4),
        p95=round(percentile(ordered, 0.95), 4),
        p99=round(percentile(ordered, 0.99), 4),
        highest=round(ordered[-1], 4),
    )
