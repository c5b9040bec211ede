"""How a quota is written by people: a number, `unlimited`, or `plan`."""

from typing import Annotated

import msgspec

from control.problem import bad

LARGEST = 1_000_000_000

QuotaText = (
    Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": LARGEST})]
    | Annotated[
        str,
        msgspec.Meta(
            extra_json_schema={"pattern": "^(?:0*(?:[0-9]{1,9}|1000000000)|unlimited|plan)$"}
        ),
    ]
)
"""Recipients a day from 0 to 1,000,000,000, as a number or as text, or `unlimited`, or `plan`."""


def quota_columns(quota: QuotaText) -> tuple[str, int | None]:
    """(quota_source, fixed_quota) of `virtual_mta`. Raises RefusedError."""
    if quota in ("unlimited", "plan"):
        return str(quota), None
    digits = str(quota)
    if not (digits.isascii() and digits.isdigit()) or int(digits) > LARGEST:
        raise bad("quota", f"{quota} is neither a number from 0 to {LARGEST:,}, unlimited nor plan")
    return "fixed", int(digits)
