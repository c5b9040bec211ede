"""What a person sets for itself: the password, by a one-time link or by the former one, and codes.

Rule: a password that was stolen must not be enough to keep its owner out, nor a session: whoever
changes either says the password, which is counted as a login is.
"""

import uuid
from typing import Annotated, Any, Literal

import msgspec

from control import kinds
from control.problem import RefusedError, bad
from control.store.change import Act
from control.store.database import Connection
from control.store.origin import come
from control.users import link
from control.users.attempt import Attempts
from control.users.code import Codes
from control.users.entry import Entry, Moment, wrong
from control.users.hashing import hashing
from control.users.person import SQL
from control.users.role import Holder
from control.users.totp import uri, written
from control.values.name import printable

SHORTEST = 12
"""Characters of a password that a person chooses (NIST SP 800-63B, 5.1.1: length, and no rules of
composition)."""
LONGEST = 512

CodeText = Annotated[str, msgspec.Meta(min_length=6, max_length=40)]
"""Of an app, or a kept one."""
OwnPassword = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]


class CodeSecret(msgspec.Struct, frozen=True, kw_only=True):
    """For an authenticator app; shown this once."""

    secret: str
    """Base 32, to be typed."""
    uri: str
    """The same for a QR code."""


class Credentials:
    """Of people."""

    def __init__(
        self, pool: Any, entry: Entry, attempts: Attempts, codes: Codes, moment: Moment
    ) -> None:
        self._pool = pool
        self._entry = entry
        self._attempts = attempts
        self._codes = codes
        self._moment = moment

    async def redeem(self, given: str, password: str, address: str) -> str:
        """A password by a one-time link, which is used up; whose. Every session of it ends. Raises
        RefusedError."""
        secret = link.read(given)
        async with self._pool.acquire() as connection:
            name = await link.whose(connection, secret)
        if name is None:
            raise _over()
        made = await _hashed(password, name)
        async with self._pool.acquire() as connection, connection.transaction():
            # The person before its link, as everybody locks them: who resets it waits, and neither
            # for the other.
            await connection.execute(SQL["lock"], name)
            row = await link.take(connection, secret)
            if row is None:
                raise _over()
            await connection.execute(SQL["password"], row["id"], made)
            await connection.execute(SQL["end_sessions"], row["id"], "password", None)
            # Who has the link is who it was made for: what others guessed is forgotten.
            await self._attempts.forget(connection, name)
            await self._attempts.right(connection, name, address)
            come("user", name, address)
            await Act(connection, await self._moment(), name).audit("user.link", name)
        self._entry.counted["link"] += 1
        return name

    async def change(self, holder: Holder, password: str, new: str, address: str) -> None:
        """Another password; sessions but the one that asks end. Raises RefusedError."""
        row = await self._proved(holder, password, address)
        made = await _hashed(new, holder.name, "new")
        async with self._pool.acquire() as connection, connection.transaction():
            await still(connection, holder, row["password"])
            await self._attempts.right(connection, holder.name, address)
            await connection.execute(SQL["password"], row["id"], made)
            await connection.execute(SQL["end_sessions"], row["id"], "password", holder.session)
            await connection.execute(SQL["drop_link"], row["id"])
            act = Act(connection, await self._moment(), holder.name)
            await act.audit("user.password", holder.name)
        self._entry.counted["changed"] += 1

    async def codes(self, holder: Holder) -> Literal["on", "offered", "off"]:
        """Whether codes are wanted of it, or a secret waits for its first one."""
        async with self._pool.acquire() as connection:
            return await self._codes.state(connection, _person(holder))

    async def offer(self, holder: Holder, password: str, address: str) -> CodeSecret:
        """A secret for an app, in force once a code of it was given. Raises RefusedError."""
        row = await self._proved(holder, password, address)
        async with self._pool.acquire() as connection, connection.transaction():
            await still(connection, holder, row["password"])
            secret = await self._codes.offer(connection, row["id"])
            await self._attempts.right(connection, holder.name, address)
        return CodeSecret(secret=written(secret), uri=uri(secret, holder.name))

    async def confirm(self, holder: Holder, code: str, address: str) -> list[str]:
        """Codes are wanted from now on; those to keep, shown this once. Raises RefusedError."""
        person = _person(holder)
        async with self._pool.acquire() as connection:
            await self._attempts.begin(connection, holder.name, address)
            async with connection.transaction():
                await still(connection, holder)
                kept = await self._codes.confirm(connection, person, code)
                if kept is not None:
                    await self._attempts.right(connection, holder.name, address)
                    act = Act(connection, await self._moment(), holder.name)
                    await act.audit("user.codes", holder.name, {"codes": False}, {"codes": True})
        if kept is None:
            raise wrong("code", "the code is wrong: is the device's clock right?")
        return kept

    async def off(self, holder: Holder, password: str, code: str, address: str) -> None:
        """No codes any more. Raises RefusedError."""
        row = await self._proved(holder, password, address)
        await self._entry.must_be_right(row["id"], code)
        async with self._pool.acquire() as connection, connection.transaction():
            await still(connection, holder, row["password"])
            await self._codes.off(connection, row["id"])
            await self._attempts.right(connection, holder.name, address)
            act = Act(connection, await self._moment(), holder.name)
            await act.audit("user.codes", holder.name, {"codes": True}, {"codes": False})

    async def prove(
        self, holder: Holder, password: str | None, code: str | None, address: str
    ) -> None:
        """That a person is who its access token says, before it gives others a way in. Raises
        RefusedError (401)."""
        if password is None:
            raise wrong("own_password", "your own password is wanted for this, besides the token")
        row = await self._proved(holder, password, address)
        if row["totp_on"]:
            if code is None:
                raise wrong("own_code", "a code of your app is wanted, or one that you kept")
            await self._entry.must_be_right(row["id"], code)
        async with self._pool.acquire() as connection, connection.transaction():
            await still(connection, holder, row["password"])
            await self._attempts.right(connection, holder.name, address)

    async def _proved(self, holder: Holder, password: str, address: str) -> Any:
        _person(holder)
        return await self._entry.attempt(holder.name, password, address)


async def still(connection: Connection, holder: Holder, compared: str | None = None) -> None:
    """Whoever was reset or disabled, or lost the session that asks, since it was let in and its
    password was compared (to `compared`; None: to none) is not who it was: hashing takes its time,
    and who knows a stolen password would undo with it what took it away. It stays so until the
    transaction ends. Raises RefusedError (401)."""
    row = await connection.fetchrow(SQL["own"], _person(holder), uuid.UUID(holder.session))
    if row is None or (compared is not None and row["password"] != compared):
        raise RefusedError(
            "your password or your session ended this moment: nothing was changed; sign in again",
            kind=kinds.SIGN_IN_REFUSED,
        )


def _person(holder: Holder) -> int:
    if holder.person is None:
        raise RefusedError(f"{holder.said} has no password: people have")
    return holder.person


def _over() -> RefusedError:
    return wrong("link", "this link was used, or is too old: ask for another")


async def _hashed(password: str, name: str, field: str = "password") -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise bad(field, f"expected {SHORTEST} to {LONGEST} characters")
    if not printable(password):
        raise bad(field, "control characters and line ends cannot be used")
    if password.lower() == name:
        raise bad(field, "it is your name: choose another")
    return await hashing().hashed(password)
