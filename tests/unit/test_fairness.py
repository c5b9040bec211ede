"""The order of release within a tenant, read from a hold that changes: class, minimum, age."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.fairness import ALL, Group, Pick, Row, Tenant, lacks
from policy.round import Round
from policy.turns import Turns

G, Y = ("pool", "gmail"), ("pool", "yahoo")


class Mail(msgspec.Struct, frozen=True):
    """One row of the hold."""

    name: str
    arrived: int = 0
    mailbox: str = "m"
    bulk: bool = True
    group: Group = G
    tenant: str = "acme"

    @property
    def row(self) -> Row:
        return (self.arrived // 5, self.arrived, self.name, 1000)


class Hold:
    """What PostgreSQL would answer, and a queue that hears of it."""

    def __init__(self, mails: Sequence[Mail] = (), sent: dict[str, int] | None = None) -> None:
        self.mails: dict[str, Mail] = {}
        self.tenants: dict[str, Tenant] = {}
        self.turns = Turns()
        self.sent = Counter(sent or {})
        self.least: dict[str, int] = {}
        self.reach: dict[str, int] = {}
        self.reads = 0
        for mail in mails:
            self.add(mail)

    def add(self, mail: Mail) -> None:
        self.mails[mail.name] = mail
        tenant = self.tenants.setdefault(mail.tenant, Tenant(mail.tenant))
        place = mail.row
        tenant.announce(mail.group, mail.mailbox, place[0], place[1], 1, bulk=mail.bulk)
        self.count(mail.mailbox, mail.tenant)

    def count(self, mailbox: str, tenant: str = "acme") -> None:
        least = self.least.get(mailbox, 0)
        reach = min(least, self.reach.get(mailbox, least))
        self.tenants[tenant].count(mailbox, least, reach, self.sent[mailbox])

    def picks(
        self,
        size: int,
        groups: Sequence[Group] = (G, Y),
        weights: dict[str, float] | None = None,
        *,
        goes: bool = True,
        breaks: int = -1,
        most: int = -1,
    ) -> list[Mail]:
        """A round; what is picked has gone, unless it is said that it was denied, or that the round
        breaks off after so many reads. `most`: it reads no oftener, and has what it has."""
        open_now = dict.fromkeys(self.tenants, groups)
        turn = Round(self.tenants, open_now, self.turns, weights or {}, size)
        while lacking := turn.lacking():
            if breaks == 0:
                for pick in turn.taken():
                    pick.line.group.tenant.back(pick, waits=True)
                return []
            if most == 0:
                break
            breaks, most = breaks - 1, most - 1
            for name, line, ask in lacking:
                self.reads += 1
                found = sorted(
                    mail.row
                    for mail in self.mails.values()
                    if (mail.tenant, mail.group) == (name, line.group.key)
                    and (mail.mailbox, mail.bulk) == (line.box.mailbox, line.bulk)
                    and mail.row[:3] > line.after
                )
                turn.read(name, line, found[:ask], ask)
        for pick in turn.pending():
            pick.line.group.tenant.back(pick, waits=True)
        picks = turn.picks()
        mails = [self.mails[pick.row[2]] for pick in picks]
        for pick in picks:
            self._went(pick, goes)
        return mails

    def _went(self, pick: Pick, goes: bool) -> None:
        if goes:
            mail = self.mails.pop(pick.row[2])
            self.sent[mail.mailbox] += 1
        else:
            pick.line.group.tenant.back(pick, waits=True)


def _names(mails: Sequence[Mail]) -> list[str]:
    return [mail.name for mail in mails]


@st.composite
def backlogs(draw: st.DrawFn, tenants: str = "ab", largest: int = 40) -> list[Mail]:
    one = st.tuples(
        st.integers(0, 30), st.sampled_from("wxyz"), st.booleans(), st.sampled_from([G, Y]),
        st.sampled_from(tenants),
    )  # fmt: skip
    found = draw(st.lists(one, max_size=largest))
    # A mailbox is one tenant's.
    return [Mail(f"i{n}", at, m + t, bulk, g, t) for n, (at, m, bulk, g, t) in enumerate(found)]


leasts = st.dictionaries(st.sampled_from(["wa", "xa", "ya", "za", "wb", "xb"]), st.integers(0, 6))
sizes = st.lists(st.integers(1, 30), min_size=1, max_size=6)
sends = st.dictionaries(st.sampled_from(["wa", "xa", "ya", "za", "wb", "xb"]), st.integers(0, 6))


def _hold(mails: Sequence[Mail], least: dict[str, int], sent: dict[str, int]) -> Hold:
    hold = Hold(sent=sent)
    hold.least = least
    for mail in mails:
        hold.add(mail)
    return hold


@given(mails=backlogs(), sizes=sizes, least=leasts, sent=sends)
def test_rounds_are_full_as_long_as_anything_waits_and_pick_nothing_twice(
    mails: list[Mail], sizes: list[int], least: dict[str, int], sent: dict[str, int]
) -> None:
    hold = _hold(mails, least, sent)
    seen: set[str] = set()
    for size in sizes:
        left = len(hold.mails)
        got = _names(hold.picks(size))
        assert len(got) == min(size, left)
        assert not seen & set(got)
        assert len(set(got)) == len(got)
        seen.update(got)


@given(mails=backlogs(tenants="a"), sizes=sizes, least=leasts, sent=sends)
def test_each_pick_is_the_first_by_class_then_what_its_mailbox_lacks_then_age(
    mails: list[Mail], sizes: list[int], least: dict[str, int], sent: dict[str, int]
) -> None:
    hold = _hold(mails, least, sent)
    owes = False
    for size in sizes:
        left, went = dict(hold.mails), Counter(hold.sent)
        picks = hold.picks(size)
        early = 0 if owes and len(picks) == 1 else max(1, len(picks) // 20)
        early = min(early, sum(not mail.bulk for mail in left.values()))
        owes = early == len(picks) > 0
        for place, pick in enumerate(picks):
            best = min(_rank(mail, went, least, place < early) for mail in left.values())
            assert _rank(pick, went, least, place < early) == best, (place, early, picks)
            del left[pick.name]
            went[pick.mailbox] += 1


def _rank(
    mail: Mail, sent: Counter[str], least: dict[str, int], early: bool
) -> tuple[int | bool, int]:
    if early:
        return (mail.bulk, mail.arrived)
    minimum = least.get(mail.mailbox, 0)
    return (-lacks(minimum, minimum, sent[mail.mailbox]), mail.arrived)


@given(mails=backlogs(), more=backlogs(), sizes=sizes, taken=st.sets(st.integers(0, 39)))
def test_what_others_take_and_what_comes_later_or_late_is_noticed(
    mails: list[Mail], more: list[Mail], sizes: list[int], taken: set[int]
) -> None:
    hold = _hold(mails, {}, {})
    for number in taken:  # by another releaser
        hold.mails.pop(f"i{number}", None)
    late = [msgspec.structs.replace(mail, name=f"late-{mail.name}") for mail in more]
    for size in sizes:
        left = len(hold.mails)
        assert len(hold.picks(size)) == min(size, left)
        for mail in late[:5]:
            hold.add(mail)
        del late[:5]
    while hold.mails:
        assert hold.picks(7)


@given(mails=backlogs(), size=st.integers(1, 20))
def test_what_was_denied_stands_where_it_stood(mails: list[Mail], size: int) -> None:
    # Of equals in age any may go first.
    mails = [msgspec.structs.replace(mail, arrived=n) for n, mail in enumerate(mails)]
    hold, other = _hold(mails, {}, {}), _hold(mails, {}, {})
    hold.picks(size, goes=False)
    other.turns.share_out(dict.fromkeys(other.tenants, 1 << 30), {}, 0)
    for tenant in hold.tenants.values():
        tenant.owes = False
    both = [[(m.arrived, m.bulk) for m in h.picks(size) if m.tenant == "a"] for h in (hold, other)]
    assert both[0][: min(map(len, both))] == both[1][: min(map(len, both))]


@given(mails=backlogs(), sizes=sizes, least=leasts, sent=sends, breaks=st.integers(0, 3))
def test_a_round_that_breaks_off_leaves_all_as_it_stood(
    mails: list[Mail], sizes: list[int], least: dict[str, int], sent: dict[str, int], breaks: int
) -> None:
    hold = _hold(mails, least, sent)
    for size in sizes:
        known, before = _known(hold), len(hold.mails)
        if not hold.picks(size, breaks=breaks):
            there = _there(hold)
            # What was read meanwhile may be known better; of nothing that waits less is known.
            for line, (rows, box) in _known(hold).items():
                assert box == known[line][1]
                assert there.pop(line, 0) <= rows
            assert not there
        left = len(hold.mails)
        assert left in (before, before - min(size, before))
        assert len(hold.picks(size)) == min(size, left)
    while hold.mails:
        assert hold.picks(7, breaks=1) or hold.picks(7)


@given(mails=backlogs(), sizes=sizes, least=leasts, sent=sends, most=st.integers(0, 3))
def test_where_reads_are_used_up_all_that_waits_is_known_still(
    mails: list[Mail], sizes: list[int], least: dict[str, int], sent: dict[str, int], most: int
) -> None:
    hold = _hold(mails, least, sent)
    for size in sizes:
        hold.picks(size, most=most)
        there = _there(hold)
        for line, (rows, box) in _known(hold).items():
            assert there.pop(line, 0) <= rows
            assert box[0] == hold.sent[line[2]]
        assert not there


def _there(hold: Hold) -> Counter[tuple[str, Group, str, bool]]:
    """What there is in each line."""
    return Counter((m.tenant, m.group, m.mailbox, m.bulk) for m in hold.mails.values())


def _known(hold: Hold) -> dict[tuple[str, Group, str, bool], tuple[int, tuple[int, int]]]:
    """What there is in each line, as far as is known, and what its mailbox sent."""
    return {
        (tenant.name, key, line.box.mailbox, line.bulk): (
            line.unread + len(line.rows),
            (line.box.sent, line.box.rank),
        )
        for tenant in hold.tenants.values()
        for key, standing in tenant.groups.items()
        for line in [*standing.campaigns.values(), *standing.others.values()]
    }


@given(
    waiting=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    sent=st.lists(st.integers(0, 12), min_size=12, max_size=12),
    ramps=st.lists(st.sampled_from([2, 5, 30]), min_size=12, max_size=12),
    capacity=st.integers(0, 120),
    size=st.integers(1, 17),
)
def test_a_shortfall_is_spread_max_min_fairly_within_one(
    waiting: list[int], sent: list[int], ramps: list[int], capacity: int, size: int
) -> None:
    """All mailboxes have a minimum of 30, some a ramp that lets them reach less; what was sent live
    counts, and some have more waiting than others."""
    names = [f"m{n}" for n in range(len(waiting))]
    mails = [
        Mail(f"{n}-{k}", k, n)
        for n, count in zip(names, waiting, strict=True)
        for k in range(count)
    ]
    reach = dict(zip(names, ramps, strict=False))
    before = {n: min(at, reach[n]) for n, at in zip(names, sent, strict=False)}
    hold = Hold(sent=before)
    hold.least, hold.reach = dict.fromkeys(names, 30), reach
    for mail in mails:
        hold.add(mail)
    caps = {
        name: min(max(before[name] + count, before[name]), reach[name])
        for name, count in zip(names, waiting, strict=True)
    }
    room = sum(max(caps[name] - before[name], 0) for name in names)
    gone = 0
    while gone < min(capacity, room):
        gone += len(hold.picks(min(size, capacity - gone, room - gone)))
    # Progressive filling: whoever has least is given one, until the capacity is used up.
    fair = dict(before)
    for _ in range(min(capacity, room)):
        name = min((n for n in names if fair[n] < caps[n]), key=lambda n: fair[n])
        fair[name] += 1
    ends = {name: hold.sent[name] for name in names}
    assert all(abs(ends[name] - fair[name]) <= 1 for name in names), (ends, fair)


@given(mails=backlogs(tenants="a"), least=leasts, capacity=st.integers(0, 40))
def test_minimums_are_met_where_the_day_allows(
    mails: list[Mail], least: dict[str, int], capacity: int
) -> None:
    """A mailbox without a minimum has one of 1: nobody starves."""
    hold = _hold(mails, least, {})
    waiting = Counter(mail.mailbox for mail in mails)
    wanted = {name: min(max(least.get(name, 0), 1), count) for name, count in waiting.items()}
    bulk = all(mail.bulk for mail in mails)
    got = hold.picks(capacity) if capacity else []
    if bulk and len(got) >= sum(wanted.values()):
        assert all(hold.sent[name] >= least for name, least in wanted.items())


@given(mails=backlogs(), least=leasts, size=st.integers(1, 3), data=st.data())
def test_nobody_starves_however_small_rounds_are_and_whatever_keeps_coming(
    mails: list[Mail], least: dict[str, int], size: int, data: st.DataObject
) -> None:
    """More come than go, of one mailbox that floods, of either class. Each of the rest goes within
    eight rounds of one for each message that was there before."""
    hold = _hold(mails, least, {})
    flood = data.draw(st.sampled_from(["wa", "xb"]))
    bulk = data.draw(st.booleans())
    waiting = {mail.name for mail in mails}
    for number in range(8 * len(mails) + 8):
        got = hold.picks(size)
        waiting -= {mail.name for mail in got}
        for place in range(len(got) + 1):
            hold.add(Mail(f"f{number}-{place}", 100 + number, flood, bulk, G, flood[1]))
    assert not waiting, waiting


@given(boxes=st.integers(1, 6), older=st.integers(0, 3), capacity=st.integers(1, 5))
def test_days_too_short_for_all_minimums_starve_nobody(
    boxes: int, older: int, capacity: int
) -> None:
    """One mailbox has no minimum, and every day is used up by less than that of the others. Its
    message goes after what is older than it."""
    names = [f"m{n}" for n in range(boxes)]
    mails = [Mail(f"{n}-{k}", k, n) for n in names for k in range(older)]
    hold = _hold([*mails, Mail("poor", 10, "poor")], dict.fromkeys(names, 30), {})
    days = 0
    while "poor" in hold.mails:
        days += 1
        for name in names:
            for k in range(capacity):
                hold.add(Mail(f"{name}-{days}-{k}", 100 * days + k, name))
        hold.sent.clear()
        hold.tenants["acme"].day()
        hold.picks(capacity)
        assert days <= (boxes * older + 1) / capacity + older + 1


def test_a_full_provider_never_blocks_another() -> None:
    hold = Hold([Mail(f"g{n}", n) for n in range(50)] + [Mail("y", 99, group=Y)])
    assert _names(hold.picks(10, groups=[Y])) == ["y"]
    assert _names(hold.picks(2)) == ["g0", "g1"]


@pytest.mark.parametrize(("size", "early"), [(1, 1), (20, 1), (39, 1), (40, 2), (100, 5)])
def test_confirmations_go_first_for_one_in_twenty(size: int, early: int) -> None:
    mails = [Mail(f"c{n}", n) for n in range(100)]
    mails += [Mail(f"r{n}", 1000 + n, bulk=False) for n in range(50)]
    picks = Hold(mails).picks(size)
    assert _names(picks[:early]) == [f"r{n}" for n in range(early)]
    assert all(mail.bulk for mail in picks[early:])


def test_in_rounds_of_one_campaigns_have_every_other() -> None:
    mails = [Mail(f"c{n}", n) for n in range(9)] + [Mail(f"r{n}", 50, bulk=False) for n in range(9)]
    hold = Hold(mails)
    assert [hold.picks(1)[0].bulk for _ in range(6)] == [False, True] * 3


def test_confirmations_may_fill_the_whole_round() -> None:
    resets = [Mail(f"r{n}", n, bulk=False) for n in range(30)]
    assert Hold(resets).picks(20) == resets[:20]


def test_who_sent_nothing_today_goes_before_who_lacks_most() -> None:
    hold = _hold([Mail("x", 1, "x"), Mail("y", 2, "y")], {"x": 30}, {"x": 1})
    assert lacks(30, 30, 1) == 29
    assert lacks(0, 0, 0) == ALL
    assert _names(hold.picks(2)) == ["y", "x"]


def test_a_new_day_and_a_refund_bring_a_mailbox_forward() -> None:
    mails = [Mail(f"{m}{n}", 10 * (m == "y") + n, m) for m in "xy" for n in range(4)]
    hold = _hold(mails, {"x": 5, "y": 5}, {"x": 1, "y": 3})
    assert _names(hold.picks(1)) == ["x0"]
    hold.sent["y"] = 1
    hold.count("y")
    assert _names(hold.picks(1)) == ["y0"]
    hold.sent.clear()
    hold.tenants["acme"].day()
    assert _names(hold.picks(2)) == ["x1", "y1"]


def test_a_choice_reads_lines_whose_turn_it_is_and_no_others() -> None:
    """With a million rows as with ten: what is read follows what is picked."""
    mails = [Mail(f"{m}-{n}", n, f"m{m}") for m in range(200) for n in range(10)]
    hold = _hold(mails, {}, {})
    hold.picks(20)
    assert hold.reads == 20
    for _ in range(9):
        hold.picks(20)
    assert hold.reads <= 220
    one = Hold([Mail(f"{n:05d}", n) for n in range(3000)])
    one.picks(1000)
    assert one.reads <= 2


@pytest.mark.parametrize("size", [16, 64])
def test_rounds_are_full_after_few_reads_where_lines_take_turns(size: int) -> None:
    """A line that was read to its end stands too far in front until it is read again: with many
    of them before who is next, one at a time would use up a round's reads."""
    groups = [("pool", name) for name in "abcdef"]
    hold = Hold(
        [
            Mail(f"{n:05}", n, f"m{n % 200}", group=groups[n % 6])
            for n in range(2_000)
        ]
    )  # fmt: skip
    gone = 0
    while gone < 2_000:
        picked = hold.picks(size, groups, most=12)
        assert len(picked) == min(size, 2_000 - gone)
        gone += len(picked)
