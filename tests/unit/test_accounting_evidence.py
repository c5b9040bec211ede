"""What accounting records prove, by the names of their fields."""

import pytest

from control.accounting.evidence import Receipt, evidence_of, milliseconds, storable

HEADER = ("type", "timeLogged", "orig", "rcpt", "vmta", "envId")
LOGGED = "2019-02-08 21:54:05+0000"
AT = 1_549_662_845_000
ENVELOPE = "17935-message1.2"


def row(kind: str, rcpt: str = "a@gmail.com", envelope: str = ENVELOPE) -> list[str]:
    return [kind, LOGGED, "s@t.example", rcpt, "vmta-7", envelope]


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


def test_a_record_whose_time_cannot_be_read_is_evidence_all_the_same() -> None:
    found, _ = evidence_of([["r", "?", "", "a@x.example", "v", ENVELOPE]], HEADER, 5)
    assert found.receipts == {(17935, "message1", 2): Receipt("", "r", 5)}


def test_records_of_an_attempt_add_up_to_one_receipt() -> None:
    rows = [row("r"), row("t"), row("t"), row("d"), row("r", envelope="17935-message2.1-key9")]
    found, _ = evidence_of(rows, HEADER, 0)
    assert found.receipts == {
        (17935, "message1", 2): Receipt("", "rtd", AT),
        (17935, "message2", 1): Receipt("key9", "r", AT),
    }
    assert (found.records, found.oldest) == (5, AT)


def test_each_receipt_record_is_one_recipient_of_its_provider() -> None:
    rcpts = ["a@gmail.com", "b@GoogleMail.com", '"x, y"@yahoo.fr', "nobody", "c@company.example"]
    rows = [row("r", rcpt) for rcpt in rcpts] + [row("d", "a@gmail.com")]
    found, _ = evidence_of(rows, HEADER, 0)
    assert found.relayed == {
        (17935, "vmta-7", "gmail"): 2,
        (17935, "vmta-7", "yahoo"): 1,
        (17935, "vmta-7", "other"): 2,
    }


def test_fields_are_found_by_name_wherever_they_stand() -> None:
    rows = [
        ["type", "envId", "unknown", "vmta", "rcpt"],
        ["r", ENVELOPE, "?", "v1", "a@gmail.com"],
        ["d", ENVELOPE],
        ["tq"],
        ["f", "", "", "", "a@gmail.com"],
    ]
    found, header = evidence_of(rows, (), 7)
    assert header == ("type", "envId", "unknown", "vmta", "rcpt")
    assert found.receipts == {(17935, "message1", 2): Receipt("", "rd", 7)}
    assert found.relayed == {(17935, "v1", "gmail"): 1}
    assert (found.records, found.skipped, found.broken) == (2, 2, 0)


def test_a_header_may_come_again_with_other_columns() -> None:
    rows = [row("r"), ["type", "envId"], ["r", "17935-message9.1"]]
    found, header = evidence_of(rows, HEADER, 7)
    assert header == ("type", "envId")
    assert {name[1] for name in found.receipts} == {"message1", "message9"}


def test_mail_of_others_is_read_and_proves_nothing() -> None:
    rows = [row("r", envelope=text) for text in ("", "0-x", "job-1", "17935-message1.0x")]
    found, _ = evidence_of(rows, HEADER, 0)
    assert (found.records, found.receipts, found.relayed) == (4, {}, {})


def test_a_probe_is_read_by_its_r_record_only() -> None:
    rows = [row("d", envelope="probe-one"), row("r", envelope="probe-two")]
    found, _ = evidence_of(rows, HEADER, 0)
    assert (found.probes, found.receipts, found.relayed) == (["two"], {}, {})


@pytest.mark.parametrize("header", [(), ("type", "timeLogged")])
def test_records_that_do_not_fit_their_header_are_no_evidence_but_a_loss(
    header: tuple[str, ...],
) -> None:
    found, _ = evidence_of([row("r")], header, 0)
    assert (found.records, found.skipped, found.broken, found.receipts) == (0, 1, 1, {})


def test_whatever_stands_in_a_field_can_be_stored() -> None:
    odd = b"v\xff\x00".decode("utf-8", "surrogateescape")
    assert storable(odd) == "v\\udcff\\0"
    assert len(storable("x" * 10_000)) == 255
    rows = [["r", LOGGED, "", "a@x.example", odd, ENVELOPE]]
    assert list(evidence_of(rows, HEADER, 0)[0].relayed) == [(17935, "v\\udcff\\0", "other")]
