"""What pages draw: values over days or minutes, as JSON in an attribute of a figure, and as rows of
the table that stands beside it.

Rule: no number is in a drawing alone. A script reads the attribute (`static/charts.js`); without
one the table says the same. A day of a period has its place whether or not mail was sent in it:
three bars side by side that are of three months would be read as three days.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from control.statistics.row import EPOCH, Row

Kind = Literal["bars", "line", "steps", "dashed"]
Colour = Literal["fill", "good", "bad", "warn", "mark", "edge"]
"""Of the page's own, light or dark."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A value at each place; null: there is none."""

    label: str
    values: Sequence[float | None]
    kind: Kind
    colour: Colour


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over the same places."""

    places: Sequence[int]
    """Unix seconds; of days their first of UTC."""
    days: bool
    """Places are days of UTC, whatever the reader's zone."""
    lines: Sequence[Line]

    def json(self) -> str:
        """As the script reads it."""
        return msgspec.json.encode(self).decode()


class DayOf(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent on a day, and what became of it."""

    day: str
    relayed: int = 0
    delivered: int = 0
    bounced: int = 0
    expired: int = 0
    deferred: int = 0


def days_of(first: str, last: str) -> list[str]:
    """Each day, both inclusive."""
    begin, end = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    return [str(begin + datetime.timedelta(days=n)) for n in range((end - begin).days + 1)]


def each_day(rows: Iterable[Row], first: str, last: str) -> list[DayOf]:
    """Of sums by day, all days: those without mail have none."""
    counted: Mapping[Any, Row] = {row.day: row for row in rows}
    fields = DayOf.__struct_fields__[1:]
    return [
        DayOf(day=day, **{name: getattr(counted[day], name) for name in fields})
        if day in counted
        else DayOf(day=day)
        for day in days_of(first, last)
    ]


def mail_chart(days: Sequence[DayOf]) -> Chart:
    """Sent, delivered, bounced, deferred."""
    return Chart(
        places=[place(one.day) for one in days],
        days=True,
        lines=[
            Line(label="sent", values=[d.relayed for d in days], kind="bars", colour="edge"),
            Line(label="delivered", values=[d.delivered for d in days], kind="line", colour="fill"),
            Line(
                label="bounced or given up",
                values=[d.bounced + d.expired for d in days],
                kind="line",
                colour="bad",
            ),
            Line(label="deferred", values=[d.deferred for d in days], kind="dashed", colour="warn"),
        ],
    )


def place(day: str) -> int:
    """Its first second."""
    return (datetime.date.fromisoformat(day) - EPOCH).days * 86_400
