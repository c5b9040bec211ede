"""Passwords of logins: hashed with argon2id off the event loop, kept nowhere else."""

import asyncio

from argon2 import PasswordHasher

from control.problem import bad

SHORTEST, LONGEST = 8, 512

_hasher = PasswordHasher()


async def hashed(password: str) -> str:
    """The PHC string of a password. Raises RefusedError when it is too short or not text a
    mailer can send."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise bad("password", f"expected {SHORTEST} to {LONGEST} characters")
    if not password.isprintable():
        raise bad("password", "control characters and line ends cannot be used")
    return await asyncio.to_thread(_hasher.hash, password)
