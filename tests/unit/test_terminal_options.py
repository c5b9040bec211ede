"""An option reads its field's type, whatever is said of the values beside it."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from control.terminal.options import of

SCHEMA = msgspec.Meta(extra_json_schema={"propertyNames": {"enum": ["gmail", "yahoo"]}})
FEW = msgspec.Meta(max_length=2)
WORD = msgspec.Meta(description="A word.")


class Wanted(msgspec.Struct):
    plain: dict[str, int] | Literal["plan"] | None = None
    bounded: Annotated[Annotated[dict[str, int], SCHEMA] | Literal["plan"] | None, WORD] = None
    listed: Annotated[Annotated[list[str], FEW] | None, WORD] = None
    chosen: Annotated[Annotated[Literal["a", "b"], SCHEMA] | list[int] | None, WORD] = None


OPTIONS = of(Wanted)


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("plain", ["gmail=2", "yahoo=4"], {"gmail": 2, "yahoo": 4}),
        ("bounded", ["gmail=2", "yahoo=4"], {"gmail": 2, "yahoo": 4}),
        ("bounded", ["plan"], "plan"),
        ("listed", ["x", "y"], ["x", "y"]),
        ("chosen", ["b"], "b"),
        ("chosen", ["1", "2"], [1, 2]),
    ],
)
def test_what_may_be_repeated_is_read_whole(field: str, given: list[str], value: Any) -> None:
    option = OPTIONS[field]
    assert option.many
    assert option.read(given) == value


def test_a_bound_of_the_collection_is_told() -> None:
    with pytest.raises(Exception, match="--listed"):
        OPTIONS["listed"].read(["x", "y", "z"])
