"""API tokens: random, shown once, kept as a SHA-256 digest."""

import hashlib
import hmac
import logging
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from control.problem import bad, missing, taken
from control.store.change import Act
from control.store.database import Connection
from control.store.reference import must
from control.store.refusal import unless_taken
from control.users.role import Holder, Role
from control.values.name import UNPRINTABLE, printable
from control.values.network import source_network
from policy.isotime import instant_of
from policy.node import network, within
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "token")
_ONE, _BY_DIGEST = (
    _SQL[name].replace("{shown}", _SQL["shown"].rstrip(";")) for name in ("one", "by_digest")
)

PREFIX = "sgt_"
"""So that a leaked token is recognised by scanners and people."""

TokenName = Annotated[str, msgspec.Meta(pattern=f"^[^{UNPRINTABLE}]+$", max_length=64)]

USED_EVERY = 60.0
"""Seconds between two notes of a token's last use: one write a request would be the API's
largest cost."""


class TokenTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is to be good for."""

    role: Role = "admin"
    tenants: tuple[str, ...] = ()
    """Names or numbers; none: all."""
    networks: tuple[str, ...] = ()
    """From where it is good; none: from anywhere."""
    expires: datetime | None = None


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token, never its secret."""

    name: str
    role: str
    tenant: str | None
    """The first of its tenants; null: all are."""
    created: str
    used: str | None
    """null: never."""
    tenants: list[str] | None
    """null: all."""
    networks: list[str]
    """From where it is good; none: from anywhere."""
    expires: str | None
    """null: it does not end."""
    expired: bool


async def one(connection: Connection, name: str) -> TokenView:
    """Raises RefusedError."""
    row = await connection.fetchrow(_ONE, name)
    if row is None:
        raise missing("token", name)
    return view(row)


async def locked(act: Act, name: str) -> TokenView:
    """As it is, until the act ends. Raises RefusedError."""
    if await act.connection.fetchval(_SQL["lock"], name) is None:
        raise missing("token", name)
    return await one(act.connection, name)


def view(row: Any) -> TokenView:
    return TokenView(
        name=row["name"],
        role=row["role"],
        tenant=row["tenant"],
        created=instant_of(row["created"]),
        used=instant_of(row["used"]) if row["used"] else None,
        tenants=None if row["tenant"] is None else list(row["tenants"]),
        networks=list(row["networks"]),
        expires=instant_of(row["expires"]) if row["expires"] else None,
        expired=bool(row["over"]),
    )


def new_token() -> str:
    """256 bits of randomness."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored. No salt: a token of 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()


async def add(act: Act, name: str, terms: TokenTerms) -> str:
    """A new token of that name; the only time it is shown. Raises RefusedError."""
    if not printable(name) or not 1 <= len(name) <= 64:
        raise bad("name", "expected 1 to 64 printable characters")
    tenants, networks = await _checked(act, terms)
    token, first = new_token(), tenants[0] if tenants else None
    with unless_taken(taken("name", f"token {name} exists already; revoke it first")):
        await act.connection.execute(
            *(_SQL["add"], name, digest(token), act.now, terms.role, first, networks),
            terms.expires,
        )
    await act.connection.execute(_SQL["further"], name, tenants[1:])
    await act.audit("token.add", name, None, _said(await one(act.connection, name)))
    return token


async def change(act: Act, name: str, terms: TokenTerms) -> TokenView:
    """What it is good for from now on; its secret stays. Raises RefusedError."""
    was = await locked(act, name)
    # That it is over already is no fault of a change that leaves its end alone.
    kept = terms.expires is not None and instant_of(terms.expires) == was.expires
    tenants, networks = await _checked(act, terms, over=kept)
    first = tenants[0] if tenants else None
    await act.connection.execute(_SQL["set"], name, terms.role, first, networks, terms.expires)
    await act.connection.execute(_SQL["no_further"], name)
    await act.connection.execute(_SQL["further"], name, tenants[1:])
    now = await one(act.connection, name)
    if now == was:
        act.no_change(f"token {name} is that already")
    else:
        await act.audit("token.set", name, _said(was), _said(now))
    return now


def _said(view: TokenView) -> dict[str, Any]:
    """As the audit log has it."""
    said = {"role": view.role, "tenant": view.tenant, "tenants": view.tenants}
    return {**said, "networks": view.networks, "expires": view.expires}


async def _checked(
    act: Act, terms: TokenTerms, *, over: bool = False
) -> tuple[list[str], list[str]]:
    """(its tenants, its networks) as they are stored; `over`: its end may be. Raises
    RefusedError."""
    if terms.tenants and terms.role == "scrape":
        raise bad("tenants", "metrics are of all tenants: a token that scrapes has none")
    if terms.tenants and terms.role in ("accounting", "agent"):
        raise bad("tenants", "a server's records are of all tenants: this token has none")
    networks = [source_network(one, "network") for one in terms.networks]
    if not over and terms.expires is not None and terms.expires <= datetime.now(UTC):
        raise bad("expires", f"{instant_of(terms.expires)} is over already")
    tenants = sorted({await must(act.connection, "tenant", one) for one in terms.tenants})
    return tenants, networks


async def put(
    act: Act, name: str, token: str, role: Role = "admin", tenant: str | None = None
) -> None:
    """Make `token` the one of that name (an embedded stack's own, kept in its data dir)."""
    await act.connection.execute(_SQL["put"], name, digest(token), act.now, role, tenant)


async def revoke(act: Act, name: str, reason: str = "") -> None:
    """Raises RefusedError."""
    if await act.connection.fetchval(_SQL["revoke"], name) is None:
        raise missing("token", name)
    await act.audit("token.revoke", name, reason=reason)


class Tokens:
    """Checks bearer tokens."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._noted: dict[str, float] = {}
        """Real elapsed seconds."""

    async def name_of(self, token: str) -> str | None:
        """Whose token it is, None for nobody's."""
        found = await self.holder_of(token)
        return None if found is None else found.name

    async def holder_of(self, token: str, address: str = "") -> Holder | None:
        """Who has it and what they may do, None for nobody's, one that is over, and one that comes
        from outside its networks: whoever took it learns nothing of it."""
        if not token.isascii():  # a raw octet of a header; ours have none
            return None
        given = digest(token)
        row = await self._pool.fetchrow(_BY_DIGEST, given)
        if row is None or not hmac.compare_digest(row["digest"], given):
            return None
        if row["over"]:
            return None
        if row["networks"] and not within(address, tuple(map(network, row["networks"]))):
            log.warning("token %s came from %s, outside its networks", row["name"], address)
            return None
        only = None if row["tenant"] is None else tuple(row["tenants"])
        return Holder(name=row["name"], role=row["role"], tenants=only)

    def due(self, name: str) -> bool:
        """Whether its use is to be noted."""
        return time.monotonic() - self._noted.get(name, -USED_EVERY) >= USED_EVERY

    async def note_use(self, name: str, now: datetime) -> None:
        """Remember when a token was last used."""
        if self.due(name):
            self._noted[name] = time.monotonic()
            await self._pool.execute(_SQL["used"], name, now)
