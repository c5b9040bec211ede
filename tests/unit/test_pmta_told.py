"""What a PowerMTA says of itself, read: by the guide's shapes, and by names where it has none."""

from typing import Any

import pytest

from control.pmta.told import ENDING, SILENT, Told, ends_at, of_licence, of_status, troubles

END = 1_772_409_600_000
"""The first millisecond behind 2026-03-01."""


@pytest.mark.parametrize(
    ("licence", "end", "units", "unlimited"),
    [
        ({"expires": "never", "units": 4_294_967_295}, "never", None, True),
        (
            {"L": {"Expiration": "2026-03-01", "Units": "4,294,967,295"}},
            "2026-03-01",
            None,
            True,
        ),
        ({"expirationDate": "03/01/2026", "units": 50_000}, "2026-03-01", 50_000, False),
        ({"data": {"license": [{"expiry": 1_772_323_200}]}}, "2026-03-01", None, False),
        ({"expires": "some day"}, "", None, False),
        ({}, "", None, False),
    ],
)
def test_a_licence_is_found_by_the_names_of_its_fields(
    licence: Any, end: str, units: int | None, unlimited: bool
) -> None:
    told = Told(**of_licence(licence))
    assert (told.licence_end, told.licence_units, told.licence_unlimited) == (end, units, unlimited)


def test_a_licence_ends_behind_its_last_day_and_never_means_never() -> None:
    assert ends_at(Told(licence_end="2026-03-01")) == END
    assert ends_at(Told(licence_end="never")) == 0
    assert ends_at(Told()) is None


@pytest.mark.parametrize(
    ("before", "said"),
    [(ENDING, []), (ENDING - 1, ["ends on"]), (0, ["has ended on"])],
)
def test_thirty_days_before_the_end_are_something_wrong(before: int, said: list[str]) -> None:
    now = END - before
    found = troubles("p", Told(licence_end="2026-03-01"), now, now)
    assert len(found) == len(said)
    assert all(word in text for word, text in zip(said, found, strict=True))


def test_silence_is_something_wrong_after_fifteen_minutes() -> None:
    assert troubles("p", Told(), 0, SILENT) == []
    assert troubles("p", Told(), 0, SILENT + 1) != []


@pytest.mark.parametrize("answer", [{}, [], None, {"status": "success"}, {"status": {"queue": 3}}])
def test_an_answer_of_another_shape_tells_nothing(answer: Any) -> None:
    assert set(of_status(answer).values()) == {None}
