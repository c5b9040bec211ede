"""One request of somebody who signed in: who, what of, and the way to the API's handlers."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from redis.exceptions import RedisError

from control.api.asking import Within
from control.api.body import decode
from control.api.permission import allow
from control.api.precondition import PreconditionError, Tags
from control.api.route import FORCED
from control.api.tagged import TAGGED
from control.console import seen
from control.console.kept import Kept
from control.problem import RefusedError, away
from control.users.role import Holder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A part of a page: what was found, or why it is not there."""

    found: Any = None
    away: str = ""
    """One sentence; empty: it is there."""
    after: str = ""
    """Of a list: the `after` of the part behind; empty: this is the last one."""
    pending: bool = False
    """It is being looked for: who asks again soon finds it."""
    age: int = 0
    """Seconds since it was looked at."""


@dataclass(frozen=True)
class Visit:
    """Made for each request."""

    holder: Holder
    address: str
    path: str
    """With its query."""
    names: Mapping[str, str]
    """Parts of the path."""
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict)
    """What was sent; nothing where the page is only looked at."""
    within: Within = field(kw_only=True)
    kept: Kept = field(kw_only=True, default_factory=Kept)

    @property
    def dry(self) -> bool:
        """Whether what is asked for is only to be tried; an action that is `tried` sees to it."""
        return self.form.get("sure") != "1"

    @property
    def tenant(self) -> str | None:
        """Which tenant is looked at: the one that is named, for who is of some the first of them;
        None: all."""
        if named := self.query.get("tenant"):
            return named
        return self.holder.tenants[0] if self.holder.tenants else None

    def may(self, method: str, path: str) -> bool:
        """Whether who asks may ask that route of the API at all."""
        try:
            allow(self.holder, method, path)
        except RefusedError:
            return False
        return True

    async def ask(
        self,
        method: str,
        path: str,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """What a route of the API answers who asks; `query`: values that are None or empty are left
        out; `body`: as JSON has it. Raises RefusedError."""
        found, _ = await self.listed(method, path, names=names, query=query, body=body)
        return found

    async def listed(
        self,
        method: str,
        path: str,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[Any, str]:
        """The same of a list, and the `after` of the part behind; empty: this is the last one."""
        route = self.within.route(method, path)
        asked = {n: str(v) for n, v in (query or {}).items() if v is not None and v != ""}
        if "tenant" in route.query and self.tenant is not None:
            asked.setdefault("tenant", self.tenant)
        decoded = None
        if body is not None:
            given = dict(body)
            if "tenant" in _fields(route.body) and self.holder.tenants:
                given.setdefault("tenant", self.tenant)
            decoded = decode(json.dumps(given).encode(), route.body)
        taken = TAGGED.get((method, path))
        match = None if taken is None else self._match()
        try:
            return await self.within.ask(
                self.holder,
                self.address,
                (method, path),
                names=dict(names or {}),
                query=asked,
                body=decoded,
                match=match,
            )
        except PreconditionError as error:
            if taken is None:
                raise
            raise await self._since(taken.of, dict(names or {}), asked) from error

    def _match(self) -> Tags | None:
        """What a change has to be of: what the form showed."""
        if not self.form.get(seen.FIELD):
            return None
        tag = seen.of(self.form).tag
        return Tags(any=tag == seen.ANY, strong=frozenset({tag}))

    async def _since(self, path: str, names: dict[str, str], asked: dict[str, str]) -> RefusedError:
        """What is otherwise by now. Raises RefusedError: it is not there any more."""
        takes = self.within.route("GET", path).query.keys() - FORCED.keys()
        query = {name: text for name, text in asked.items() if name in takes}
        now, _ = await self.within.ask(
            self.holder, self.address, ("GET", path), names=names, query=query
        )
        _, found = self.within.settled(path, now)
        return seen.SinceError(seen.of(self.form).otherwise(found, self.form))

    async def part(self, method: str, path: str, **asked: Any) -> Part:
        """The same for a part of a page that may stand without it: while what knows it is away the
        page says so in its place."""
        try:
            found, after = await self.listed(method, path, **asked)
            return Part(found=found, after=after)
        except RefusedError as error:
            if error.status != 503:
                raise
            return Part(away=error.detail)
        except RedisError as error:
            log.warning("%s %s: %s", method, path, error)
            refused = away("the ledger", error)
            return Part(away=(refused.apart() if self.holder.tenants else refused).detail)

    async def soon(self, method: str, path: str, **asked: Any) -> Part:
        """A part that may take long to find out: what was found a moment ago, or that it is being
        looked for."""
        what = f"{method} {path} {json.dumps(asked, sort_keys=True)}"
        return await self.later(what, lambda: self.part(method, path, **asked))

    async def later(self, what: str, make: Callable[[], Awaitable[Part]]) -> Part:
        """The same of what is made by `make`; `what` tells it from all else that is looked for."""
        whose = (self.holder.tenants, self.holder.role, self.tenant)
        known = await self.kept.get((*whose, what), make)
        if known is None:
            return Part(pending=True)
        part: Part = known.found
        return replace(part, age=round(known.age))

    def given(self, *fields: str) -> dict[str, Any]:
        """Fields of the form that are not empty, as texts."""
        return {name: text for name in fields if (text := self.form.get(name, "").strip())}

    def numbers(self, *fields: str) -> dict[str, Any]:
        """The same of whole numbers; what is none stays a text, which is refused by its field."""
        found = self.given(*fields)
        return {n: int(t) if t.isascii() and t.isdigit() else t for n, t in found.items()}


def _fields(body: Any) -> tuple[str, ...]:
    return () if body is None else body.__struct_fields__
