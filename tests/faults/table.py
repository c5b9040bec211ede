"""The fault table: one row a scenario, printed at the end of a run and written as JSON.

Rows travel as user properties of their tests, so those of several xdist workers meet.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

PROPERTY = "fault"


class Line(msgspec.Struct, frozen=True):
    """What a scenario came to."""

    scenario: str
    offered: int
    acknowledged: int
    refused: int
    deferred: int
    unheard: int
    delivered_once: int
    held: int
    doubt: int
    released: int
    """Of those held and in doubt, how many went once that was allowed and proved."""
    slowest: float
    """Seconds of the latest answer."""
    lost: int
    unknowable: int
    """Acknowledged, and only on a primary that an asynchronous standby has replaced."""
    twice: int
    excess: int
    """Recipients above the quota of the day, VirtualMTA or provider that was exceeded most."""
    recovery: float | None
    """Seconds from the end of the fault to the first message that PowerMTA took after it."""


def record(request: pytest.FixtureRequest, line: Line) -> None:
    """Add a row."""
    request.node.user_properties.append((PROPERTY, msgspec.to_builtins(line)))


def text_of(lines: list[Line]) -> str:
    """The table for a terminal."""
    names = [field.name for field in msgspec.structs.fields(Line)]
    heads = [name.replace("_", " ") for name in names]
    rows = [[_cell(getattr(line, name)) for name in names] for line in lines]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in (heads, *rows)
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} s" if isinstance(value, float) else str(value)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults", "the fault suite (tests/faults)")
    group.addoption("--fault-table", type=Path, metavar="FILE", help="write its rows as JSON")
    group.addoption("--fault-scale", type=int, default=1, help="times as many messages")
    group.addoption("--fault-rounds", type=int, default=1, help="times every scenario runs")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = [
        msgspec.convert(value, Line)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "teardown"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if not lines:
        return
    lines.sort(key=lambda line: line.scenario)
    terminalreporter.section("faults")
    terminalreporter.write_line(text_of(lines))
    if (file := config.getoption("fault_table")) is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(lines)))
