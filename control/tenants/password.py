"""Passwords of logins: hashed with argon2id off the event loop, kept nowhere else."""

from typing import Annotated

import msgspec

from control.problem import bad
from control.users.hashing import hashing
from control.values.name import UNPRINTABLE, printable

LONGEST = 512
PasswordText = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": LONGEST,
            "pattern": f"^[^{UNPRINTABLE}]+$",
        }
    ),
]
SAFE = 12
"""Shorter ones are taken, for logins that exist already, with a warning."""


async def hashed(password: str) -> str:
    """The PHC string of a password. Raises RefusedError when it is empty, too long or not text
    a mailer can send."""
    if not 1 <= len(password) <= LONGEST:
        raise bad("password", f"expected 1 to {LONGEST} characters")
    if not printable(password):
        raise bad("password", "control characters and line ends cannot be used")
    return await hashing().hashed(password)
