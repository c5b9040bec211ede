"""Parameters of a query, as structs of what is asked have them.

A list is asked for by the fields of one struct: the API reads and describes its parameters from
it, and the command that shows the list has its options from it (`control/terminal/options.py`).
"""

from typing import Annotated

import msgspec

from control.problem import quoted

MOST = 1_000
"""Entries of one part of a list."""
LAST = 1 << 60

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
"""Those that no text of a request may have, as in a regular expression."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Seen = Annotated[int, msgspec.Meta(ge=0, le=LAST)]
"""The number of an entry that was seen."""
FoundText = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST)]
"""A text that is only searched for."""

FLAG = msgspec.Meta(extra={"flag": True})
"""Of a bool: on a command line it is said or not, and has no `--no-`."""
YES = ("1", "true", "yes")
NO = ("0", "false", "no")
"""What a bool of a query may be."""


def flag(text: str) -> bool:
    """A bool of a query. Raises ValueError with a sentence."""
    if text not in YES + NO:
        raise ValueError(f"expected {' or '.join(YES + NO)}, not {quoted(text)}")
    return text in YES
