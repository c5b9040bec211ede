"""Times and days as an operator writes them: ISO 8601 with dashes and colons."""

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from control.problem import bad, quoted

_OF_YEAR = "-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_DAY = f"(?!0000)[0-9]{{4}}{_OF_YEAR}"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
TIME = (
    rf"{_DAY}(?:[T ]{_CLOCK}(?::[0-5][0-9](?:\.[0-9]{{1,6}})?)?"
    rf"(?:Z|[+-]{_CLOCK}|[+-](?:[01][0-9]|2[0-3])(?:[0-5][0-9])?)?)?"
)
"""A subset of ISO 8601 that a pattern can say, and that nobody reads in two ways: no weeks, no days
of a year, no time without its colons."""

TimeText = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{TIME}$"})]
"""UTC when it names no zone."""
DayText = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_DAY}$"})]
CountedDayText = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": f"^(?:19[7-9]|2[0-9]{{2}})[0-9]{_OF_YEAR}$"})
]
"""From 1970 on, as the ledger counts days, and before the year 3000."""


def moment(text: str, field: str) -> datetime:
    """The time a text names. Raises RefusedError; also for one beyond years 1 to 9999 in UTC."""
    try:
        if not re.fullmatch(TIME, text):
            raise ValueError
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad(field, f"{quoted(text)} is not a time such as 2026-03-01T09:00:00Z") from None
