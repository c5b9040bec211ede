"""Each invariant of the laboratory is found broken by books in which it is."""

from collections.abc import Callable, Iterator

import pytest

from loadtest.laboratory.books import Books
from loadtest.laboratory.clients import Answer
from loadtest.laboratory.invariants import Waiting, counted, expected, judge
from loadtest.laboratory.reading import parse
from loadtest.laboratory.traffic import Kind, Traffic
from loadtest.laboratory.world import World

DAY = 20_000
SECOND = DAY * 86_400 + 36_000
SCENARIO = """
name = "books"
seed = 3
[[tenants]]
name = "one"
mailboxes = 4
ips = 2
stages = [1, 2]
per_mailbox = 6
mailbox_max = 5
per_minute = 16
per_hour = 18
[[tenants]]
name = "two"
mailboxes = 2
per_mailbox = 3
[plan]
quotas = [8, 12]
[providers.gmail]
share = 1
domains = ["gmail.com"]
ceiling = 0.5
[providers.other]
share = 1
domains = ["company.example"]
[rates]
bounces = 0
deferrals = 0
[limits]
per_minute = 20
per_hour = 22
"""


class Case:
    """A run whose books are right, until a test changes them."""

    def __init__(self, scenario: str = SCENARIO) -> None:
        self.world = World(parse(scenario, "books"))
        self.traffic = Traffic(self.world)
        self.rows: list[list[str]] = []
        self.answers = bytearray([Answer.TAKEN]) * len(self.traffic)
        self.held = bytearray([1]) * len(self.traffic)
        self.ended = bytearray(len(self.traffic))
        self.moved: dict[int, int] = {}
        for number, ip in self._fitting():
            self.take(number, ip)

    def _fitting(self) -> Iterator[tuple[int, int]]:
        """(message, IP) within every limit: two of each mailbox."""
        sent: dict[object, int] = {}
        for number, mailbox in enumerate(self.traffic.mailbox):
            tenant = self.world.tenant_of(mailbox)
            for ip, one in enumerate(self.world.ips):
                key = (ip, self.traffic.provider(number))
                most = one.ceilings.get(key[1], one.quota)
                if one.tenant == tenant and sent.get(key, 0) < most - 1 and sent.get(ip, 0) < 5:
                    for what in (key, ip, mailbox):
                        sent[what] = sent.get(what, 0) + 1
                    yield number, ip
                    break

    def take(self, number: int, ip: int, *, day: int = DAY, more: str = "", **row: str) -> None:
        """PowerMTA takes it, and the hold gives it up."""
        whole = [""] * 27
        whole[0], whole[1] = "r", row.get("time", "2024-10-04 10:00:00+0000")
        whole[3] = row.get("sender", self.traffic.sender(number))
        whole[4] = row.get("recipient", self.traffic.recipient(number))
        whole[18] = row.get("vmta", self.world.ips[ip].vmta)
        whole[20] = f"{day}-01m8nyb9em36rk73wvd50{number:05d}{more}.1"
        self.rows.append(whole)
        self.held[number] = 0

    def untaken(self, wanted: Callable[[int], bool] = lambda number: True) -> list[int]:
        """Messages that wait."""
        return [n for n, rows in enumerate(self.held) if rows and wanted(n)]

    def broken(self) -> dict[str, list[str]]:
        """Invariants that do not hold, with what is said of it."""
        books = Books(self.world, self.traffic)
        books.take(self.rows)
        waiting = Waiting(self.held, self.ended)
        found = judge(self.world, self.traffic, books, self.answers, waiting, self.moved)
        assert len(found) == 21
        return {one.name: one.first for one in found if not one.holds}

    def of(self, tenant: int) -> Callable[[int], bool]:
        return lambda n: self.world.tenant_of(self.traffic.mailbox[n]) == tenant


@pytest.fixture
def case() -> Case:
    return Case()


def test_books_that_are_right_break_nothing(case: Case) -> None:
    assert len(case.rows) >= 12
    assert case.broken() == {}


