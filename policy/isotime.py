"""Calendar times as text: ISO 8601, UTC, whole seconds. Pure.

An instant that is shown is cut to its second: it has been then, and sorts as it happened. A time
that is promised ("not before") is rounded up: a client that waits until then is never early.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(milliseconds: int) -> str:
    """`2024-10-03T12:00:00Z`, the second in which it was."""
    return _text(milliseconds // 1000)


def not_before(milliseconds: int) -> str:
    """The same, the first whole second that is not earlier."""
    return _text(-(-milliseconds // 1000))


def milliseconds_of(at: datetime) -> int:
    """Since 1970, of a time with its zone; the nearest."""
    return round(at.timestamp() * 1000)


def date_of(day: int) -> str:
    """`2024-10-03`, of a day since 1970."""
    return _text(day * 86_400)[:10]


def instant_of(at: datetime) -> str:
    """As `instant`, of a time with its zone; fractions never round it into another second."""
    return instant((at - _EPOCH) // timedelta(milliseconds=1))


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> float | None:
    """Since 1970, of an ISO time with its zone; None: it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.timestamp()
