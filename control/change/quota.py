"""How a quota is written by people: a number, `unlimited`, or `plan`."""

import re
from typing import Annotated

import msgspec

QuotaText = (
    Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
    | Annotated[str, msgspec.Meta(pattern=r"^(unlimited|plan|[0-9]{1,9})$")]
)


def quota_columns(quota: int | str) -> tuple[str, int | None]:
    """(quota_source, fixed_quota) of `virtual_mta`."""
    if isinstance(quota, int) or re.fullmatch("[0-9]+", quota):
        return "fixed", int(quota)
    return quota, None
