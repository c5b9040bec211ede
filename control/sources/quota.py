"""How a quota is written by people: a number, `unlimited`, or `plan`."""

from control.problem import bad

LARGEST = 1_000_000_000

QuotaText = int | str
"""Recipients a day from 0 to 1,000,000,000, as a number or as text, or `unlimited`, or `plan`."""


def quota_columns(quota: QuotaText) -> tuple[str, int | None]:
    """(quota_source, fixed_quota) of `virtual_mta`. Raises RefusedError."""
    if quota in ("unlimited", "plan"):
        return str(quota), None
    digits = str(quota)
    if not (digits.isascii() and digits.isdigit()) or int(digits) > LARGEST:
        raise bad("quota", f"{quota} is neither a number from 0 to {LARGEST:,}, unlimited nor plan")
    return "fixed", int(digits)
