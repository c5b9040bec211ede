"""Access tokens: JWT (RFC 7519) that control signs and nobody else reads.

HS256: who signs and who verifies are the same processes, with one database between them, so a
public key would be nobody's; and a list of one algorithm leaves nothing to confuse (RFC 8725, 3.1
and 3.2). Keys are 256 random bits each, sealed in PostgreSQL with `control.secret`: who has either
one alone signs nothing. A new one comes after `people.key`; the former is good for as long as what
it signed.
Rule: a token proves which session asks. What that session may is looked up with each request.
"""

import secrets
from typing import Any

import jwt
import msgspec

from control.store.database import Connection
from control.users.seal import Secrets
from settings.people import People
from settings.statements import statements

_SQL = statements(__package__, "signing")

ALGORITHM = "HS256"
AUDIENCE = "sendgate-api"
TYPE = "at+jwt"
"""Of the header (RFC 9068, 2.1): no other kind of JWT is taken for one."""
LONGEST = 2048
"""Characters of a token; ours have some 400."""
LEEWAY = 5
"""Seconds that clocks of control nodes may differ."""
_LOCK = 0x5E4D_6A7E_0060
_REMEMBERED = 16
_REQUIRED = ["exp", "nbf", "iat", "iss", "aud", "sub", "sid"]


class Claim(msgspec.Struct, frozen=True):
    """What a token proves."""

    person: int
    session: str


class Signing:
    """For one deployment: `issuer` is its name."""

    def __init__(self, secrets_: Secrets, issuer: str, settings: People) -> None:
        self._secrets = secrets_
        self._issuer = f"sendgate:{issuer}"
        self._of = settings
        self._keys: dict[str, bytes] = {}

    async def signed(self, connection: Connection, claim: Claim, now: float) -> str:
        """A token, good for `people.access` from `now` (epoch seconds). Raises RefusedError."""
        kid, key = await self._current(connection)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(claim.person),
            "sid": claim.session,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + self._of.access),
        }
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid, "typ": TYPE})

    async def claim(self, connection: Connection, token: str) -> Claim | None:
        """What it proves; None: nothing."""
        if len(token) > LONGEST or not token.isascii():
            return None
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            return None
        kid = header.get("kid")
        if header.get("alg") != ALGORITHM or header.get("typ") != TYPE or not isinstance(kid, str):
            return None
        key = await self._one(connection, kid)
        if key is None:
            return None
        try:
            found = jwt.decode(
                *(token, key),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
            return Claim(int(found["sub"]), str(found["sid"]))
        except (jwt.InvalidTokenError, ValueError):
            return None

    async def rotate(self, connection: Connection, *, at_once: bool = False) -> str:
        """A new key signs from now on; `at_once`: what the former ones signed is worthless. Its id.
        Within a transaction. Raises RefusedError."""
        await connection.execute(_SQL["lock"], _LOCK)
        kid, key = secrets.token_hex(8), secrets.token_bytes(32)
        sealed = self._secrets.closed(key)
        # What it signed last may be as old as that, by another node's clock.
        left = 0.0 if at_once else self._of.access + LEEWAY
        await connection.execute(_SQL["retire"], left)
        await connection.execute(_SQL["drop"])
        await connection.execute(_SQL["add"], kid, sealed)
        return kid

    async def _current(self, connection: Connection) -> tuple[str, bytes]:
        row = await connection.fetchrow(_SQL["signs"], self._of.key)
        if row is None or row["old"] or self._secrets.opened(row["sealed"]) is None:
            async with connection.transaction():
                await connection.execute(_SQL["lock"], _LOCK)
                row = await connection.fetchrow(_SQL["signs"], self._of.key)
                if row is None or row["old"] or self._secrets.opened(row["sealed"]) is None:
                    await self.rotate(connection)
                    row = await connection.fetchrow(_SQL["signs"], self._of.key)
        key = self._secrets.opened(row["sealed"])
        assert key is not None
        return row["kid"], key

    async def _one(self, connection: Connection, kid: str) -> bytes | None:
        """Looked up each time, for one that was taken back is good no more; opened once."""
        sealed = await connection.fetchval(_SQL["one"], kid)
        if sealed is None:
            self._keys.pop(kid, None)
            return None
        if kid not in self._keys:
            key = self._secrets.opened(sealed)
            if key is None:
                return None
            if len(self._keys) >= _REMEMBERED:
                self._keys.clear()
            self._keys[kid] = key
        return self._keys[kid]
