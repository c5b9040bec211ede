"""Control's HTTP API, as any customer's system asks it.

Failure: ApiError with what was asked and what was answered.
"""

from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

_TIMEOUT = 600.0
"""Seconds: a DKIM key is made for each domain of a set-up."""


class ApiError(Exception):
    """Not answered, or refused."""


class Api:
    """`async with Api(url, token)`."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT),
            headers={"Authorization": f"Bearer {self._token}"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Any:
        """A JSON answer."""
        return msgspec.json.decode(await self.asked("GET", path, query=query))

    async def post(self, path: str, body: object) -> Any:
        """A JSON answer to a JSON body."""
        return msgspec.json.decode(await self.asked("POST", path, body))

    async def patch(self, path: str, body: object) -> Any:
        """The same."""
        return msgspec.json.decode(await self.asked("PATCH", path, body))

    async def put(self, path: str, body: object) -> Any:
        """The same."""
        return msgspec.json.decode(await self.asked("PUT", path, body))

    async def asked(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> bytes:
        """Octets of an answer. `body`: octets as they are, anything else as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = msgspec.json.encode(body)
        headers = {"Content-Type": kind} if body is not None else {}
        try:
            async with self._session.request(
                method, f"{self.url}{path}", data=body, params=query, headers=headers
            ) as answer:
                found = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiError(f"{method} {path}: {error!r}") from error
        if answer.status >= 400:
            raise ApiError(f"{method} {path}: {answer.status} {found[:500].decode()}")
        return found
