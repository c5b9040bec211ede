"""What accounting records prove, by the names of their fields."""

import pytest

from control.accounting.columns import Columns, milliseconds, storable
from control.accounting.receipts import Receipts, Repeats, add
from control.accounting.records import Piece, Record

HEADER = ("type", "timeLogged", "orig", "rcpt", "vmta", "envId")
LOGGED = "2019-02-08 21:54:05+0000"
AT = 1_549_662_845_000
ENVELOPE = "17935-message1.2"


def row(kind: str, rcpt: str = "a@gmail.com", envelope: str = ENVELOPE) -> list[str]:
    return [kind, LOGGED, "s@t.example", rcpt, "vmta-7", envelope]


def proved(
    rows: list[list[str]], header: tuple[str, ...] = HEADER, repeats: Repeats | None = None
) -> Receipts:
    found = Receipts()
    piece = Piece(Columns(header), [Record(fields, ",".join(fields).encode()) for fields in rows])
    add(found, piece, repeats or Repeats(), 7)
    return found


def relayed(found: Receipts) -> dict[tuple[int, str, str], int]:
    counts: dict[tuple[int, str, str], int] = {}
    for (day, _, _), receipt in found.attempts.items():
        for taken in receipt.taken:
            name = (day, taken.vmta, taken.provider)
            counts[name] = counts.get(name, 0) + 1
    return counts


def kinds(found: Receipts) -> dict[tuple[int, str, int], tuple[str, str, int]]:
    return {name: (r.key, r.kinds, r.at) for name, r in found.attempts.items()}


@pytest.mark.parametrize(
    "text",
    [
        LOGGED,
        "02/08/2019 21:54:05",
        "02/08/2019 22:54:05+0100",
        "1549662845",
        "2019-02-08 21:54:05",
    ],
)
def test_three_forms_of_time_mean_the_same(text: str) -> None:
    assert milliseconds(text) == AT


@pytest.mark.parametrize("text", ["", "yesterday", "13/45/2019 21:54:05", "²", "9" * 30])
def test_other_texts_are_no_time(text: str) -> None:
    assert milliseconds(text) is None


def test_records_of_an_attempt_add_up_to_one_receipt() -> None:
    rows = [row("r"), row("t"), row("t"), row("d"), row("r", envelope="17935-message2.1-key9")]
    found = proved(rows)
    assert kinds(found) == {
        (17935, "message1", 2): ("", "rtd", AT),
        (17935, "message2", 1): ("key9", "r", AT),
    }
    assert (found.records, found.oldest) == (5, AT)


def test_each_receipt_record_is_one_recipient_of_its_provider() -> None:
    rcpts = ["a@gmail.com", "b@GoogleMail.com", '"x, y"@yahoo.fr', "nobody", "c@company.example"]
    found = proved([row("r", rcpt) for rcpt in rcpts] + [row("d", "a@gmail.com")])
    assert relayed(found) == {
        (17935, "vmta-7", "gmail"): 2,
        (17935, "vmta-7", "yahoo"): 1,
        (17935, "vmta-7", "other"): 2,
    }


def test_fields_are_found_by_name_wherever_they_stand() -> None:
    header = ("type", "envId", "unknown", "VMTA", "rcpt")
    rows = [
        ["r", ENVELOPE, "?", "v1", "a@gmail.com"],
        ["d", ENVELOPE],
        ["tq"],
        ["f", "", "", "", "a@gmail.com"],
    ]
    found = proved(rows, header)
    assert kinds(found) == {(17935, "message1", 2): ("", "rd", 7)}
    assert relayed(found) == {(17935, "v1", "gmail"): 1}
    assert (found.records, found.skipped) == (2, 2)


def test_mail_of_others_is_read_and_proves_nothing() -> None:
    found = proved([row("r", envelope=text) for text in ("", "0-x", "job-1", "17935-message1.0x")])
    assert (found.records, found.received, found.named, found.attempts) == (4, 4, 0, {})


def test_a_probe_is_read_by_its_r_record_only() -> None:
    found = proved([row("d", envelope="probe-one"), row("r", envelope="probe-two")])
    assert (found.probes, found.attempts, found.named) == (["two"], {}, 1)


def test_whatever_stands_in_a_field_can_be_stored() -> None:
    odd = b"v\xff\x00".decode("utf-8", "surrogateescape")
    assert storable(odd) == "v\\udcff\\0"
    assert len(storable("x" * 10_000)) == 255
    found = Receipts()
    piece = Piece(Columns(HEADER), [Record(["r", LOGGED, "", "a@x.example", odd, ENVELOPE], b"")])
    add(found, piece, Repeats(), 7)
    assert list(relayed(found)) == [(17935, "v\\udcff\\0", "other")]


def test_equal_receipts_of_one_file_differ_and_a_copys_are_the_same() -> None:
    """A recipient named twice is two; read again from its beginning the file says the same."""
    rows = [row("r"), row("r"), row("r", "b@gmail.com")]
    (first,), (again,) = (proved(rows).attempts.values() for _ in range(2))
    assert len({taken.digest for taken in first.taken}) == 3
    assert first.taken == again.taken
    (most,) = proved(rows[1:]).attempts.values()
    assert {taken.digest for taken in most.taken} < {taken.digest for taken in first.taken}


def test_reading_goes_on_behind_what_was_met_before() -> None:
    whole = proved([row("r"), row("r")])
    repeats = Repeats()
    repeats.recall(Piece(Columns(HEADER), [Record(row("r"), ",".join(row("r")).encode())]))
    rest = proved([row("r")], repeats=repeats)
    assert (
        rest.attempts[17935, "message1", 2].taken == whole.attempts[17935, "message1", 2].taken[1:]
    )


def test_receipts_that_are_missed_or_lack_a_field_are_counted() -> None:
    found = proved([row("r"), row("d"), row("r", ""), row("d"), row("t")])
    assert (found.received, found.named, found.unaddressed, found.behind_receipt) == (2, 2, 1, 2)
