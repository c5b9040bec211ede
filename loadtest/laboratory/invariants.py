"""What no run may break, checked against the stand-in's books. Pure.

Each is named, counts what it looked at, and says the first few that break it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from loadtest.laboratory import windows
from loadtest.laboratory.books import Books
from loadtest.laboratory.clients import Answer
from loadtest.laboratory.traffic import Traffic
from loadtest.laboratory.world import ALL, World

_NAMED = 5


class Invariant(msgspec.Struct, frozen=True):
    """One of them, judged."""

    name: str
    means: str
    holds: bool
    looked_at: int
    broken: int
    first: list[str]
    """The first few that break it."""

    @property
    def said(self) -> str:
        """Of it, in a word or two: a limit that nobody has was not proved to hold."""
        if not self.holds:
            return f"BROKEN {self.broken:,} time{'' if self.broken == 1 else 's'}"
        return "holds" if self.looked_at else "nothing to look at"


class Waiting(NamedTuple):
    """What the product says of mail that PowerMTA has not taken: by number."""

    held: bytearray
    """Rows that wait, are under way or in doubt: how many."""
    ended: bytearray
    """Rows that ended with a report to the sender's system."""


def judge(
    world: World,
    traffic: Traffic,
    books: Books,
    answers: bytearray,
    waiting: Waiting,
    moved: Mapping[int, int],
) -> list[Invariant]:
    """All of them. `answers`: by number, what its client was told. `moved`: second since 1970 at
    which the clock was moved, to messages that were under way."""
    numbers = range(len(traffic))

    def name(number: int) -> str:
        return f"{number} ({traffic.sender(number)} to {traffic.recipient(number)})"

    lost = [
        n
        for n in numbers
        if answers[n] == Answer.TAKEN
        and not (books.taken[n] or waiting.held[n] or waiting.ended[n])
    ]
    twice = [n for n in numbers if books.taken[n] > 1 or waiting.held[n] > 1]
    again = [n for n in numbers if books.taken[n] and waiting.held[n]]
    not_so = [
        n
        for n in numbers
        if books.taken[n] and answers[n] in (Answer.NONE, Answer.DEFERRED, Answer.REFUSED)
    ]
    return [
        _found(
            "ip_day",
            "no IP took more in a day than its stage allows",
            len(books.by_ip),
            _over(
                ((f"day {d}, {world.ips[ip].address}", n, world.ips[ip].quota))
                for (d, ip), n in sorted(books.by_ip.items())
            ),
        ),
        _found(
            "ip_provider_day",
            "no IP took more for a provider in a day than its ceiling",
            sum(p in world.ips[ip].ceilings for _, ip, p in books.by_provider),
            _over(
                (f"day {d}, {world.ips[ip].address}, {p}", n, world.ips[ip].ceilings.get(p))
                for (d, ip, p), n in sorted(books.by_provider.items())
            ),
        ),
        _found(
            "mailbox_day",
            "no mailbox sent more in a day than its maximum",
            len(books.by_mailbox)
            * sum(
                len(tenant.mailboxes)
                for tenant in world.tenants
                if tenant.kind.mailbox_max is not None
            ),
            _over(
                (f"day {d}, {world.address(m)}", n, tenant.kind.mailbox_max)
                for d, counts in sorted(books.by_mailbox.items())
                for tenant in world.tenants
                if tenant.kind.mailbox_max is not None
                for m in tenant.mailboxes
                if (n := counts[m])
            ),
        ),
        *_windows(world, books, moved),
        _found(
            "global_day",
            "all IPs together took no more in a day than all their stages allow",
            len({d for d, _ in books.by_ip}),
            _over(
                (f"day {d}", n, world.allowance)
                for d, n in sorted(_summed((d, n) for (d, _), n in books.by_ip.items()).items())
            ),
        ),
        _found("once", "nothing was taken twice", len(traffic), map(name, twice)),
        _found(
            "not_due_again",
            "nothing that was taken waits to be sent again",
            len(traffic),
            map(name, again),
        ),
        _found(
            "nothing_lost",
            "what was answered 250 was taken, or waits, or ended with a report",
            sum(a == Answer.TAKEN for a in answers),
            map(name, lost),
        ),
        _found(
            "as_answered",
            "what was refused, or never offered, was not taken",
            len(traffic),
            map(name, not_so),
        ),
        Invariant(
            "as_sent",
            "every receipt is of a message of ours, from its mailbox, by its tenant's IP, of its "
            "day",
            books.strangers == 0,
            books.receipts,
            books.strangers,
            books.strange[:_NAMED],
        ),
    ]


