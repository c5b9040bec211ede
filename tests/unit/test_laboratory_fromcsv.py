"""A scenario from real traffic."""

from pathlib import Path

import pytest

from loadtest.laboratory.fromcsv import from_csv
from loadtest.laboratory.reading import ScenarioError, parse
from loadtest.laboratory.traffic import Traffic
from loadtest.laboratory.world import World


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "traffic.csv"
    file.write_text(text)
    return file


def test_it_has_the_files_senders_hours_and_mix(tmp_path: Path) -> None:
    rows = ["time,sender,recipient_domain"]
    for day in (1, 2):
        for number in range(60):
            to = "gmail.com" if number % 3 else "company.example"
            rows.append(f"2026-03-0{day}T09:{number:02}:00Z,N{number % 4}@Shop.example,{to}")
        rows.append(f"2026-03-0{day}T21:00:00+02:00,a@other.example,someone@GMAIL.com")
    scenario = parse(from_csv(written(tmp_path, "\n".join(rows))), "made")
    shop, other = scenario.tenants
    assert (shop.mailboxes, shop.per_mailbox, shop.stages, shop.ips) == (4, 15, (2,), 1)
    assert (other.mailboxes, other.per_mailbox, other.stages) == (1, 1, (1,))
    assert scenario.days.days == 2
    assert [hour for hour, weight in enumerate(scenario.days.curve) if weight] == [9, 19]
    assert scenario.days.curve[9] == 100
    shares = {one.domains[0]: one.share for one in scenario.providers.values()}
    assert shares == {"gmail.com": 67.21, "company.example": 32.79}
    assert len(Traffic(World(scenario))) == 122


def test_many_domains_are_one_group_and_a_large_one_gets_ips(tmp_path: Path) -> None:
    rows = [f"{1_772_355_600 + n},a@d{n % 150}.example,r{n % 70}.example" for n in range(300)]
    rows += ["1772355600,big@big.example,gmail.com"] * 20_001
    scenario = parse(from_csv(written(tmp_path, "\n".join(rows))), "made")
    assert len(scenario.tenants) == 100
    assert (scenario.tenants[0].ips, scenario.tenants[0].stages) == (3, (6,))
    rest = scenario.tenants[-1]
    assert (rest.name, rest.count, rest.mailboxes, rest.per_mailbox) == ("rest", 52, 1, 2)
    assert scenario.providers["rest"].domains == ["rest.example"]
    assert len(scenario.providers) == 51


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no message"),
        ("time,sender,domain\n", "has no message"),
        ("2026-03-01,a@b.example\n", "line 1: 2 columns"),
        ("2026-03-01;a@b.example;c.example\n", "line 1: 1 column; wanted"),
        (
            "2026-03-01,a@b.example,c.example\nyesterday,a@b.example,c.example",
            "line 2: 'yesterday'",
        ),
        ("999999999999,a@b.example,c.example", "line 1: '999999999999' is no time"),
        ("2026-03-01,nobody,c.example", "line 1: 'nobody' is no sender"),
        ("2026-03-01,a@b.example,'; DROP", 'line 1: "\'; drop" is no recipient domain'),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        from_csv(written(tmp_path, text))
    assert caught.value.problems[0].startswith(said)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "octets.csv").write_bytes(b"\xff\xfe")
    for name in ("none.csv", "octets.csv"):
        with pytest.raises(ScenarioError, match="cannot be read") as caught:
            from_csv(tmp_path / name)
        assert "Errno" not in str(caught.value)


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufefftime,sender,domain\n2026-03-01,a@b.example,c.example\n")
    assert len(parse(from_csv(file), "made").tenants) == 1
