"""The second proof of a person: a code of its app, or one of the ten it keeps for the day the
device is gone. Each is good once."""

import base64
import secrets
import time
from typing import Literal

from control import kinds
from control.problem import RefusedError
from control.store.database import Connection
from control.users.seal import Secrets
from control.users.token import digest
from control.users.totp import BYTES, DIGITS, step_of
from settings.statements import statements

_SQL = statements(__package__, "code")

RECOVERY = 10


class Codes:
    """Their secrets are sealed."""

    def __init__(self, secrets_: Secrets) -> None:
        self._secrets = secrets_

    async def state(self, connection: Connection, person: int) -> Literal["on", "offered", "off"]:
        """Whether they are wanted of a person, or a secret waits for its first one."""
        row = await connection.fetchrow(_SQL["secret"], person)
        if row is None or row["totp"] is None:
            return "off"
        return "on" if row["totp_on"] else "offered"

    async def offer(self, connection: Connection, person: int) -> bytes:
        """A new secret, in force once a code of it was given. Raises RefusedError."""
        row = await connection.fetchrow(_SQL["secret"], person)
        if row["totp_on"]:
            raise RefusedError("codes are on already: switch them off first")
        secret = secrets.token_bytes(BYTES)
        sealed = self._secrets.closed(secret)
        await connection.execute(_SQL["offer"], person, sealed)
        return secret

    async def confirm(self, connection: Connection, person: int, code: str) -> list[str] | None:
        """They are on from now; the codes to keep. None: it is a wrong one. Within a transaction.
        Raises RefusedError."""
        row = await connection.fetchrow(_SQL["secret"], person)
        if row["totp"] is None or row["totp_on"]:
            raise RefusedError("there is no secret that waits for its first code: ask for one")
        if not await self._of_app(connection, person, code):
            return None
        made = [_readable(secrets.token_bytes(10)) for _ in range(RECOVERY)]
        await connection.execute(_SQL["drop"], person)
        await connection.execute(_SQL["keep"], person, [digest(_plain(one)) for one in made])
        await connection.execute(_SQL["on"], person)
        return made

    async def right(self, connection: Connection, person: int, code: str) -> bool:
        """Whether it is one of its; it is used up with that. Raises RefusedError."""
        plain = _plain(code)
        if len(plain) == DIGITS:
            return await self._of_app(connection, person, plain)
        found = await connection.fetchval(_SQL["recover"], person, digest(plain))
        return found is not None

    async def off(self, connection: Connection, person: int) -> None:
        """Without codes from now on."""
        await connection.execute(_SQL["off"], person)
        await connection.execute(_SQL["drop"], person)

    async def _of_app(self, connection: Connection, person: int, code: str) -> bool:
        row = await connection.fetchrow(_SQL["secret"], person)
        if row["totp"] is None:
            return False
        secret = self._secrets.opened(row["totp"])
        if secret is None:
            raise RefusedError(
                "control.secret is not the one these codes were sealed with: "
                "`sendgate user reset NAME --codes` lets the user begin anew",
                kind=kinds.NOT_SET_UP,
            )
        step = step_of(secret, _plain(code), time.time())
        if step is None:
            return False
        return await connection.fetchval(_SQL["step"], person, step) is not None


def _readable(octets: bytes) -> str:
    text = base64.b32encode(octets).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _plain(code: str) -> str:
    """Without the blanks and dashes people read it with."""
    return "".join(code.split()).replace("-", "").upper()