_WHOSE = {
    "tenant": "no tenant sent more",
    "global": "all tenants together sent no more",
    "pool": "no pool sent more",
    "ip": "no IP sent more",
    "provider": "no provider was sent more by all tenants together",
    "mailbox": "no mailbox sent more",
}
"""Level of a limit of a minute or an hour, to what it means."""


def _windows(world: World, books: Books, moved: Mapping[int, int]) -> list[Invariant]:
    """Limits of any minute and hour."""
    levels: dict[str, windows.Taken] = {level: {} for level in _WHOSE}
    for who, taken in books.by_second.items():
        level, blank, _ = who.partition(" ")
        levels["global" if who == ALL else level if blank else "tenant"][who] = taken
    return [
        _found(
            f"{level}_{name}",
            f"{whose} in any {name} than the limit",
            sum(len(seconds) for who, seconds in levels[level].items() if who in limits),
            _over(windows.over(levels[level], limits, span, moved)),
        )
        for level, whose in _WHOSE.items()
        for name, span, limits in (
            ("minute", windows.MINUTE, world.minutes),
            ("hour", windows.HOUR, world.hours),
        )
    ]


def counted(world: World, books: Books, day: int, told: Mapping[str, int]) -> Invariant:
    """`told`: VirtualMTA to recipients that the ledger says it relayed on `day`, the last one: too
    high where nobody knows, never too low."""
    taken = [(world.ips[ip], n) for (of, ip), n in sorted(books.by_ip.items()) if of == day]
    low = [
        f"{ip.address}: {n} taken, {told.get(ip.vmta, 0)} counted"
        for ip, n in taken
        if told.get(ip.vmta, 0) < n
    ]
    return _found(
        "all_counted", "the ledger counted what each IP took on the last day", len(taken), low
    )


def expected(
    world: World, *, completion: float | None, spread: int | None, failures: float
) -> list[Invariant]:
    """What this scenario asks for besides: shares from 0 to 1, `spread` in recipients."""
    expect = world.scenario.expect
    found = [
        Invariant(
            "failures",
            f"bounced or refused were at most {expect.failures:.1%} of what was offered",
            failures <= expect.failures,
            1,
            int(failures > expect.failures),
            [f"{failures:.2%}"] if failures > expect.failures else [],
        )
    ]
    if expect.completion is not None:
        reached = completion if completion is not None else 0.0
        low = reached < expect.completion
        found.append(
            Invariant(
                "completion",
                f"at least {expect.completion:.0%} of the mailboxes reached their minimum",
                not low,
                1,
                int(low),
                [f"{reached:.2%}"] if low else [],
            )
        )
    if expect.spread is not None:
        far = spread if spread is not None else 0
        wide = far > expect.spread
        found.append(
            Invariant(
                "fair_share",
                f"each mailbox is within ±{expect.spread} of its max-min fair share",
                not wide,
                1,
                int(wide),
                [f"±{far}"] if wide else [],
            )
        )
    return found


def _found(name: str, means: str, looked_at: int, broken: Iterable[str]) -> Invariant:
    said = list(broken)
    return Invariant(name, means, not said, looked_at, len(said), said[:_NAMED])


def _over(rows: Iterable[tuple[str, int, int | None]]) -> list[str]:
    """(what, how many, how many at most)."""
    return [f"{what}: {n} of {most}" for what, n, most in rows if most is not None and n > most]


def _summed(rows: Iterable[tuple[int, int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for key, n in rows:
        total[key] += n
    return total
