"""PowerMTA's configuration as people write it: read, and printed."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.pmta.grammar.node import (
    PATTERN,
    Block,
    Comment,
    File,
    Include,
    Line,
    Node,
    Place,
    flat,
)
from control.pmta.grammar.parse import Parsed, parse
from control.pmta.grammar.printing import printed

_NOWHERE = Place("", 0)


def _none(argument: str, file: str) -> list[str]:
    return []


def read(text: str, **more: str) -> Parsed:
    """As the file `config`; further files by their names with `_` for the dot."""
    texts = {"config": text} | {name.replace("_", "."): body for name, body in more.items()}

    def opened(argument: str, file: str) -> list[str]:
        pattern = re.escape(argument).replace(r"\*", ".*")
        return sorted(name for name in texts if re.fullmatch(pattern, name))

    return parse("config", texts, opened)


def whys(parsed: Parsed) -> list[tuple[int, str]]:
    return [(fault.place.line, fault.why) for fault in parsed.faults]


def test_a_block_with_tabs_cr_and_comments_is_read() -> None:
    text = (
        "\ufeff# main\r\n<Virtual-MTA\tvmta1> # first\r\n"
        "\tsmtp-source-host\t192.0.2.1  a.example\r\n</virtual-mta>\r\n"
    )
    found = read(text)
    assert not found.faults
    (comment, block) = found.file.inside
    assert isinstance(comment, Comment)
    assert isinstance(block, Block)
    assert (block.tag, block.argument, block.comment) == ("virtual-mta", "vmta1", "first")
    assert block.place == Place("config", 2)
    (line,) = block.inside
    assert line == Line(
        place=Place("config", 3), name="smtp-source-host", argument="192.0.2.1  a.example"
    )


def test_patterns_stand_on_one_line_again() -> None:
    text = (
        "<smtp-pattern-list a>\n    reply /421 4\\.7\\.0\n      \\[TS/ mode=backoff\n"
        "    reply /x/ mode=normal\n</smtp-pattern-list>\n"
    )
    found = read(text)
    assert not found.faults
    block = found.file.inside[0]
    assert isinstance(block, Block)
    first, second = block.inside
    assert isinstance(first, Line)
    assert first.argument == "/421 4\\.7\\.0\\[TS/ mode=backoff"
    assert first.mended == "its pattern stood on 2 lines"
    assert isinstance(second, Line)
    assert (second.place.line, second.mended) == (4, "")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("<domain *>\nmax-smtp-out 1\n", 1, "</domain>"),
        ("</domain>\n", 1, "closes nothing"),
        ("<domain *>\n<source 0/0>\n</domain>\n", 2, "</source>"),
        ("<domain *\nmax-smtp-out 2\n", 1, "no block"),
        ('password "a#b"\n', 1, "quote"),
        ("<a>\nreply /no # such/ mode=backoff\n</a>\n", 2, r"\x23"),
        ("<a>\nreply /no end\n</a>\n", 2, "no end"),
        ("smtp-source-host {{ip}} {{host}}\n", 1, "{{ip}}"),
        ("host-name a\0b\n", 1, "control characters"),
        ("= 5\n", 1, "directive"),
        ("include lost.conf\n", 1, "no such file"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int, says: str) -> None:
    found = whys(read(text))
    assert len(found) == 1, found
    assert found[0][0] == line
    assert says in found[0][1]


def test_a_quote_inside_a_pattern_is_none() -> None:
    found = read('reply /said "no/ mode=backoff\n')
    assert not found.faults
    assert printed(found.file.inside) == 'reply /said "no/ mode=backoff\n'


def test_a_block_that_a_template_left_open_is_one_fault() -> None:
    assert len(read("<virtual-mta {{name}}>\nhost-name a.example\n</virtual-mta>\n").faults) == 1


def test_reading_goes_on_behind_a_fault() -> None:
    found = read("</x>\nhost-name a.example\n</y>\npostmaster p@a.example\n")
    assert [line for line, _ in whys(found)] == [1, 3]
    assert [node.name for node in found.file.inside if isinstance(node, Line)] == [
        "host-name",
        "postmaster",
    ]


def test_includes_are_read_where_they_stand() -> None:
    found = read("<domain *>\ninclude d*.conf\n</domain>\n", d1_conf="a 1\n", d2_conf="b 2\n}\n")
    block = found.file.inside[0]
    assert isinstance(block, Block)
    (include,) = block.inside
    assert isinstance(include, Include)
    assert [file.name for file in include.files] == ["d1.conf", "d2.conf"]
    assert [node.name for node in flat(block.inside) if isinstance(node, Line)] == ["a", "b"]
    assert found.faults[0].place == Place("d2.conf", 2)


def test_a_file_that_includes_itself_is_told() -> None:
    found = read("include a.conf\n", a_conf="include config\n")
    assert whys(found) == [(1, "it includes itself")]


def test_a_nested_pattern_list_is_a_block() -> None:
    text = (
        "<pattern-list a>\n    mail-from /x/ <pattern-list>\n"
        "        header To /y/ virtual-mta=b\n    </pattern-list>\n</pattern-list>\n"
    )
    found = read(text)
    assert not found.faults
    assert printed(found.file.inside) == text


_WORD = st.from_regex(r"[a-z][a-z0-9-]{0,11}", fullmatch=True)
_VALUE = st.from_regex(
    r'(?:[A-Za-z0-9_.:,*@=/-]{1,12}|"[A-Za-z ]{0,9}")(?: [A-Za-z0-9_.:,*@=-]{1,12}){0,2}',
    fullmatch=True,
).filter(lambda text: not text.startswith("/") and "%%" not in text)
_REMARK = st.one_of(st.just(""), st.from_regex(r"[a-z][a-z #]{0,9}[a-z]", fullmatch=True))
_REGEX = st.from_regex(r"/(?:[a-z .^$()|-]|\\[./d]){1,20}/", fullmatch=True)


def _lines() -> st.SearchStrategy[Node]:
    plain = st.builds(
        Line, place=st.just(_NOWHERE), name=_WORD, argument=_VALUE, comment=_REMARK
    ).filter(lambda line: line.name not in ("include", "reply", "mail-from", "rcpt-to", "address"))
    pattern = st.builds(
        Line,
        place=st.just(_NOWHERE),
        name=st.just(PATTERN),
        argument=st.builds("{} {}".format, _REGEX, _WORD),
        comment=_REMARK,
    )
    reply = st.builds(
        Line,
        place=st.just(_NOWHERE),
        name=st.just("reply"),
        argument=st.builds("{} {}".format, _REGEX, _WORD),
    )
    comment = st.builds(Comment, place=st.just(_NOWHERE), text=_REMARK)
    return st.one_of(plain, pattern, reply, comment)


_NODES = st.recursive(
    st.lists(_lines(), max_size=4).map(tuple),
    lambda inner: st.lists(
        st.one_of(
            _lines(),
            st.builds(
                Block,
                place=st.just(_NOWHERE),
                tag=_WORD,
                argument=st.one_of(st.just(""), _VALUE),
                comment=_REMARK,
                inside=inner,
            ),
        ),
        max_size=4,
    ).map(tuple),
    max_leaves=20,
)


def _placeless(nodes: tuple[Node, ...]) -> object:
    """Without places."""
    builtin = msgspec.to_builtins(nodes)

    def without(value: object) -> object:
        if isinstance(value, dict):
            return {key: without(one) for key, one in value.items() if key != "place"}
        if isinstance(value, list | tuple):
            return [without(one) for one in value]
        return value

    return without(builtin)


@given(_NODES)
def test_what_is_printed_reads_back_as_the_same(nodes: tuple[Node, ...]) -> None:
    text = printed(nodes)
    found = read(text)
    assert not found.faults
    assert _placeless(found.file.inside) == _placeless(nodes)
    assert printed(found.file.inside) == text


@given(st.text(max_size=300))
def test_any_text_is_read_and_what_was_understood_is_stable(text: str) -> None:
    found = parse("config", {"config": text}, _none)
    again = printed(found.file.inside)
    once = parse("config", {"config": again}, _none)
    assert printed(once.file.inside) == again


@given(
    st.lists(
        st.sampled_from(
            [
                "<a>",
                "</a>",
                "<b x>",
                "</b>",
                "reply /x",
                "y/ z",
                "/q/ w",
                "#",
                '"',
                "include z",
                "mx /a/ <pattern-list>",
                "<pattern-list>",
                "</pattern-list>",
                "{{x}}",
                "k v # c",
            ]
        ),
        max_size=20,
    )
)
def test_any_order_of_parts_is_read(parts: list[str]) -> None:
    found = parse("config", {"config": "\n".join(parts)}, _none)
    again = printed(found.file.inside)
    assert printed(parse("config", {"config": again}, _none).file.inside) == again


def test_a_file_is_what_it_was_called() -> None:
    assert read("").file == File(name="config")
