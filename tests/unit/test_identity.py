"""Envelope ids: what is written is read back, and nothing else is taken for ours."""

import pytest

from policy.identity import Envelope, envelope_id, parse_envelope, row_id
from policy.limits import DAY


@pytest.mark.parametrize("key", ["", "8f3a2c"])
def test_an_envelope_id_is_read_back(key: str) -> None:
    text = envelope_id(20_500 * DAY + 5, "01k9zz1234567890abcdefghjkm", 3, key)
    assert parse_envelope(text) == Envelope(20_500, "01k9zz1234567890abcdefghjkm", 3, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "probe-01k9",
        "20500-abc.1",
        "20500-01k9zz123456.1-",
        "x-01k9zz123456.1",
        "20500-01k9zz123456",
    ],
)
def test_foreign_ids_are_not_ours(text: str) -> None:
    assert parse_envelope(text) is None


def test_rows_of_several_recipients_have_ids_of_their_own() -> None:
    assert row_id("m", 0, 1) == "m"
    assert [row_id("m", n, 2) for n in range(2)] == ["mx0", "mx1"]
