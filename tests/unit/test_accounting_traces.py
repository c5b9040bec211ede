"""An address is found however a record spells it, and nobody else's with it."""

import csv
import io
import json

import pytest

from control.accounting.traces import FORGOTTEN, Traces, addresses, known_as

ANNA = Traces(["anna.b@bücher.example"])


@pytest.mark.parametrize(
    "text",
    [
        "anna.b@bücher.example",
        "Anna.B@XN--BCHER-KVA.Example",
        "smtp;550 5.1.1 <anna.b@xn--bcher-kva.example>: unknown",
        "rfc822;anna.b@bücher.example",
        "'anna.b@bücher.example' is not here.",
        "anna.b@bücher.example.",
        "bounce-7-anna.b=bücher.example@news.test",
        "mailto=anna.b@bücher.example",
    ],
)
def test_every_spelling_is_taken_out(text: str) -> None:
    written = [text, json.dumps(text), json.dumps(f"a\n{text}"), _csv(text)]
    for one in written:
        left = ANNA.out_of(one.encode()).decode().lower()
        assert FORGOTTEN in left
        assert "anna.b" not in left, one


@pytest.mark.parametrize(
    "text",
    [
        "joanna.b@bücher.example",
        "jo.anna.b@bücher.example",
        "anna.b@bücher.example.org",
        "anna.b@bücher.examples",
        "anna.b@other.example",
        "anna.b is no address",
    ],
)
def test_others_stay(text: str) -> None:
    content = text.encode()
    assert ANNA.out_of(content) is content


def test_quoted_local_parts_are_found_in_json_and_csv() -> None:
    text = '"anna b"@x.example'
    for written in (text, json.dumps({"rcpt": text}), _csv(text)):
        left = Traces([text]).out_of(written.encode()).decode()
        assert FORGOTTEN in left
        assert "anna b" not in left


def test_what_is_left_of_a_record_is_one_still() -> None:
    record = {"rcpt": "anna.b@bücher.example", "dsnDiag": 'no "anna.b@bücher.example" here'}
    line = json.dumps(record).encode()
    assert json.loads(ANNA.out_of(line)) == {
        "rcpt": FORGOTTEN,
        "dsnDiag": f'no "{FORGOTTEN}" here',
    }
    (row,) = csv.reader(io.StringIO(ANNA.out_of(_csv("d", *record.values()).encode()).decode()))
    assert row == ["d", FORGOTTEN, f'no "{FORGOTTEN}" here']


def test_octets_that_are_no_utf_8_stay() -> None:
    text = b"caf\xe9 <anna.b@b\xc3\xbccher.example>"
    assert ANNA.out_of(text) == b"caf\xe9 <(forgotten)>"
    decoded = text.decode("utf-8", "surrogateescape")
    assert ANNA.out_of_text(decoded).encode("utf-8", "surrogateescape") == ANNA.out_of(text)


def test_what_may_be_an_address_is_named_as_its_digest_is_made() -> None:
    text = b"smtp;550 <Anna.B@XN--BCHER-KVA.example>: 'joe@x.example' mailto=eve@y.example."
    assert [known_as(one) for one in addresses(text)] == [
        "anna.b@xn--bcher-kva.example",
        "joe@x.example",
        "eve@y.example",
    ]
    assert known_as("anna.b@bücher.example") == "anna.b@xn--bcher-kva.example"


def _csv(*fields: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(fields)
    return out.getvalue()
