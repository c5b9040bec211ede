"""Content in any blocks: the end is where a line-by-line reading finds it, a stamped header block
has our fields once and everything of the tenant's that it may keep, octet for octet."""

import re
from itertools import pairwise

from hypothesis import event, given
from hypothesis import strategies as st

from gateway.message.headers import STRIPPED, Header, scan, split
from gateway.message.stamp import stamp
from gateway.session.datareader import DataReader
from tests.fuzz.budget import budget
from tests.fuzz.reference import LARGEST, LONGEST_CONTENT_LINE, content_of, refusal_of

FRAGMENTS = [
    b"\r\n.\r\n", b"\r\n.", b"\r\n", b"\r", b"\n", b".", b"..", b"\x00", b"x", b"\n.\n", b"\r.\r",
    b"\n.\r\n", b"\r\n.\n", b"\r\r\n", b"y" * (LONGEST_CONTENT_LINE - 2), b"z" * 900, b" ", b"\xff",
]  # fmt: skip
octets = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=3)), max_size=16)


@budget()
@given(parts=octets, cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_the_end_of_data_and_what_is_refused_do_not_depend_on_the_blocks(
    parts: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(parts) + b"\r\n.\r\nNOOP\r\n"
    content, behind, whole = content_of(stream)
    assert whole
    reader = DataReader(LARGEST, LONGEST_CONTENT_LINE)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    rest = None
    for start, end in pairwise(edges):
        if rest is not None:
            rest += stream[start:end]
            continue
        rest = reader.feed(stream[start:end])
    assert rest == behind
    problem = reader.refusal or reader.problem()
    assert (problem.code if problem else 0) == refusal_of(content)
    if problem is None:
        assert reader.take() == content
    event("refused" if problem else "sound")


NAMES = [
    *STRIPPED, *(name.upper() for name in STRIPPED), b"X-Virtual-MTA", b"From", b"Subject", b"To",
    b"X-Virtual-MTA2", b"XX-Virtual-MTA", b"X-Virtual", b"DKIM-Signature", b"X-Job-Id", b"",
    b".X-Virtual-MTA", b"..X-Virtual-MTA", b".x-envid", b" X-Virtual-MTA", b"\tX-Job", b".",
    b"garbage", b"\xc2\xa0X-Virtual-MTA", b"X-Virtual-MTA\xc2\xa0", b"\x0bX-Job", b".\tX-Job",
]  # fmt: skip
BEFORE_COLON = [
    b":", b":", b":", b" :", b"\t:", b" \t :", b"\x0b:", b"\r\n :", b"\r\n\t:", b"\r\n.:",
    b"\r\n. :", b"\r\n \r\n :", b"", b"\xa0:", b"::",
]  # fmt: skip
VALUES = [b" evil", b"", b" a\r\n b", b"\r\n evil", b" a\r\n\tb\r\n c", b" a: b", b" x\r\n. folded",
          b" \r\n \r\n x", b" X-Virtual-MTA: evil", b"\xff", b" a\r\n.\tb", b"\r\n..x"]  # fmt: skip
fields = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(BEFORE_COLON), st.sampled_from(VALUES)
).map(lambda parts: b"".join(parts) + b"\r\n")
lines = st.one_of(fields, fields, st.binary(max_size=5).map(lambda line: line + b"\r\n"))
blocks = st.tuples(
    st.lists(lines, max_size=8),
    st.sampled_from([b"\r\n", b"\r\nbody\r\n", b"", b"\r\nX-Virtual-MTA: body\r\n\r\n..x\r\n"]),
)


def fields_of(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """A strict reader's fields, (lower-case name, all its octets) with "" for lines that are none,
    and the body; `message` without dot-stuffing."""
    found: list[tuple[bytes, bytes]] = []
    rest = message
    while rest:
        line, ending, rest = rest.partition(b"\r\n")
        if not line:
            break
        if line[:1] in (b" ", b"\t") and found:
            found[-1] = (found[-1][0], found[-1][1] + line + ending)
        else:
            found.append((b"", line + ending))
    named = []
    for _, raw in found:
        unfolded = re.sub(rb"\r\n(?=[ \t])", b"", raw)
        # RFC 5322 3.6.8 and 4.5.8: printable US-ASCII, blanks before the colon in old mail.
        name = re.match(rb"([!-9;-~]+)[ \t\v\f]*:", unfolded)
        named.append((name[1].lower() if name else b"", raw))
    return named, rest


def unstuffed(content: bytes) -> bytes:
    return re.sub(rb"(?:\A|(?<=\r\n))\.", b"", content)


@budget()
@given(block=blocks)
def test_a_stamped_block_has_our_fields_once_and_keeps_all_others(
    block: tuple[list[bytes], bytes],
) -> None:
    content = b"".join(block[0]) + block[1]
    content = content_of(content + b"\r\n.\r\n")[0]
    if refusal_of(content):
        return
    head, body = split(content)
    assert head + body == content
    header = scan(head, 100_000)
    if not isinstance(header, Header):
        event("refused")
        return
    sent = stamp(header.kept, vmta="vmta-1", job="job-1", envelope="env-1") + body
    assert content_of(sent + b".\r\n")[2], "the dot that ends it is found"
    assert content_of(sent + b".\r\n")[0] == sent, "and no other one"
    before, body_before = fields_of(unstuffed(content))
    after, body_after = fields_of(unstuffed(sent))
    assert [raw for _, raw in after[:3]] == [
        b"x-virtual-mta: vmta-1\r\n", b"x-job: job-1\r\n", b"x-envid: env-1\r\n",
    ]  # fmt: skip
    assert [name for name, _ in after[3:] if name in STRIPPED] == []
    assert after[3:] == [field for field in before if field[0] not in STRIPPED]
    assert body_after == body_before
    event(f"{min(header.stripped, 3)} stripped")
