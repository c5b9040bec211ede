"""What the database's errors mean for who asked.

Rule: nobody else names the driver. Who has to do with its errors takes the words of this file, and
a commit that would make two of what may be one is refused by the sentence of who tried.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from control import kinds
from control.problem import RefusedError, away, said
from control.store.pool import NoConnectionError
from settings.secret import masked

DatabaseError = asyncpg.PostgresError
"""PostgreSQL said no."""

UNREACHABLE = (OSError, DatabaseError, asyncpg.InterfaceError)
"""Nobody answers in time, it is no PostgreSQL, or none that wants us. For `except`."""

NO_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError)
"""What is asked for is not there: the database is of another version. For `except`."""

UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What is written can never be written so, whoever tries again. For `except`."""

TOO_LONG = (asyncpg.QueryCanceledError, TimeoutError)
"""A statement took longer than it may, told by the server or by us. For `except`."""


def no_database(url: str, error: Exception) -> RefusedError:
    """What to do about a PostgreSQL that does not answer; no password in it."""
    return RefusedError(
        f"PostgreSQL at {masked(url)} does not answer ({said(error)}): start it, or "
        "give its address in database.url (DATABASE_URL)",
        status=503,
    )


_BUSY = "too much is being done now: nothing was changed; try again"


@contextmanager
def unless_taken(otherwise: RefusedError) -> Iterator[None]:
    """Raises `otherwise` when what is written in it exists already."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise otherwise from error


def refusal(error: Exception) -> RefusedError | None:
    """The answer to a request that met `error`; None: it is not the database's."""
    if isinstance(error, asyncpg.DataError):
        # PostgreSQL cannot store it (NUL in a text): the input is wrong, not the server.
        return RefusedError(
            f"the input cannot be stored: {error}", status=400, alone="the input cannot be stored"
        )
    if isinstance(error, NoConnectionError):
        return RefusedError(str(error), kind=kinds.BUSY, alone=_BUSY)
    if isinstance(error, DatabaseError | asyncpg.InterfaceError):
        return away("PostgreSQL", error)
    return None