def test_one_recipient_more_than_the_ips_day(case: Case) -> None:
    others = case.untaken(lambda n: case.of(0)(n) and case.traffic.provider(n) == "other")
    taken = sum(row[18] == case.world.ips[0].vmta for row in case.rows)
    for number in others[: 8 - taken]:
        case.take(number, 0, time="2024-10-04 15:00:00+0000")
    assert "ip_day" not in case.broken()
    case.take(others[8 - taken], 0, time="2024-10-04 16:00:00+0000")
    assert case.broken()["ip_day"] == [f"day {DAY}, 198.18.0.1: 9 of 8"]


def test_one_recipient_more_than_a_providers_ceiling(case: Case) -> None:
    gmail = [
        n for n in range(len(case.traffic)) if case.of(0)(n) and case.traffic.provider(n) == "gmail"
    ]
    case.rows.clear()
    for number in gmail[:4]:
        case.take(number, 0)
    assert "ip_provider_day" not in case.broken()
    case.take(gmail[4], 0)
    assert case.broken()["ip_provider_day"] == [f"day {DAY}, 198.18.0.1, gmail: 5 of 4"]


def test_one_recipient_more_than_a_mailboxs_maximum(case: Case) -> None:
    its = case.untaken(lambda n: case.traffic.mailbox[n] == 1)
    taken = sum(row[3] == case.world.address(1) for row in case.rows)
    assert taken + len(its) == 6
    for number in its:
        case.take(number, 1, time="2024-10-04 15:00:00+0000")
    assert case.broken()["mailbox_day"] == [f"day {DAY}, {case.world.address(1)}: 6 of 5"]


def test_a_window_counts_all_of_a_tenant_and_what_was_under_way_when_the_clock_moved(
    case: Case,
) -> None:
    its = [n for n in range(len(case.traffic)) if case.of(0)(n)]
    case.rows.clear()
    # Over the turn of a minute: spans begin anywhere.
    for place, number in enumerate(its[:17]):
        case.take(number, place % 2, time=f"2024-10-04 10:0{6 + place // 9}:{50 + place // 9}+0000")
    case.rows[-1][1] = "2024-10-04 10:07:29+0000"
    for row in case.rows[9:]:
        row[1] = "2024-10-04 10:07:29+0000"
    broken = case.broken()
    assert broken["tenant_minute"] == [f"one, until second {SECOND + 449}: 17 of 16"]
    assert "tenant_hour" not in broken
    case.moved = {SECOND + 448: 1}
    assert "tenant_minute" not in case.broken()
    case.moved = {SECOND + 409: 1}
    assert "tenant_minute" in case.broken()
    for number in its[17:19]:
        case.take(number, 0, time="2024-10-04 11:06:29+0000")
    assert case.broken()["tenant_hour"] == [f"one, until second {SECOND + 3_989}: 19 of 18"]
    for row in case.rows[-2:]:
        row[1] = "2024-10-04 11:06:30+0000"
    assert "tenant_hour" not in case.broken()


def test_a_window_counts_all_tenants_together(case: Case) -> None:
    case.rows.clear()
    for number in range(21):
        case.take(number, 0 if case.of(0)(number) else 2)
    broken = case.broken()
    assert broken["global_minute"] == [f"*, until second {SECOND}: 21 of 20"]
    assert "global_hour" not in broken
    for number in range(21, 23):
        case.take(number, 0 if case.of(0)(number) else 2, time="2024-10-04 10:30:00+0000")
    assert case.broken()["global_hour"] == [f"*, until second {SECOND + 1_800}: 23 of 22"]


def test_more_than_all_stages_together(case: Case) -> None:
    case.rows.clear()
    for number in range(len(case.traffic)):
        case.take(number, 0 if case.of(0)(number) else 2)
    assert case.world.allowance == 28
    assert case.broken()["global_day"] == [f"day {DAY}: 30 of 28"]


def test_a_twin(case: Case) -> None:
    number = next(n for n, waits in enumerate(case.held) if not waits and case.of(0)(n))
    case.take(number, 1, more="x", time="2024-10-04 15:00:00+0000")
    assert case.broken().keys() == {"once"}


def test_a_row_that_is_there_twice(case: Case) -> None:
    case.held[case.untaken()[0]] = 2
    assert case.broken().keys() == {"once"}


