"""What a body, a name and the document say of forms is the same."""

import re
import sys
import unicodedata
from typing import Any, ClassVar

import msgspec
import pytest

from control.api import body, together
from control.problem import RefusedError
from control.values.name import PRINTED, UNPRINTABLE, printable
from tests.support.control.schema import Judge


class Counted(msgspec.Struct, kw_only=True):
    number: int = 0
    share: float = 0.0
    deep: list[dict[str, int]] = []


@pytest.mark.parametrize("text", ["292.0", "2.92e2", "29200e-2", "292"])
def test_a_whole_number_is_one_however_it_is_written(text: str) -> None:
    sent = f'{{"number": {text}, "share": {text}, "deep": [{{"a": {text}}}]}}'
    found = body.decode(sent.encode(), Counted)
    assert (found.number, found.share, found.deep) == (292, 292.0, [{"a": 292}])
    assert type(found.number) is int


@pytest.mark.parametrize("text", ["292.5", "1e300", "true", '"292"'])
def test_what_is_no_whole_number_is_still_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="a field is wrong"):
        body.decode(f'{{"number": {text}}}'.encode(), Counted)


def test_what_is_not_seen_is_listed_whole_and_what_has_no_name_yet_is_none_of_it() -> None:
    wrong = [
        f"U+{ord(char):04X}"
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(char) != "Cn" and printable(char) != char.isprintable()
    ]
    assert wrong == []
    assert printable("\u0378\U0001fae8 é") or unicodedata.category("\u0378") != "Cn"
    pattern = str((PRINTED.extra_json_schema or {})["pattern"])
    assert re.search(pattern, "é \U0001f600")
    assert not re.search(pattern, "a\u202eb")
    assert UNPRINTABLE in pattern


class AtLeastOne(msgspec.Struct, kw_only=True):
    a: str | None = None
    of_b: str | None = msgspec.field(default=None, name="b")
    one_of: ClassVar = ("a", "of_b")


class OneAlone(AtLeastOne, kw_only=True):
    only_one: ClassVar = True


@pytest.mark.parametrize(
    ("kind", "value", "right"),
    [
        (AtLeastOne, {}, False),
        (AtLeastOne, {"a": None, "b": None}, False),
        (AtLeastOne, {"a": "x"}, True),
        (AtLeastOne, {"b": "x", "a": None}, True),
        (AtLeastOne, {"a": "x", "b": "y"}, True),
        (OneAlone, {"a": "x"}, True),
        (OneAlone, {"a": "x", "b": None}, True),
        (OneAlone, {"a": "x", "b": "y"}, False),
        (OneAlone, {}, False),
    ],
)
def test_fields_that_belong_together_are_said(kind: Any, value: Any, right: bool) -> None:
    _, components = msgspec.json.schema_components([kind])
    schema = components[kind.__name__]
    together.say(schema, kind)
    assert Judge({"components": {"schemas": components}}).takes(schema, value) == right


def test_a_struct_that_says_nothing_of_it_stays_as_it_is() -> None:
    schema: dict[str, Any] = {"type": "object"}
    together.say(schema, Counted)
    assert schema == {"type": "object"}
