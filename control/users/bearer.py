"""Who asks, by what the request carries: a token of the API, or the access token of a session."""

from typing import Any

from control.users.role import Holder
from control.users.session import Sessions
from control.users.token import Tokens


class Bearers:
    """Of both kinds."""

    def __init__(self, pool: Any, tokens: Tokens, sessions: Sessions) -> None:
        self._pool = pool
        self._tokens = tokens
        self._sessions = sessions

    async def holder_of(self, given: str, address: str) -> Holder | None:
        """Who has it and what they may do, None for nobody's; it comes from that address. A JWT has
        two dots, which tokens of ours have not."""
        if given.count(".") != 2:
            return await self._tokens.holder_of(given, address)
        async with self._pool.acquire(clean=True) as connection:
            return await self._sessions.holder(connection, given)
