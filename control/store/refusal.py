"""What the database's errors mean for who asked."""

import asyncpg

from control.problem import RefusedError


def refusal(error: Exception) -> RefusedError | None:
    """The answer to a request that met `error`; None: it is not the database's."""
    if isinstance(error, asyncpg.DataError):
        # PostgreSQL cannot store it (NUL in a text): the input is wrong, not the server.
        return RefusedError(f"the input cannot be stored: {error}", status=400)
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return RefusedError(f"a part we need does not answer: {error}", status=503)
    return None
