"""What is wrong with a value, in words of who wrote it."""

from typing import Annotated

import msgspec
import pytest

from control.progress.view import QuotaQuery
from control.values.wording import wrong

Form = Annotated[str, msgspec.Meta(pattern=r"^[^/\x00-\x1f]+/.+$")]


def test_no_regular_expression_is_told_to_anybody() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert("zzz", Form)
    said = wrong(caught.value, Form, "zzz")
    assert said == "expected text of another form: the API's document describes it"


def test_nor_of_where_a_page_ended() -> None:
    kind = next(f.type for f in msgspec.structs.fields(QuotaQuery) if f.name == "after")
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert("zzz", kind)
    assert "regex" not in wrong(caught.value, kind, "zzz")
