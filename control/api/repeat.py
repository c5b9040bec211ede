"""`Idempotency-Key`: a POST that comes twice is done once, and answered the same.

As draft-ietf-httpapi-idempotency-key-header has it: 422 for another request under the same key,
409 while the first is being done. A key is its holder's own, and of one request: method, path,
query and body.
Kept is the answer of what was done. A refusal changed nothing, so that its key is free again: who
was refused for what is over tomorrow gets no old refusal. A dry run is none: nothing is kept of it.
At rest an answer is sealed with control.secret, for it may have a DKIM record, an address, or
whatever else the route shows; the key is kept as its digest, and the request as a keyed one,
because a plain digest of a body with a password in it could be guessed at.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from control.api.keyed import KEYED, UNKEYED
from control.api.route import Route, answer
from control.plan.done import Done
from control.plan.names import Asked
from control.problem import RefusedError, bad
from control.store.once import Known, Once, doing
from control.users.role import Holder
from control.users.seal import Secrets
from settings.control import Control

HEADER = "Idempotency-Key"
LONGEST = 255
"""Characters of a key."""

_KEY = re.compile(rf'("?)([!#-\[\]-~]{{1,{LONGEST}}})\1')
"""A string of RFC 9651, which the draft asks for, or bare, as most write it: the same key."""

Do = Callable[[], Awaitable[Any]]


class LaterError(RefusedError):
    """`after` seconds it may be tried again."""

    def __init__(self, title: str, after: float, *, status: int) -> None:
        super().__init__(title, status=status)
        self.after = max(1, math.ceil(after))


class Repeats:
    """Of one control process."""

    def __init__(self, pool: Any, settings: Control) -> None:
        self._pool = pool
        self._of = settings
        self._secrets = Secrets(settings.secret)

    async def once(
        self, request: web.Request, route: Route, holder: Holder | None, asked: Asked, do: Do
    ) -> Any:
        """What `do` answers, or what it answered; an answer that was kept comes as bytes. Raises
        RefusedError."""
        doing(None)
        key = self._key(request, route)
        dry = asked.query.get("dry_run", "") in ("1", "true", "yes")
        if key is None or holder is None or dry:
            return await do()
        once = Once(f"{holder.kind} {holder.name}", _digest(key), route.status, self._encoded)
        asks = self._request(route, holder, asked)
        if (known := await once.known(self._pool, self._of.idempotency_kept)) is not None:
            # A claim that ran out is looked at below: nobody does that request any more.
            if known.answer is not None or known.left > 0 or known.request != asks:
                return self._again(known, asks)
        elif await once.kept(self._pool, self._of.idempotency_kept) >= self._of.idempotency_most:
            raise LaterError(
                f"{holder.said} used {self._of.idempotency_most} keys "
                "(control.idempotency_most) within control.idempotency_kept: ask without one, or "
                "later",
                3600,
                status=429,
            )
        running, kept = self._of.idempotency_running, self._of.idempotency_kept
        if not await once.claim(self._pool, asks, running, kept):
            known = await once.known(self._pool, kept)
            return self._again(known or Known(asks, None, None, 1.0), asks)
        doing(once)
        done = False
        try:
            found = await do()
            done = True
        finally:
            doing(None)
            if not done:
                await once.release(self._pool)
        await once.finish(self._pool, found)
        return found

    def _key(self, request: web.Request, route: Route) -> str | None:
        given = request.headers.getall(HEADER, [])
        if not given or route.method != "POST":
            # All other methods are idempotent by RFC 9110, or (PATCH) set what they name.
            return None
        if route.path not in KEYED:
            why = UNKEYED.get(route.path, "")
            raise bad(HEADER, f"this path takes none; leave it out ({why})")
        found = _KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
        if found is None:
            raise bad(HEADER, f"expected one key of 1 to {LONGEST} visible characters, as a UUID")
        return found[2]

    def _again(self, known: Known, asks: bytes) -> bytes:
        if not hmac.compare_digest(known.request, asks):
            raise RefusedError(
                f"this {HEADER} was used for another request (path, query or body): take a new one",
                status=422,
            )
        if known.answer is None:
            raise LaterError(
                f"the first request with this {HEADER} is still being done", known.left, status=409
            )
        opened = self._secrets.opened(known.answer) if known.answer else None
        if opened is None:
            raise RefusedError(
                "this request was done, once; its answer is not kept (longer than "
                "control.idempotency_answer, or control.secret is another now): look at what it "
                "made"
            )
        return opened

    def _encoded(self, found: Any) -> bytes:
        shown = answer(found) if isinstance(found, Done) else found
        body = msgspec.json.encode(shown)
        return self._secrets.closed(body) if len(body) <= self._of.idempotency_answer else b""

    def _request(self, route: Route, holder: Holder, asked: Asked) -> bytes:
        """What tells it from others; whose the holder is, too, because a token's name may be given
        again. Raises RefusedError without control.secret."""
        self._secrets.closed(b"")
        said = (route.method, route.path, asked.path, asked.query, asked.body, holder.tenants)
        text = msgspec.json.encode(said, order="deterministic")
        return hmac.digest(b"idempotency:" + self._of.secret.encode(), text, "sha256")


def said(route: Route, problem: Any) -> tuple[list[Any], dict[str, Any]]:
    """What the API's document says of it: parameters and answers of a route."""
    if route.method != "POST" or route.path not in KEYED:
        return [], {}
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST + 2}
    header = {"name": HEADER, "in": "header", "required": False, "schema": schema}
    header["description"] = (
        "the same request under the same key is done once, and answered the same"
    )
    return [header], {
        "409": {
            "description": "it contradicts what is there, or the first request with this key is "
            "still being done",
            "content": problem,
        },
        "422": {"description": "this key was used for another request", "content": problem},
    }


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