def test_one_that_was_taken_and_waits(case: Case) -> None:
    number = case.traffic.number(case.rows[0][4])
    assert number is not None
    case.held[number] = 1
    assert case.broken().keys() == {"not_due_again"}


def test_one_that_is_lost_unless_its_sender_was_told(case: Case) -> None:
    number = case.untaken()[0]
    case.held[number] = 0
    broken = case.broken()
    assert broken.keys() == {"nothing_lost"}
    assert case.traffic.recipient(number) in broken["nothing_lost"][0]
    case.ended[number] = 1
    assert not case.broken()
    case.ended[number] = 0
    # Nobody heard an answer: it need not be there.
    case.answers[number] = Answer.UNHEARD
    assert not case.broken()


@pytest.mark.parametrize("answer", [Answer.NONE, Answer.DEFERRED, Answer.REFUSED])
def test_one_that_was_taken_though_its_client_was_told_otherwise(
    case: Case, answer: Answer
) -> None:
    number = case.traffic.number(case.rows[0][4])
    assert number is not None
    case.answers[number] = answer
    assert case.broken().keys() == {"as_answered"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"recipient": "s999999@gmail.com"}, "of no message"),
        ({"recipient": "somebody@gmail.com"}, "of no message"),
        ({"vmta": "vmta-other"}, "of no message"),
        ({"sender": "m0@three.laboratory.example"}, "from another mailbox"),
        ({"vmta": "vmta-198-18-0-3"}, "by another tenant's IP"),
        ({"time": "2024-10-03 10:00:00+0000"}, "granted on another day"),
        ({"time": "2024-10-06 10:00:00+0000"}, "granted on another day"),
    ],
)
def test_a_receipt_of_what_nobody_sent_so(case: Case, row: dict[str, str], said: str) -> None:
    number = case.untaken(case.of(0))[0]
    case.take(number, 0, **row)
    broken = case.broken()
    assert "as_sent" in broken
    assert broken["as_sent"][0].startswith(said)


def test_what_was_granted_before_midnight_counts_for_that_day(case: Case) -> None:
    case.take(case.untaken(case.of(0))[0], 0, time="2024-10-05 00:00:00+0000")
    assert not case.broken()


def test_a_probe_and_a_heading_are_nobodys_mail(case: Case) -> None:
    case.rows += [["type", *[""] * 26], ["r", *[""] * 19, "probe-1", *[""] * 6]]
    assert not case.broken()


def test_a_ledger_that_counted_less_than_was_taken(case: Case) -> None:
    books = Books(case.world, case.traffic)
    books.take(case.rows)
    told = {case.world.ips[ip].vmta: n for (_, ip), n in books.by_ip.items()}
    assert len(told) == 3
    assert counted(case.world, books, DAY, {name: n + 1 for name, n in told.items()}).holds
    told["vmta-198-18-0-2"] -= 1
    found = counted(case.world, books, DAY, told)
    assert not found.holds
    low = told["vmta-198-18-0-2"]
    assert found.first == [f"198.18.0.2: {low + 1} taken, {low} counted"]
    assert not counted(case.world, books, DAY, {}).holds


def test_what_a_scenario_expects() -> None:
    text = SCENARIO + "[expect]\ncompletion = 0.95\nspread = 1\nfailures = 0.05\n"
    world = World(parse(text, "books"))

    def broken(completion: float | None, spread: int, failures: float) -> set[str]:
        found = expected(world, completion=completion, spread=spread, failures=failures)
        return {one.name for one in found if not one.holds}

    assert broken(0.95, 1, 0.05) == set()
    assert broken(0.949, 1, 0.05) == {"completion"}
    assert broken(None, 2, 0.051) == {"completion", "fair_share", "failures"}


def test_every_kind_of_mail_is_its_own_recipient() -> None:
    text = SCENARIO.replace("bounces = 0", "bounces = 0.5").replace(
        "deferrals = 0", "deferrals=0.5"
    )
    traffic = Traffic(World(parse(text, "books")))
    assert {Kind(kind) for kind in traffic.kind} == {Kind.BOUNCE, Kind.DEFERRAL}
    assert [traffic.number(traffic.recipient(n)) for n in range(30)] == list(range(30))
    assert traffic.number(traffic.recipient(3).removeprefix("bounce+").upper()) is None
