"""Logins: who may send as which tenant.

Owns: checking passwords, remembering checked ones. Not here: the SMTP dialogue.
Rule: argon2 runs once per login and generation, off the event loop and few at a time; a
remembered login is a keyed digest, never a password. An unknown login costs what a wrong
password costs, so that nobody can list logins by the clock.
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
        self, generation: Callable[[], Generation | None], *, parallel: int, remembered: int
    ) -> None:
        """`parallel` hashes at a time; `remembered` logins in memory."""
        self._generation = generation
        self._slots = asyncio.Semaphore(parallel)
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash(os.urandom(16))
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._remembered = remembered

    async def check(self, login: str, password: bytes) -> tuple[str, str] | None:
        """(tenant, the hash that was checked), or None for a wrong login or password."""
        generation = self._generation()
        found = generation.login.get(login) if generation is not None else None
        tenant, stored = found if found is not None else ("", self._decoy)
        proof = hmac.digest(self._key, login.encode() + b"\0" + password, hashlib.sha256)
        if self._known.get(proof) == stored:
            # The hash is compared too: a changed password forgets the old one at once.
            self._known.move_to_end(proof)
            return tenant, stored
        if len(password) > _MAX_SECRET:
            return None
        async with self._slots:
            right = await asyncio.to_thread(self._verify, stored, password)
        if not right or found is None:
            return None
        self._known[proof] = stored
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return tenant, stored

    def _verify(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
