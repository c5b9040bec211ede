"""The duplicate key: which messages are the same one sent again, and which only look alike."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policy.duplicate import Identity, KeyFields, identify, pattern_problem
from policy.identity import envelope_id, parse_envelope
from policy.model import Duplicates

CAMPAIGN, SUBSCRIBER = b"qw123er456ty7", b"zx098cv765bn4"
FEEDBACK_ID = b" qw123er456ty7:zx098cv765bn4:li123456:cu1"
LIST_UNSUBSCRIBE = (
    b" <https://m.example/lists/li123456/unsubscribe/zx098cv765bn4/qw123er456ty7/x>,\r\n"
    b" <mailto:u@m.example?subject=Unsubscribe>"
)
TO = (b"anna@gmail.com",)


def _unread() -> bytes:
    raise AssertionError("the body was asked for")


def _identify(
    fields: KeyFields,
    duplicates: Duplicates | None = None,
    tenant: str = "acme",
    to: tuple[bytes, ...] = TO,
    body: bytes | None = None,
) -> Identity:
    content = _unread if body is None else lambda: body
    return identify(duplicates or Duplicates(), tenant, to, fields, content)


KNOWN = _identify(KeyFields(feedback_id=FEEDBACK_ID))


def test_the_key_travels_in_an_envelope_id() -> None:
    assert re.fullmatch("[0-9a-f]{32}", KNOWN.key)
    parsed = parse_envelope(envelope_id(0, "abcdefgh", 1, KNOWN.key))
    assert parsed is not None
    assert parsed.key == KNOWN.key


def test_the_digest_never_changes() -> None:
    # Entries live for a week, in ledgers and envelope ids: another digest would forget them all.
    found = _identify(KeyFields(feedback_id=FEEDBACK_ID))
    assert found == Identity(campaign=CAMPAIGN.decode(), key="f221049517e47655c92bbe58a06c86b5")


@pytest.mark.parametrize("spelt", [b'"anna"@gmail.com', b'"an\\na"@GMAIL.com'])
def test_a_recipient_in_quotes_is_the_one_without(spelt: bytes) -> None:
    assert _identify(KeyFields(feedback_id=FEEDBACK_ID), to=(spelt,)) == KNOWN


@pytest.mark.parametrize(
    "fields",
    [
        KeyFields(feedback_id=b"\r\n\t" + FEEDBACK_ID + b" "),
        KeyFields(feedback_id=FEEDBACK_ID, list_unsubscribe=b" <mailto:x@y.example>"),
        KeyFields(feedback_id=FEEDBACK_ID, message_id=b" <new@every.attempt>", subject=b" Hi"),
        KeyFields(list_unsubscribe=LIST_UNSUBSCRIBE),
        KeyFields(list_unsubscribe=LIST_UNSUBSCRIBE.replace(b"/unsub", b"/\r\n unsub")),
        KeyFields(feedback_id=b" other:format", list_unsubscribe=LIST_UNSUBSCRIBE),
        KeyFields(mw_campaign=b" " + CAMPAIGN, mw_subscriber=b"\r\n " + SUBSCRIBER),
        KeyFields(list_unsubscribe=LIST_UNSUBSCRIBE + b", <mailto:" + b"x" * 3000 + b">"),
    ],
)
def test_the_same_ids_make_the_same_key_wherever_they_stand(fields: KeyFields) -> None:
    assert _identify(fields) == KNOWN


@pytest.mark.parametrize(
    "fields",
    [
        KeyFields(),
        KeyFields(message_id=b" <a@b>", subject=b" Your password"),
        KeyFields(feedback_id=b" qw123er456ty7:li123456:cu1"),
        KeyFields(feedback_id=b" qw123er456ty7::li123456:cu1"),
        KeyFields(feedback_id=FEEDBACK_ID + b" " * 2000),
        KeyFields(feedback_id=FEEDBACK_ID + b"\r\nqw"),
        KeyFields(list_unsubscribe=b" <https://m.example/unsubscribe/zx098cv765bn4>"),
        # The campaign goes on where the pattern, or what is looked at, ends.
        KeyFields(list_unsubscribe=b" </lists/li123456/unsubscribe/zx098cv7/" + b"x" * 41 + b">"),
        KeyFields(
            list_unsubscribe=b"<" + b"x" * 1955 + b"/lists/li1234/unsubscribe/zx098cv7/qw123er456>"
        ),
        KeyFields(mw_subscriber=SUBSCRIBER),
        KeyFields(mw_campaign=b"two words", mw_subscriber=SUBSCRIBER),
    ],
)
def test_mail_without_both_ids_has_neither_campaign_nor_key(fields: KeyFields) -> None:
    assert _identify(fields) == Identity(campaign="", key="")


def test_ten_identical_password_resets_are_ten_messages() -> None:
    reset = KeyFields(subject=b" Your password", message_id=b" <same@every.time>")
    assert {_identify(reset).key for _ in range(10)} == {""}


OPTIONAL = Duplicates(feedback_id=r"(?P<campaign>[^:]+)(?::(?P<subscriber>[^:]*))?")


@pytest.mark.parametrize(
    "fields",
    [
        KeyFields(mw_campaign=CAMPAIGN),
        KeyFields(feedback_id=CAMPAIGN),
        KeyFields(feedback_id=CAMPAIGN + b":"),
        # Ids of two fields are not put together.
        KeyFields(feedback_id=CAMPAIGN, mw_subscriber=SUBSCRIBER),
        KeyFields(feedback_id=CAMPAIGN, mw_campaign=b"another123"),
    ],
)
def test_a_campaign_alone_is_reported_but_makes_no_key(fields: KeyFields) -> None:
    assert _identify(fields, OPTIONAL) == Identity(campaign=CAMPAIGN.decode(), key="")


def test_a_field_with_both_ids_goes_before_one_with_the_campaign_alone() -> None:
    fields = KeyFields(feedback_id=b"other", list_unsubscribe=LIST_UNSUBSCRIBE)
    assert _identify(fields, OPTIONAL) == KNOWN


def test_a_campaign_id_of_another_system_is_made_safe_for_the_job_but_not_for_the_key() -> None:
    dashed = _identify(KeyFields(feedback_id=b"2024-05\r\n X:s1"), OPTIONAL)
    plain = _identify(KeyFields(feedback_id=b"202405X:s1"), OPTIONAL)
    assert dashed.campaign == plain.campaign == "202405X"
    assert dashed.key != plain.key
    assert _identify(KeyFields(feedback_id=b"--:s1"), OPTIONAL) == Identity(campaign="", key="")
    assert len(_identify(KeyFields(feedback_id=b"c" * 90), OPTIONAL).campaign) == 64


def test_a_pattern_that_cannot_be_used_finds_nothing() -> None:
    broken = Duplicates(feedback_id="(", list_unsubscribe="(?P<campaign>.*).*(?P<subscriber>.*)")
    fields = KeyFields(feedback_id=FEEDBACK_ID, list_unsubscribe=LIST_UNSUBSCRIBE)
    assert _identify(fields, broken) == Identity(campaign="", key="")
    assert pattern_problem(broken.feedback_id)
    assert pattern_problem(broken.list_unsubscribe)


def test_off_makes_no_key_but_finds_the_campaign() -> None:
    fields = KeyFields(feedback_id=FEEDBACK_ID, message_id=b" <a@b>")
    assert _identify(fields, Duplicates(mode="off")) == Identity(KNOWN.campaign, "")


@pytest.mark.parametrize("value", [b"", b" ", b" <>", b" <a@b> <c@d>", b" <a@b>\r\n <c@d>"])
def test_without_exactly_one_message_id_there_is_no_key(value: bytes) -> None:
    fields = KeyFields(feedback_id=FEEDBACK_ID, message_id=value)
    assert _identify(fields, Duplicates(mode="message-id")).key == ""


def test_by_message_id_the_id_alone_decides() -> None:
    mode = Duplicates(mode="message-id")
    first = _identify(KeyFields(message_id=b" <a@b>", subject=b" one"), mode)
    again = _identify(KeyFields(message_id=b"\r\n <a@b>", feedback_id=FEEDBACK_ID), mode)
    other = _identify(KeyFields(message_id=b" <A@b>"), mode)
    assert first.key == again.key != other.key
    assert again.campaign == KNOWN.campaign


def test_by_content_subject_and_body_decide() -> None:
    mode = Duplicates(mode="content")
    keys = {
        _identify(KeyFields(subject=subject), mode, body=body).key
        for subject in (b" one", b" two", b" on")
        for body in (b"text", b"etext")
    }
    assert len(keys) == 6
    folded = _identify(KeyFields(subject=b"\r\n one", message_id=b"<x>"), mode, body=b"text")
    assert folded == _identify(KeyFields(subject=b" one"), mode, body=b"text")


def test_modes_never_share_a_key() -> None:
    fields = KeyFields(
        message_id=b"x", subject=b"x", mw_campaign=b"abcdef", mw_subscriber=b"abcdef"
    )
    modes = (Duplicates(), Duplicates(mode="message-id"), Duplicates(mode="content"))
    assert len({_identify(fields, mode, body=b"x").key for mode in modes}) == 3


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ((b"a@GMAIL.com",), (b"a@gmail.com",), True),
        ((b"a@gmail.com.",), (b"a@gmail.com",), True),
        (("a@Bücher.example".encode(),), (b"a@xn--bcher-kva.example",), True),
        ((b"a@x.example", b"b@x.example"), (b"b@X.example", b"a@x.example"), True),
        ((b"A@gmail.com",), (b"a@gmail.com",), False),
        ((b"a@x.example",), (b"a@x.example", b"b@x.example"), False),
        ((b'"a@b"@x.example',), (b'"a@B"@x.example',), False),
        ((b"a@\xff.example",), (b"a@\xfe.example",), False),
    ],
)
def test_recipients_are_the_same_by_what_their_server_sees(
    one: tuple[bytes, ...], two: tuple[bytes, ...], same: bool
) -> None:
    fields = KeyFields(feedback_id=FEEDBACK_ID)
    assert (_identify(fields, to=one) == _identify(fields, to=two)) is same


uids = st.from_regex(r"[A-Za-z0-9]{6,8}", fullmatch=True).map(str.encode)
messages = st.tuples(
    st.sampled_from(["acme", "acme1"]),
    st.lists(st.from_regex(r"[a-z0-9]{1,3}@[a-z]{1,2}", fullmatch=True), min_size=1, max_size=3),
    uids,
    uids,
)
Message = tuple[str, list[str], bytes, bytes]


def _key(message: Message) -> str:
    tenant, to, campaign, subscriber = message
    fields = KeyFields(feedback_id=b"%b:%b:l:c" % (campaign, subscriber))
    return _identify(fields, tenant=tenant, to=tuple(t.encode() for t in to)).key


@given(one=messages, two=messages)
def test_two_messages_share_a_key_only_when_all_of_it_is_the_same(
    one: Message, two: Message
) -> None:
    assume((one[0], sorted(one[1]), *one[2:]) != (two[0], sorted(two[1]), *two[2:]))
    assert _key(one) != _key(two)


@given(text=st.text("abcdef0123456789", min_size=14, max_size=24), cut=st.integers(6, 18))
def test_parts_cannot_run_into_each_other(text: str, cut: int) -> None:
    assume(6 <= cut <= len(text) - 7)
    encoded = text.encode()
    one = ("acme", ["a@x"], encoded[:cut], encoded[cut:])
    two = ("acme", ["a@x"], encoded[: cut + 1], encoded[cut + 1 :])
    assert _key(one) != _key(two)


@given(
    feedback_id=st.binary(max_size=80),
    list_unsubscribe=st.binary(max_size=80),
    mw=st.binary(max_size=20),
    message_id=st.binary(max_size=30),
    to=st.binary(max_size=30),
    mode=st.sampled_from(["campaign", "message-id", "content", "off"]),
)
def test_any_octets_make_a_safe_identity(
    feedback_id: bytes, list_unsubscribe: bytes, mw: bytes, message_id: bytes, to: bytes, mode: str
) -> None:
    fields = KeyFields(feedback_id, list_unsubscribe, mw, mw, message_id, mw)
    duplicates = Duplicates(mode=mode, feedback_id=OPTIONAL.feedback_id)  # type: ignore[arg-type]
    found = identify(duplicates, "acme", [to], fields, bytes)
    assert re.fullmatch("[A-Za-z0-9]{0,64}", found.campaign)
    assert re.fullmatch("([0-9a-f]{32})?", found.key)
