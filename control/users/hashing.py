"""Passwords, hashed and compared with argon2id: off the event loop, few at a time.

Rule: one bound for a whole process, whoever asks: each hash takes 64 MiB and a processor. Who comes
when too many wait is refused (503), and nobody waits without an end.
"""

import asyncio
import functools
import secrets
from typing import Any
from weakref import WeakKeyDictionary

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from control import kinds
from control.problem import RefusedError
from settings.people import People

_hasher = PasswordHasher()


@functools.cache
def _decoy() -> str:
    """Compared where there is no password: it costs what a wrong one costs, so that nobody can list
    accounts by the clock."""
    return _hasher.hash(secrets.token_bytes(16))


class Hashing:
    """`parallel` at a time, `waiting` more in line."""

    def __init__(self, parallel: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(parallel)
        self._most = parallel + waiting
        self._here = 0
        _decoy()

    def must_have_room(self) -> None:
        """Raises RefusedError (503)."""
        if self._here >= self._most:
            raise RefusedError("too many sign in at a time: try again", kind=kinds.BUSY)

    async def hashed(self, password: str) -> str:
        """Its PHC string. Raises RefusedError (503)."""
        return str(await self._run(_hasher.hash, password))

    async def right(self, stored: str | None, password: str) -> bool:
        """Whether it is the stored one's; of None it is not, and costs the same. Raises
        RefusedError (503)."""
        found = bool(await self._run(_right, stored or _decoy(), password))
        return found and stored is not None

    async def _run(self, work: Any, *given: str) -> Any:
        self.must_have_room()
        self._here += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work, *given)
        finally:
            self._here -= 1


def _right(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


_OF: WeakKeyDictionary[asyncio.AbstractEventLoop, Hashing] = WeakKeyDictionary()


def hashing(settings: People | None = None) -> Hashing:
    """This process's. `settings` make one with their bounds."""
    loop = asyncio.get_running_loop()
    if settings is not None or loop not in _OF:
        of = settings or People()
        _OF[loop] = Hashing(of.hash_parallel, of.hash_waiting)
    return _OF[loop]
