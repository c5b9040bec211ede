"""Limits of a minute and an hour at each level of a scenario, and books in which one is broken."""

import tomllib
from pathlib import Path

import pytest

from loadtest.laboratory.reading import parse
from loadtest.laboratory.stack import _toml
from tests.unit.test_laboratory_invariants import SCENARIO, Case

WIDE = SCENARIO.replace("per_minute = 16\nper_hour = 18\n", "LIMIT\n").replace(
    "[limits]\nper_minute = 20\nper_hour = 22\n", ""
)
"""Nobody has such a limit but for what stands in place of LIMIT."""


def _limited(level: str, span: str, most: int) -> str:
    if level == "provider":
        text = WIDE.replace("LIMIT\n", "")
        return text.replace("ceiling = 0.5\n", f"ceiling = 0.5\nper_{span} = {most}\n")
    return WIDE.replace("LIMIT", f"{level}_{span} = {most}")


@pytest.mark.parametrize("span", ["minute", "hour"])
@pytest.mark.parametrize("level", ["pool", "ip", "provider", "mailbox"])
def test_one_more_than_a_limit_is_found(level: str, span: str) -> None:
    """All of a case is taken in one second: as many as the heaviest of the level has."""
    plain = Case(WIDE.replace("LIMIT\n", ""))
    count: dict[object, int] = {}
    for row in plain.rows:
        number = plain.traffic.number(row[4])
        assert number is not None
        mailbox = plain.traffic.mailbox[number]
        what: object = {
            "pool": plain.world.tenant_of(mailbox), "ip": row[18], "mailbox": mailbox,
            "provider": plain.traffic.provider(number),
        }[level]  # fmt: skip
        if level == "provider" and what != "gmail":
            continue
        if level == "provider" or plain.world.tenant_of(mailbox) == 0:
            count[what] = count.get(what, 0) + 1
    most = max(count.values())
    assert Case(_limited(level, span, most)).broken() == {}
    found = Case(_limited(level, span, most - 1)).broken()
    assert list(found) == [f"{level}_{span}"]
    assert f": {most} of {most - 1}" in found[f"{level}_{span}"][0]


def test_a_table_within_a_line_is_toml() -> None:
    found = tomllib.loads(f"limits = {_toml({'gmail': 3, 'other': 9})}\nname = {_toml('x')}")
    assert found == {"limits": {"gmail": 3, "other": 9}, "name": "x"}


def test_the_small_scenario_has_one_at_each_level() -> None:
    file = Path(__file__).parents[2] / "loadtest/laboratory/scenarios/ci.toml"
    scenario = parse(file.read_text(encoding="utf-8"), "ci")
    kind = scenario.tenants[0]
    assert kind.pool_hour
    assert kind.ip_minute
    assert kind.mailbox_hour
    assert scenario.providers["other"].per_hour
