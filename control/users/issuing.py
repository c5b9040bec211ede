"""Tokens as an admin looks after them from outside: no farther than it reaches."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from control.store.change import Act, Still
from control.users import token
from control.users.desk import Administered, Desk, Proof
from control.users.people import TenantNames
from control.users.reach import Reach
from control.users.role import SCOPES, Holder, Role, Scope
from control.users.token import TokenName, TokenTerms, TokenView
from control.users.tokenlist import TokenQuery, listed
from control.values.network import NetworkText, source_network
from control.values.part import Part, Slice
from control.values.time import TimeText, moment
from control.values.wanted import meant

_Networks = Annotated[tuple[NetworkText, ...], msgspec.Meta(max_length=100)]


class NewToken(Proof, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token is to be good for."""

    name: Annotated[TokenName, meant("What it is called.")]
    scope: Annotated[Scope, meant("What it may do.")]
    tenants: Annotated[TenantNames | None, meant("The only ones; null: all.")] = None
    networks: Annotated[_Networks, meant("From where it is good; none: from anywhere.")] = ()
    expires: Annotated[TimeText | None, meant("When it ends; null: never.")] = None


class TokenChange(Proof, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays as it is."""

    scope: Annotated[Scope | None, meant("What it may do.")] = None
    tenants: Annotated[TenantNames | UnsetType | None, meant("The only ones; null: all.")] = UNSET
    networks: Annotated[_Networks | None, meant("From where it is good; none: from anywhere.")] = (
        None
    )
    expires: Annotated[TimeText | UnsetType | None, meant("When it ends; null: never.")] = UNSET


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A new token."""

    token: str | None
    """Shown this once; null: a dry run."""
    terms: TokenView


class Issuing:
    """At a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def page(self, holder: Holder, wanted: TokenQuery, part: Part) -> Slice[TokenView]:
        """Those of its tenants. Raises RefusedError."""
        scope = (await self._desk.reach(holder)).scope
        async with self._desk.pool.acquire() as connection:
            return await listed(connection, scope, wanted, part)

    async def one(self, holder: Holder, name: str) -> TokenView:
        """Raises RefusedError."""
        reach = await self._desk.reach(holder)
        async with self._desk.pool.acquire() as connection:
            found = await token.one(connection, name)
        reach.see("token", name, found.tenants)
        return found

    async def add(
        self, holder: Holder, new: NewToken, address: str, *, dry: bool
    ) -> Administered[Issued]:
        """Raises RefusedError."""
        await self._desk.prove(holder, new, address, dry=dry)

        async def do(act: Act, reach: Reach) -> Issued:
            tenants = await reach.give(act.connection, new.tenants)
            terms = TokenTerms(
                role=_role(new.scope),
                tenants=tenants or (),
                networks=_usual(new.networks),
                expires=None if new.expires is None else moment(new.expires, "expires"),
            )
            reach.bound(terms.networks, terms.expires)
            made = await token.add(act, new.name, terms)
            shown = None if dry else made
            return Issued(token=shown, terms=await token.one(act.connection, new.name))

        return await self._desk.change(holder, do, dry=dry)

    async def change(
        self,
        holder: Holder,
        name: str,
        wanted: TokenChange,
        address: str,
        *,
        dry: bool,
        still: Still | None = None,
    ) -> Administered[TokenView]:
        """`still` is asked while nobody else changes it. Raises RefusedError."""
        await self._desk.prove(holder, wanted, address, dry=dry)

        async def do(act: Act, reach: Reach) -> TokenView:
            was = await _theirs(act, reach, name, still)
            tenants = tuple(was.tenants or ())
            if wanted.tenants is not UNSET:
                tenants = await reach.give(act.connection, wanted.tenants) or ()
            expires = wanted.expires
            if expires is UNSET:
                expires = was.expires
            known: Role = was.role  # type: ignore[assignment]
            terms = TokenTerms(
                role=_role(wanted.scope) if wanted.scope else known,
                tenants=tenants,
                networks=tuple(was.networks)
                if wanted.networks is None
                else _usual(wanted.networks),
                expires=None if expires is None else moment(expires, "expires"),
            )
            reach.bound(terms.networks, terms.expires)
            return await token.change(act, name, terms)

        return await self._desk.change(holder, do, dry=dry)

    async def revoke(
        self, holder: Holder, name: str, reason: str, *, dry: bool, still: Still | None = None
    ) -> Administered[TokenView]:
        """Worthless at once. Raises RefusedError."""

        async def do(act: Act, reach: Reach) -> TokenView:
            was = await _theirs(act, reach, name, still)
            await token.revoke(act, name, reason)
            return was

        return await self._desk.change(holder, do, dry=dry)


async def _theirs(act: Act, reach: Reach, name: str, still: Still | None) -> TokenView:
    """How it is, until the act ends. Raises RefusedError: 404 for what is not in reach, and then
    what `still` raises."""
    was = await token.locked(act, name)
    reach.see("token", name, was.tenants)
    if still is not None:
        await still(act.connection)
    return was


def _role(scope: Scope) -> Role:
    return SCOPES.get(scope) or scope  # type: ignore[return-value]


def _usual(networks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(source_network(one) for one in networks)
