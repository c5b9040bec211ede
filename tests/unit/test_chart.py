"""A plot in a terminal: what it shows can be read off it."""

from hypothesis import given
from hypothesis import strategies as st

from control.terminal.chart import COLUMNS, ROWS, plot

FULL, BOUND = "█", "┄"


def columns_of(lines: list[str]) -> list[str]:
    """Each from the bottom up."""
    cells = [line.partition("┤")[2] for line in lines if "┤" in line]
    width = max(map(len, cells), default=0)
    return ["".join(row) for row in zip(*(c.ljust(width) for c in reversed(cells)), strict=True)]


def test_weeks_of_a_plan_are_steps_and_what_is_not_used_stays_open() -> None:
    quota = [100] * 4 + [200] * 4 + [400] * 4
    lines = plot(
        [f"2026-03-{day:02}" for day in range(1, 13)], [100] * 12, quota, rows=4, columns=12
    )
    assert lines == [
        "400 ┤        ┄┄┄┄",
        "    ┤",
        "200 ┤    ┄┄┄┄",
        "    ┤████████████",
        "  0 └────────────",
        "     2026-03-01",
    ]


def test_the_smallest_day_is_seen_and_an_empty_one_is_empty() -> None:
    small, none, great = columns_of(
        plot(["a", "b", "c"], [1, 0, 100_000], [1, 0, 100_000], columns=3)
    )
    assert (small.strip(), none.strip(), great) == ("▁", "", FULL * ROWS)


def test_nothing_at_all_has_a_scale_of_its_own() -> None:
    lines = plot(["2026-03-01"] * 90, [0] * 90, [0] * 90)
    assert lines[0] == "1 ┤"
    assert plot([], [], [])[-1] == "0 └"


@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=400))
def test_it_fits_a_terminal_and_loses_no_greatest_day(values: list[int]) -> None:
    lines = plot([f"2026-{at:06}" for at in range(len(values))], values, values)
    assert len(lines) == ROWS + 2
    assert max(map(len, lines)) <= 9 + 2 + COLUMNS
    found = columns_of(lines)
    assert len(found) <= COLUMNS
    if any(values):
        assert max(column.count(FULL) for column in found) == ROWS
    assert lines[-1].split()[0] == "2026-000000"
