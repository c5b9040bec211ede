"""Names of new tenants, pools, VirtualMTAs and servers, and of logins."""

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

UNPRINTABLE = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000"
    r"\ud800-\uf8ff\ufeff"
)
"""Blanks but for the usual one, and what is not seen; characters that have no name yet are not
listed."""

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
    if not name.isprintable() or any(c.isspace() for c in name):
        raise bad(field, f"{quoted(name)}: blanks and control characters cannot be used")
    return name
