"""The way in for people: login, refresh, logout.

Rule: what is wrong is not said: a name nobody has, a wrong password, an invitation not taken and a
disabled account answer alike and cost alike. No connection of the pool is held while a password is
hashed.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from control import kinds
from control.problem import FieldProblem, RefusedError
from control.store.change import Act
from control.store.database import Connection
from control.store.origin import come
from control.users.attempt import Attempts, LockedError
from control.users.code import Codes
from control.users.hashing import hashing
from control.users.session import SQL, Sessions, SessionTokens

T = TypeVar("T")

Moment = Callable[[], Awaitable[datetime]]
"""Calendar time, for the audit log."""

RESULTS = ("ok", "wrong", "code", "locked", "refreshed", "stale", "reused", "link", "changed")
"""What came of it, as metrics have it: `wrong` name or password, a `code` that is missing or wrong,
`locked` for failures before it; a refresh token that is `stale`, or was used before."""

WRONG = "name or password is wrong"


def wrong(field: str, detail: str) -> RefusedError:
    """401."""
    errors = [FieldProblem(field, detail)]
    return RefusedError(detail, kind=kinds.SIGN_IN_REFUSED, errors=errors)


class Entry:
    """What a process counts of it is in `counted`, by result."""

    def __init__(
        self, pool: Any, attempts: Attempts, sessions: Sessions, codes: Codes, moment: Moment
    ) -> None:
        self.counted: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        self._pool = pool
        self._attempts = attempts
        self._sessions = sessions
        self._codes = codes
        self._moment = moment

    async def attempt(self, name: str, password: str, address: str) -> Any:
        """The row of whose name and password these are. It stays counted as a failure until
        `Attempts.right` is told. Raises RefusedError."""
        hashing().must_have_room()
        try:
            async with self._pool.acquire() as connection:
                failures = await self._attempts.begin(connection, name, address)
                row = await connection.fetchrow(SQL["sign_in"], name)
        except LockedError:
            self.counted["locked"] += 1
            raise
        there = row is not None and not row["disabled"]
        if not await hashing().right(row["password"] if there else None, password):
            self.counted["wrong"] += 1
            if there and self._attempts.locks(failures):
                await self._locked(name, address, failures)
            raise wrong("password", WRONG)
        return row

    async def login(
        self, name: str, password: str, code: str | None, address: str
    ) -> SessionTokens:
        """Raises RefusedError."""
        return await self.admit(name, password, code, address, self._sessions.begin)

    async def admit(
        self,
        name: str,
        password: str,
        code: str | None,
        address: str,
        begin: Callable[[Connection, int, str], Awaitable[T]],
        *,
        kind: str = "user",
    ) -> T:
        """What `begin` makes for the person, in the transaction that writes it down; `kind` as the
        audit log has it. Raises RefusedError."""
        row = await self.attempt(name, password, address)
        if row["totp_on"]:
            if code is None:
                self.counted["code"] += 1
                raise wrong("code", "a code of your app is wanted, or one that you kept")
            await self.must_be_right(row["id"], code)
        async with self._pool.acquire() as connection, connection.transaction():
            # Whoever was disabled, or chose another password, since it was compared is not let in.
            if await connection.fetchval(SQL["still"], row["id"], row["password"]) is None:
                raise wrong("password", WRONG)
            await self._attempts.right(connection, name, address)
            begun = await begin(connection, row["id"], address)
            await (await self._act(connection, name, address, kind)).audit("session.begin", name)
        self.counted["ok"] += 1
        return begun

    async def must_be_right(self, person: int, code: str) -> None:
        """Uses a code up. Raises RefusedError."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await self._codes.right(connection, person, code):
                return
        self.counted["code"] += 1
        raise wrong("code", "the code is wrong, or was used")

    async def refresh(self, refresh: str, address: str) -> SessionTokens:
        """Raises RefusedError."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await self._sessions.used(connection, refresh)
            if row is not None and row["used"]:
                # In two hands: the transaction commits that nobody goes on with it.
                if await self._sessions.end(connection, str(row["session"]), "reused") is not None:
                    act = await self._act(connection, row["name"], address)
                    why = "a refresh token came a second time"
                    await act.audit("session.end", row["name"], reason=why)
                tokens = None
                self.counted["reused"] += 1
            elif row is None or not row["good"] or row["ended"] or row["disabled"]:
                tokens = None
                self.counted["stale"] += 1
            else:
                tokens = await self._sessions.issue(connection, row["person"], str(row["session"]))
                self.counted["refreshed"] += 1
        if tokens is None:
            raise wrong("refresh_token", "this session is over: sign in again")
        return tokens

    async def logout(self, refresh: str, address: str) -> None:
        """Ends the session of a refresh token, whichever of it; says of no other that it is
        none."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await self._sessions.used(connection, refresh)
            if row is None:
                return
            if await self._sessions.end(connection, str(row["session"]), "logout") is not None:
                act = await self._act(connection, row["name"], address)
                await act.audit("session.end", row["name"])

    async def _act(
        self, connection: Connection, name: str, address: str, kind: str = "user"
    ) -> Act:
        """Of a person that proved who it is."""
        come(kind, name, address)
        return Act(connection, await self._moment(), name)

    async def _locked(self, name: str, address: str, failures: int) -> None:
        async with self._pool.acquire() as connection:
            act = Act(connection, await self._moment(), "control")
            await act.audit("user.locked", name, None, {"from": address, "failures": failures})
