"""POST /api/v2/powermta/accounting: PowerMTA's accounting, as its webhook or a forwarder sends it.

Rule: 200 means that the batch is on the disk; everything else means that it is not, and comes
again. What a batch holds is looked at behind the answer: PowerMTA's webhook waits 5 s by default,
and sends the same batch again when it is not answered.
A token comes as `Authorization: Bearer`, as `X-API-Key`, or as the password of Basic; or the batch
is signed (settings: accounting.webhook_key).
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from control import kinds
from control.accounting.inbox import Inbox
from control.api import parameter
from control.api.origin import come_from
from control.api.refused import ASKER
from control.problem import RefusedError, bad
from control.users.asker import asked_by
from control.users.role import CONFIGURED, FEEDERS, Holder
from control.values.name import printable
from policy.isotime import seconds_of
from policy.node import Network
from settings.accounting import Accounting

PATHS = ("/api/v2/powermta/accounting", "/api/v2/webhooks/powermta")
"""One door under two names: users' own forwarders call the second."""

SIGNATURE, TIMESTAMP = "X-Sendgate-Signature", "X-Sendgate-Timestamp"

_READ = 60.0
"""Seconds for one body: 10 MB at 170 KB a second."""
_NAME = 64
NOTED_EVERY = 60.0
"""Seconds between two notes of the same key."""

Check = Callable[[str], Awaitable[None]]
"""Raises RefusedError for a PowerMTA server that there is not and was not."""
HolderOf = Callable[[str, str], Awaitable[Holder | None]]
"""Who has a token, and comes from that address."""
NoteKey = Callable[[str], Awaitable[None]]
"""Remembers that this key was used."""
Clock = Callable[[], float]
"""Seconds of real time."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The batch is on the disk."""

    batch: int | None
    """Its number; null: it was empty."""


class Webhook:
    """`clock`: of the machine, which signatures are made by, not of the calendar."""

    def __init__(
        self,
        inbox: Inbox,
        holder_of: HolderOf,
        settings: Accounting,
        clock: Clock,
        check_server: Check,
        proxies: tuple[Network, ...] = (),
        note_key: NoteKey | None = None,
    ) -> None:
        self._inbox = inbox
        self._check_server = check_server
        self._holder_of = holder_of
        self._settings = settings
        self._former_until = seconds_of(settings.webhook_former_until)
        self._clock = clock
        self._proxies = proxies
        self._notes = note_key
        self._noted: dict[str, float] = {}

    async def post(self, request: web.Request) -> web.Response:
        """One batch. Raises RefusedError."""
        token = _token(request)
        signed = request.headers.get(SIGNATURE)
        holder = None
        if token is not None or signed is None:
            holder = await self._allowed(token, request)
        body = await self._body(request)
        key = ""
        if holder is None:
            key = self._check(signed or "", request.headers.get(TIMESTAMP, ""), body)
        server = request.query.get("server", "")
        if len(server) > _NAME or not printable(server):
            raise bad("server", "a name of at most 64 characters is wanted")
        for name in request.query:
            if name != "server":
                raise parameter.unknown(
                    name[:_NAME], "this path takes `server` alone; what a record says counts"
                )
        if server:
            await self._check_server(server)
        number = None
        if body.strip():
            who = holder.name if holder is not None else "signature"
            number = await self._inbox.put(body, origin="webhook", server=server, who=who)
        if key:
            await self._note_key(key)
        return web.Response(
            body=msgspec.json.encode(Stored(batch=number)), content_type="application/json"
        )

    async def parcel(self, request: web.Request) -> tuple[str, bytes]:
        """(the token's name, the body) of somebody who may post accounting. Raises RefusedError."""
        holder = await self._allowed(_token(request), request)
        return holder.name, await self._body(request)

    async def configured(self, request: web.Request) -> str:
        """The token's name of somebody who may have private keys. Raises RefusedError."""
        holder = await self._allowed(_token(request), request)
        if holder.role not in CONFIGURED:
            raise RefusedError(
                f"token {holder.name} may not have PowerMTA's configuration, which has private "
                "keys: make one with `sendgate token add NAME --role agent`",
                status=403,
            )
        return holder.name

    async def _allowed(self, token: str | None, request: web.Request) -> Holder:
        address = come_from(request, self._proxies)
        holder = await self._holder_of(token, address) if token else None
        asked_by(holder, address)
        if holder is not None:
            request[ASKER] = holder
        else:
            raise web.HTTPUnauthorized(
                reason="a valid token is needed: Authorization: Bearer TOKEN, X-API-Key: TOKEN, or "
                f"as the password of Basic; or {SIGNATURE} and {TIMESTAMP}",
                headers={"WWW-Authenticate": 'Bearer, Basic realm="sendgate"'},
            )
        if holder.role not in FEEDERS or holder.tenants is not None:
            raise RefusedError(
                f"token {holder.name} may not post accounting: make one with "
                "`sendgate token add NAME --role accounting`",
                status=403,
            )
        return holder

    async def _body(self, request: web.Request) -> bytes:
        most = self._settings.webhook_body
        body = bytearray()
        try:
            async with asyncio.timeout(_READ):
                async for part in request.content.iter_chunked(65_536):
                    body += part
                    if len(body) > most:
                        raise RefusedError(
                            f"the batch has more than {most} octets (accounting.webhook_body)",
                            status=413,
                        )
        except TimeoutError as error:
            raise RefusedError(
                "the batch did not come within a minute", kind=kinds.TOO_SLOW
            ) from error
        return bytes(body)

    def _check(self, signed: str, timestamp: str, body: bytes) -> str:
        """The key that signed it. Raises RefusedError (401) unless one did, a short while ago."""
        settings = self._settings
        if not settings.webhook_key:
            raise _unsigned("signed batches need accounting.webhook_key", SIGNATURE)
        text = f"{timestamp}.".encode() + body
        given = signed.strip().lower().removeprefix("sha256=").encode("utf-8", "surrogateescape")
        # First the signature, always: an answer about the time alone would tell that it was right.
        # And by each key, so that the time it takes does not tell which of them there are.
        right = [
            key
            for key in (settings.webhook_key, *settings.webhook_keys_before)
            if hmac.compare_digest(
                hmac.digest(key.encode(), text, hashlib.sha256).hex().encode(), given
            )
        ]
        until = self._former_until
        if until is not None and self._clock() >= until:
            right = [key for key in right if key == settings.webhook_key]
        if not (right and timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
            raise _unsigned(
                f"{SIGNATURE} is not HMAC-SHA-256 of {TIMESTAMP}, a dot and the body", SIGNATURE
            )
        if abs(self._clock() - int(timestamp)) > settings.webhook_window:
            raise _unsigned(
                f"{TIMESTAMP} is more than {settings.webhook_window:.0f} s from our time", TIMESTAMP
            )
        return right[0]

    async def _note_key(self, key: str) -> None:
        now = self._clock()
        if self._notes is not None and abs(now - self._noted.get(key, 0.0)) >= NOTED_EVERY:
            self._noted[key] = now
            await self._notes(key)


def _unsigned(detail: str, header: str) -> RefusedError:
    return RefusedError(detail, kind=kinds.SIGNATURE_REFUSED, field=header)


def _token(request: web.Request) -> str | None:
    """The one it carries, in whichever way; None for none."""
    if key := request.headers.get("X-API-Key"):
        return key.strip()
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        _, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password
