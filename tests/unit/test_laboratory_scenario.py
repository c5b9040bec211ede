"""Scenarios: what is wrong is named with its path and what is wanted; the mail is as they say."""

import re
from pathlib import Path

import pytest

from loadtest.laboratory import fairness
from loadtest.laboratory.reading import ScenarioError, load, names, parse
from loadtest.laboratory.traffic import Traffic
from loadtest.laboratory.world import World

LEAST = """
name = "least"
[[tenants]]
name = "one"
mailboxes = 10
per_mailbox = 2.5
[providers.other]
share = 1
domains = ["company.example"]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "file.toml")
    assert all(line.startswith("file.toml: ") for line in str(caught.value).splitlines())
    return caught.value.problems


@pytest.mark.parametrize("name", names())
def test_those_that_come_with_us_can_be_read(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert World(scenario).mailboxes


def test_every_bad_value_is_named_with_its_path_and_what_is_wanted() -> None:
    found = problems(
        """
name = "bad"
seed = -1
speed = 9
[[tenants]]
name = "Upper"
mailboxes = 0
per_mailbox = "many"
[[tenants]]
name = "two"
mailboxes = 5
[providers.other]
share = 1
domains = ["company.example", "No Domain"]
[days]
steps = 0
curve = [1]
[clients]
workers = 24.5
"""
    )
    assert {problem.partition(":")[0] for problem in found} == {
        *("seed", "speed", "tenants[0].name", "tenants[0].mailboxes", "tenants[0].per_mailbox"),
        *("tenants[1].per_mailbox", "providers.other.domains[1]", "days.steps", "days.curve"),
        "clients.workers",
    }
    said = {problem.partition(":")[0]: problem for problem in found}
    assert "wanted: messages of each mailbox a day" in said["tenants[1].per_mailbox"]
    assert "it has name, seed, tenants" in said["speed"]
    assert "wanted: domains of recipients, in lower case" in said["providers.other.domains[1]"]
    # In words of who wrote the file, not of the program that reads it.
    assert not re.search(r"`|regex|Object|Expected", "".join(found))
    assert said["tenants[1].per_mailbox"].startswith("tenants[1].per_mailbox: is missing; wanted")
    assert "expected a number, got text" in said["tenants[0].per_mailbox"]


def test_a_list_with_wrong_entries_alone_is_not_called_empty_besides() -> None:
    (found,) = problems(LEAST.replace('"company.example"', '"No Domain"'))
    assert found.startswith("providers.other.domains[0]: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("per_mailbox = 2.5", "per_mailbox = 2.5\nstages = [7]"), "tenants[0].stages: 7 is too"),
        (
            ("per_mailbox = 2.5", "per_mailbox = 2.5\nmailbox_max = 2\nmailbox_min = 3"),
            "tenants[0].mailbox_min: 3 is more",
        ),
        (("[prov", "[[tenants]]\nname = 'one'\nmailboxes=1\nper_mailbox=1\n[prov"), "tenants[1]"),
        (("[prov", "[plan]\nquotas = [5, 5]\n[prov"), "plan.quotas: they have to rise"),
        (
            ("[prov", "[plan]\nhourly_share = 0.04\n[prov"),
            "plan.hourly_share: 0.04 of a day is less than",
        ),
        (("[prov", f"[days]\ncurve = {[0] * 24}\n[prov"), "days.curve: all 24 are 0"),
        (("[prov", "[rates]\nbounces = 0.6\ndeferrals = 0.6\n[prov"), "rates: together"),
        (
            ("[prov", "[providers.b]\nshare=1\ndomains=['company.example']\n[prov"),
            "providers.other.domains: company.example is b's already",
        ),
        (("providers.other", "providers.Other"), "providers.Other: a name has"),
        (("mailboxes = 10", "mailboxes = 100000\ncount = 1000"), "tenants: 250001000 messages"),
        (("mailboxes = 10", "mailboxes = 1\nips=1000\ncount = 61"), "tenants: more than 60000 IPs"),
    ],
)
def test_what_does_not_go_together_is_named(change: tuple[str, str], said: str) -> None:
    (found,) = problems(LEAST.replace(*change))
    assert found.startswith(said)


def test_what_is_no_file_no_toml_and_no_text(tmp_path: Path) -> None:
    assert problems("name = ")[0].startswith("is no TOML: ")
    for text, said in ((None, "No such file"), (b"\xff", "is no UTF-8")):
        file = tmp_path / "own.toml"
        if text is not None:
            file.write_bytes(text)
        with pytest.raises(ScenarioError, match=said):
            load(str(file))


def test_a_days_mail_is_what_the_scenario_says() -> None:
    text = LEAST + "[plan]\nhourly_share = 0.25\n[days]\ndays=2\nsteps = 4\ncurve = ["
    text += "0,0,0,0,0,0, 1,1,1,1,1,1, 3,3,3,3,3,3, "
    world = World(parse(text + "0,0,0,0,0,0]\n", "least"))
    traffic = Traffic(world)
    assert len(traffic) == 50
    for day in range(2):
        sizes = [len(traffic.step(day, step)) for step in range(4)]
        assert sizes == [0, 6, 19, 0]
        of = [traffic.mailbox[n] for n in traffic.day(day)]
        assert sorted({of.count(m) for m in range(10)}) == [2, 3]
    assert Traffic(world).recipient(7) == traffic.recipient(7)


def test_mailboxes_and_ips_are_found_by_their_names() -> None:
    text = LEAST.replace("mailboxes = 10", "mailboxes = 10\ncount = 3\nips = 2\nstages=[2, 1]")
    world = World(parse(text, "least"))
    assert [world.mailbox(world.address(m)) for m in range(30)] == list(range(30))
    for unknown in ("m10@one-1.laboratory.example", "x1@one-1.laboratory.example", "m1@else"):
        assert world.mailbox(unknown) is None
    assert [ip.quota for ip in world.ips] == [200, 50] * 3
    assert [ip.tenant for ip in world.ips] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("wanted", "total", "fair"),
    [
        ([5, 5, 5], 15, [5, 5, 5]),
        ([5, 5, 5], 9, [3, 3, 3]),
        ([1, 5, 9], 9, [1, 4, 4]),
        ([1, 2, 9], 9, [1, 2, 6]),
        ([4, 4], 0, [0, 0]),
        ([2, 2], 9, [2, 2]),
        ([], 0, []),
    ],
)
def test_shares_are_max_min_fair(wanted: list[int], total: int, fair: list[float]) -> None:
    assert fairness.shares(wanted, total) == fair


def test_how_far_a_day_was_from_fair() -> None:
    assert fairness.farthest([2, 3, 2], [7 / 3] * 3) == 1
    assert fairness.farthest([4, 3, 0], [7 / 3] * 3) == 3
    assert fairness.farthest([3], [3.0]) == 0
    assert fairness.jain([2, 2], [2.0, 2.0]) == 1.0
    assert fairness.jain([4, 0], [2.0, 2.0]) == 0.5
    assert fairness.jain([], []) is None
