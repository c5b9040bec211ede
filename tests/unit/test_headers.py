"""One pass over the header: what is stripped, what is read, what is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.message.headers import STRIPPED, Header, scan, split
from gateway.message.stamp import stamp
from policy.duplicate import KeyFields
from policy.reply import Reply


def scanned(head: bytes) -> Header:
    found = scan(head, 100_000)
    assert isinstance(found, Header)
    return found


@pytest.mark.parametrize("name", STRIPPED)
@pytest.mark.parametrize(
    "shape",
    [b"%s: v\r\n", b"%s:v\r\n", b"%s : v\r\n", b"%s\t:\r\n", b"%s:\r\n folded\r\n\tmore\r\n",
     b"%s\r\n : v\r\n", b".%s: v\r\n", b"bad line\r\n%s: v\r\n", b"%s: a\r\n%s: b\r\n"],
)  # fmt: skip
def test_powermtas_own_fields_are_stripped_in_any_shape(name: bytes, shape: bytes) -> None:
    for spelt in (name, name.upper(), name.title()):
        head = b"A: 1\r\n" + shape.replace(b"%s", spelt) + b"B: 2\r\n\r\n"
        found = scanned(head)
        assert found.stripped >= 1
        kept = found.kept.replace(b"bad line\r\n", b"")
        assert kept == b"A: 1\r\nB: 2\r\n\r\n"


def test_lines_are_read_with_their_dots_unstuffed() -> None:
    """On the wire `. x` is ` x` at PowerMTA: a fold, and a way past a careless reader."""
    folded = scanned(b"X-Job: a\r\n. evil\r\nFrom: a@x.test\r\n. <b@y.test>\r\n\r\n")
    assert folded.kept == b"From: a@x.test\r\n <b@y.test>\r\n\r\n"
    assert folded.from_values == (b" a@x.test\r\n <b@y.test>",)
    assert isinstance(scan(b". evil: 1\r\n\r\n", 1000), Reply)
    assert scanned(b"X-Virtual-MTA\r\n. : v\r\nA: 1\r\n\r\n").kept == b"A: 1\r\n\r\n"
    # What was stuffed as it should be goes on as it came.
    dotted = b"A: 1\r\n..hidden: text\r\nX-Job: 1\r\n\r\n"
    assert scanned(dotted).kept == b"A: 1\r\n..hidden: text\r\n\r\n"


def test_what_only_looks_like_them_stays() -> None:
    head = (
        b"X-Virtual-MTA-Note: x\r\nSubject: a\r\n x-virtual-mta: folded, so it is text\r\n"
        b"My-X-Job: 1\r\nX-Jobs: 2\r\n\r\n"
    )
    assert scanned(head).kept == head


def test_the_fields_that_decide_are_read() -> None:
    head = (
        b"from: Anna\r\n <a@x.test>\r\nFEEDBACK-ID: camp12:sub123:list:cust\r\n"
        b"List-Unsubscribe: <https://u.test>\r\n\r\n"
    )
    found = scanned(head)
    assert found.from_values == (b" Anna\r\n <a@x.test>",)
    assert found.key_fields.feedback_id == b" camp12:sub123:list:cust"
    assert found.key_fields.list_unsubscribe.strip() == b"<https://u.test>"
    assert found.bulk


def test_a_message_id_that_occurs_twice_names_nothing() -> None:
    once, twice = b"Message-ID: <1@x.test>\r\n", b"message-id: <2@x.test>\r\n"
    assert scanned(once + b"\r\n").message_id == "<1@x.test>"
    assert scanned(once + twice + b"\r\n").message_id == ""
    assert scanned(once + twice + b"\r\n").key_fields.message_id == b""


def test_mail_without_list_fields_is_not_bulk() -> None:
    assert not scanned(b"Subject: your password\r\n\r\n").bulk
    assert scanned(b"PRECEDENCE: bulk\r\n\r\n").bulk


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b".\xef\xbb\xbf"])
def test_a_dot_behind_a_bom_ends_no_header(bom: bytes) -> None:
    """The BOM hides it from the reader of DATA; PowerMTA would find an empty line there, below our
    fields, and all that we read in the text of the message."""
    head, _ = split(bom + b".\r\nFrom: a@x.test\r\nX-Job: 1\r\n\r\nbody\r\n")
    found = scan(head, 1000)
    assert isinstance(found, Reply)
    assert found.text == "the header begins with an empty line"
    head, _ = split(bom + b"From: a@x.test\r\n\r\n")
    assert scanned(head).from_values == (b" a@x.test",)
    # What is no lone dot is a field, or none, as everywhere.
    assert scanned(split(bom + b".From: a@x.test\r\n\r\n")[0]).from_values == (b" a@x.test",)


@pytest.mark.parametrize("line", [b"From x", b">From x", b">>From a@y.test Thu Jan  1 00:00:00"])
@pytest.mark.parametrize("before", [b"", b"From z\r\n", b".From z\r\n"])
def test_mbox_lines_are_found_whether_stuffed_or_not(line: bytes, before: bytes) -> None:
    rest = b"From: a@x.test\r\n..dots: 1\r\n\r\n"
    found = scanned(before + line + b"\r\n" + rest)
    assert scanned(before + b"." + line + b"\r\n" + rest) == found
    shown = before.removeprefix(b".") + line + b"\r\n"
    expected = b"".join(b"X-Mailbox-Line: " + one for one in shown.splitlines(keepends=True))
    assert found.kept == expected + rest
    assert found.from_values == (b" a@x.test",)


def test_header_and_body_are_split_at_the_first_empty_line() -> None:
    assert split(b"A: 1\r\n\r\nbody\r\n\r\nmore\r\n") == (b"A: 1\r\n\r\n", b"body\r\n\r\nmore\r\n")
    assert split(b"\r\nbody\r\n") == (b"\r\n", b"body\r\n")
    assert split(b"A: 1\r\n") == (b"A: 1\r\n", b"")


def test_a_header_that_would_grow_ours_is_refused() -> None:
    for head in (b" X: 1\r\n\r\n", b"\tX: 1\r\n\r\n"):
        assert isinstance(scan(head, 1000), Reply)
    assert isinstance(scan(b"A: " + b"x" * 1000 + b"\r\n\r\n", 1000), Reply)


def test_ours_go_on_top_and_nothing_else_changes() -> None:
    kept = b"DKIM-Signature: v=1\r\nFrom: a@x.test\r\n\r\n"
    stamped = stamp(kept, vmta="vmta-7", job="camp12", envelope="20779-abc.1")
    assert stamped == (b"x-virtual-mta: vmta-7\r\nx-job: camp12\r\nx-envid: 20779-abc.1\r\n" + kept)
    assert b"x-job" not in stamp(kept, vmta="v", job="", envelope="e")


_line = st.text(alphabet=st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)


@given(
    st.lists(st.one_of(_line, st.sampled_from(["X-Job: 1", "x-envid :2", " fold"])), max_size=12)
)
def test_no_header_of_powermtas_survives(lines: list[str]) -> None:
    head = b"A: 1\r\n" + b"".join(line.encode("latin-1") + b"\r\n" for line in lines if line)
    found = scan(head + b"\r\n", 100_000)
    assert isinstance(found, Header)
    assert isinstance(again := scan(found.kept, 100_000), Header)
    assert again.stripped == 0


_name = st.sampled_from(
    [*STRIPPED, b"from", b"feedback-id", b"list-unsubscribe", b"x-mw-campaign-uid", b"message-id",
     b"precedence", b"received", b"subject", b"x-jobs", b"x", b"to", b"x-mw-", b"fro", b""]
)  # fmt: skip
_spelt = st.builds(
    lambda name, shape: shape(name),
    _name,
    st.sampled_from([bytes.upper, bytes.title, bytes.lower, lambda name: b"." + name]),
)
_blanks = st.sampled_from([b"", b" ", b"\t\v", b"\r\n ", b" \r\n\t\f", b"\r\n. "])
_value = st.lists(
    st.sampled_from(
        [b"a", b" ", b"<a@x.test>", b":", b"\r\n ", b"\r\n\t", b".", b"\r\n. ", b"\xe9"]
    ),
    max_size=5,
).map(b"".join)
_wild_line = st.one_of(
    st.builds(
        lambda *parts: b"".join(parts), _spelt, _blanks, st.sampled_from([b":", b""]), _value
    ),
    st.sampled_from([b"", b".", b"..", b"text", b" fold", b": x"]),
    st.sampled_from([b"From x", b".From x", b".>From x", b">.From x", b"From : a@x.test"]),
)


def _by_hand(head: bytes) -> Header | None:
    """The same, field by field; None where the block is refused."""
    # A dot after an LF alone is no stuffing, but no such block is made here.
    stuffed = head.startswith(b".") or b"\r\n." in head
    head = b"\r\n".join(line.removeprefix(b".") for line in head.split(b"\r\n"))
    if stuffed and head.startswith(b"\r\n"):
        return None
    box = b""
    while head.startswith((b"From ", b">")):
        line, _, rest = head.partition(b"\r\n")
        text = line.lstrip(b">")
        if not text.startswith(b"From ") or text[5:].lstrip(b" \t").startswith(b":"):
            break
        box, head = box + b"X-Mailbox-Line: " + line + b"\r\n", rest
    head = box + head
    lines = head.split(b"\r\n")
    if head.startswith((b" ", b"\t")):
        return None
    fields: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and line and fields:
            fields[-1].append(line)
        else:
            fields.append([line])
    kept: list[bytes] = []
    stripped = 0
    values: dict[bytes, list[bytes]] = {}
    for field in fields:
        whole = b"\r\n".join(field)
        name, colon, value = whole.partition(b":")
        bare = name.replace(b"\r\n", b"").rstrip(b" \t\v\f").lower()
        # Only blanks and folds may stand between a name and its colon.
        plain = name.lower().startswith(bare) and not name[len(bare) :].strip(b" \t\v\f\r\n")
        if colon and plain and bare in STRIPPED:
            stripped += 1
        else:
            kept += field
            if colon and plain:
                values.setdefault(bare, []).append(value)
    if stuffed:
        kept = [b"." + line if line.startswith(b".") else line for line in kept]
    one = values.get(b"message-id", [])
    identifier = one[0] if len(one) == 1 else b""
    return Header(
        kept=b"\r\n".join(kept),
        stripped=stripped,
        from_values=tuple(values.get(b"from", ())),
        key_fields=KeyFields(
            *(values.get(name, [b""])[0] for name in (
                b"feedback-id", b"list-unsubscribe", b"x-mw-campaign-uid", b"x-mw-subscriber-uid"
            )),
            message_id=identifier,
            subject=values.get(b"subject", [b""])[0],
        ),
        message_id=identifier.decode("utf-8", "replace").strip(),
        bulk=b"precedence" in values or b"list-unsubscribe" in values,
        hops=len(values.get(b"received", ())),
    )  # fmt: skip


@settings(max_examples=500)
@given(st.lists(_wild_line, max_size=10).map(lambda lines: b"".join(x + b"\r\n" for x in lines)))
def test_one_pass_reads_what_a_reading_field_by_field_does(block: bytes) -> None:
    head, _ = split(block + b"\r\n")
    found = scan(head, 100_000)
    assert (None if isinstance(found, Reply) else found) == _by_hand(head)


@given(st.lists(_wild_line, max_size=6), st.sampled_from([b"\r", b"\n"]))
def test_where_a_cr_or_an_lf_stands_alone_nothing_of_powermtas_survives(
    lines: list[bytes], end: bytes
) -> None:
    """The reader of DATA refuses such content; nobody is to depend on that here."""
    block = b"A: 1\r\nX-Job: 1" + end + b"B: 2\r\n" + end.join(lines)
    found = scan(block, 100_000)
    assert isinstance(found, Header)
    assert b"x-job: 1" not in found.kept.lower()
    assert found.stripped
