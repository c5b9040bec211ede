"""Logins: who may send as which tenant.

Owns: checking passwords, remembering checked ones. Not here: the SMTP dialogue.
Rule: argon2 runs once per password and generation, off the event loop and few at a time; a
remembered login is a keyed digest, never a password. An unknown login costs what a wrong
password costs, so that nobody can list logins by the clock: while any login has a former password
that is good still, each wrong one is checked twice, whoever's it is. A former password is held
against its end each time, remembered or not.
"""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from policy.plan import Generation

_MAX_SECRET = 1024


class Authenticator:
    """Checks logins against the generation in force."""

    def __init__(
        self,
        generation: Callable[[], Generation | None],
        now: Callable[[], int],
        *,
        parallel: int,
        remembered: int,
    ) -> None:
        """`now`: calendar milliseconds; `parallel` hashes at a time; `remembered` passwords in
        memory."""
        self._generation = generation
        self._now = now
        self._slots = asyncio.Semaphore(parallel)
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash(os.urandom(16))
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._remembered = remembered

    async def check(self, login: str, password: bytes) -> tuple[str, str] | None:
        """(tenant, the hash that was checked), or None for a wrong login or password."""
        generation, now = self._generation(), self._now()
        found = generation.login.get(login) if generation is not None else None
        tenant, hashes = (found[0], found[1].accepted(now)) if found is not None else ("", ())
        proof = hmac.digest(self._key, login.encode() + b"\0" + password, hashlib.sha256)
        known = self._known.get(proof)
        if known is not None and known in hashes:
            # The hashes are compared too: a changed password forgets the old one at once, and a
            # former one is none of them any more when its end has come.
            self._known.move_to_end(proof)
            return tenant, known
        if len(password) > _MAX_SECRET:
            return None
        checks = 2 if generation is not None and now < generation.formers_until else 1
        asked = [*hashes, *[self._decoy] * (checks - len(hashes))]
        async with self._slots:
            right = await asyncio.to_thread(self._right, asked, password)
        if right is None or right not in hashes:
            return None
        self._known[proof] = right
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return tenant, right

    def _right(self, asked: list[str], password: bytes) -> str | None:
        # Who is right is told by the answer, so it need not take as long as who is wrong.
        return next((stored for stored in asked if self._verify(stored, password)), None)

    def _verify(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
