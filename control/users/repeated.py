"""What a holder asked under a key of its own is done once: claimed, done, and its answer kept.

Rule: kept is the answer of what was done. A refusal changed nothing, so that its key is free again:
who was refused for what is over tomorrow gets no old refusal.
At rest an answer is sealed with control.secret, for it names customers and their addresses; none
has a secret that is shown once, whose routes take no key (control/api/keyed.py). The key is kept as
its digest, and the request as a keyed one, because a plain digest of a body with a password in it
could be guessed at.
"""

import hashlib
import hmac
import math
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from control import kinds
from control.kind import Kind
from control.problem import RefusedError
from control.store.once import Known, Once, doing
from control.users.role import Holder
from control.users.seal import Secrets
from settings.control import Control


class LaterError(RefusedError):
    """`after` seconds it may be tried again."""

    def __init__(self, title: str, after: float, *, kind: Kind) -> None:
        super().__init__(title, kind=kind)
        self.after = max(1, math.ceil(after))


class Answered(msgspec.Struct, frozen=True):
    """What a request was answered, once."""

    status: int
    body: bytes


class Repeated:
    """Of one control process."""

    def __init__(self, pool: Any, settings: Control, key: bytes) -> None:
        """`key`: of digests, which stays when control.secret is replaced."""
        self._key = key
        self._pool = pool
        self._of = settings
        self._secrets = Secrets(settings.secret, settings.secrets_before)

    async def once(
        self,
        holder: Holder,
        key: str,
        asked: bytes,
        status: int,
        encode: Callable[[Any], bytes],
        do: Callable[[], Awaitable[Any]],
    ) -> Any:
        """What `do` answers, or an `Answered`, as `encode` made it. `asked`: all that tells the
        request from others. Raises RefusedError."""

        def sealed(found: Any) -> bytes:
            body = encode(found)
            return self._secrets.closed(body) if len(body) <= self._of.idempotency_answer else b""

        request = self._request(asked)
        digest = hashlib.sha256(key.encode()).digest()
        once = Once(f"{holder.kind} {holder.name}", digest, status, sealed)
        running, kept = self._of.idempotency_running, self._of.idempotency_kept
        if (known := await once.known(self._pool, kept)) is not None:
            # A claim that ran out is taken below: nobody does that request any more.
            if known.answer is not None or known.left > 0 or known.request != request:
                return self._again(known, request)
        else:
            used, frees = await once.kept(self._pool, kept)
            if used >= self._of.idempotency_most:
                raise LaterError(
                    f"{holder.said} used {used} keys (control.idempotency_most) within "
                    "control.idempotency_kept: ask without one, or later",
                    frees,
                    kind=kinds.TOO_MANY_KEYS,
                )
        if not await once.claim(self._pool, request, running, kept):
            known = await once.known(self._pool, kept)
            return self._again(known or Known(request, None, None, 1.0), request)
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

    def _again(self, known: Known, request: bytes) -> Answered:
        if not hmac.compare_digest(known.request, request):
            raise RefusedError(
                "this Idempotency-Key was used for another request (path, query or body): take a "
                "new one",
                kind=kinds.KEY_REUSED,
                field="Idempotency-Key",
            )
        if known.answer is None or known.status is None:
            title = "the first request with this Idempotency-Key is still being done"
            raise LaterError(title, known.left, kind=kinds.BEING_DONE)
        opened = self._secrets.opened(known.answer) if known.answer else None
        if opened is None:
            raise RefusedError(
                "this request was done, once; its answer is not kept (longer than "
                "control.idempotency_answer, or control.secret is another now): look at what it "
                "made"
            )
        return Answered(known.status, opened)

    def _request(self, asked: bytes) -> bytes:
        """Raises RefusedError without control.secret: before anything is done."""
        self._secrets.closed(b"")
        return hmac.digest(b"idempotency:" + self._key, asked, "sha256")
