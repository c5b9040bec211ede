"""Names of new tenants, pools, VirtualMTAs and servers, and of logins."""

import re
from typing import Annotated

import msgspec

from control.problem import bad, quoted
from policy.model import Name

RESERVED = frozenset(
    {
        # Words that commands, paths and answers use for something else.
        *("all", "any", "default", "new", "none", "null", "plan", "unlimited"),
        # PowerMTA's: the value of `x-virtual-mta` by which it chooses one itself.
        "by-smtp-source-ip",
    }
)

_NOT_NEW = "|".join(
    "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in word) for word in sorted(RESERVED)
)
NewName = Annotated[
    Name, msgspec.Meta(extra_json_schema={"not": {"pattern": f"^(?:[0-9]+|{_NOT_NEW})$"}})
]
"""One that is to be given now."""

_ASTRAL = (
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f\U000f0000-\U0010fffd"
)
"""As they are: JavaScript writes them otherwise than Python where they are escaped."""
UNPRINTABLE = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000\ud800-\uf8ff\ufeff\ufff9-\ufffb"
    + _ASTRAL
)
"""Blanks but for the usual one, and what is not seen. Characters that have no name yet are none of
them: which these are differs from one version of Unicode, and so of Python, to the next, and a
password with an emoji of this year must not depend on it."""
_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]")


def printable(text: str) -> bool:
    """Whether all of it is seen; the usual blank is."""
    return _UNPRINTABLE.search(text) is None


PRINTED = msgspec.Meta(extra_json_schema={"pattern": f"^[^{UNPRINTABLE}]*$"})
"""Of a text that is printable, or empty."""

LoginText = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
"""One that may be there already, whatever was allowed when it came."""

LoginName = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=255, extra_json_schema={"pattern": f"^[^ {UNPRINTABLE}]+$"}
    ),
]


def new_name(field: str, name: Name) -> Name:
    """A name that is to be given now; those that are there stay. Raises RefusedError."""
    if name.lower() in RESERVED:
        raise bad(field, f"{name} is a word with a meaning of its own; choose another name")
    if name.isdigit():
        raise bad(field, f"{name} would be read as an id: put a letter into the name")
    return name


def login_name(field: str, name: str) -> str:
    """Raises RefusedError."""
    if not printable(name) or any(c.isspace() for c in name):
        raise bad(field, f"{quoted(name)}: blanks and control characters cannot be used")
    return name
