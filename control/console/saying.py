"""A value of a thing as a sentence has it."""

from typing import Any

from control.values.inert import inert

LONGEST = 120
"""Characters of one."""


def saying(value: Any) -> str:
    """A value as a sentence has it. Pure."""
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = inert(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
