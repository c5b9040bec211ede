"""People as an admin looks after them from outside: no farther than it reaches."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from control.store.change import Act, Still
from control.users import link, person
from control.users.desk import Administered, Desk, Proof
from control.users.letter import mailed
from control.users.person import MailText, PersonName, PersonView, Terms
from control.users.personlist import UserQuery, listed
from control.users.reach import Reach
from control.users.role import Holder, PersonRole
from control.values.part import Part, Slice
from control.values.wanted import meant
from policy.model import Name
from settings.alerts import Alerts
from settings.people import People as Settings

TenantNames = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1000)]


class NewUser(Proof, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to sign in."""

    name: Annotated[PersonName, meant("An e-mail address in lower case, or a word.")]
    role: Annotated[PersonRole, meant("admin, operator or viewer.")] = "viewer"
    tenants: Annotated[TenantNames | None, meant("The only ones; null: all.")] = None
    mail: Annotated[
        MailText | None, meant("Where links are mailed; else the name, where that is an address.")
    ] = None


class UserChange(Proof, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field left out stays as it is."""

    role: Annotated[PersonRole | None, meant("admin, operator or viewer.")] = None
    tenants: Annotated[TenantNames | UnsetType | None, meant("The only ones; null: all.")] = UNSET
    mail: Annotated[
        MailText | UnsetType | None, meant("Where links are mailed; null: nowhere.")
    ] = UNSET
    disabled: Annotated[
        bool | None, meant("true: it is let in no more, and its sessions end; false: again.")
    ] = None


class UserReset(Proof, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way back for who lost its password."""

    codes: Annotated[bool, meant("Take its codes off, too: the device is lost.")] = False


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """A user, and its one-time link."""

    user: PersonView
    link: str | None
    """Shown this once; null: it was mailed, or this was a dry run."""
    mail: str
    """Mailed to whom, or why not; empty: nowhere to mail it to."""


class People:
    """Looked after at a desk."""

    def __init__(self, desk: Desk, settings: Settings, alerts: Alerts) -> None:
        self._desk = desk
        self._settings = settings
        self._alerts = alerts

    async def page(self, holder: Holder, wanted: UserQuery, part: Part) -> Slice[PersonView]:
        """Those of its tenants."""
        scope = (await self._desk.reach(holder)).scope
        async with self._desk.pool.acquire() as connection:
            return await listed(connection, scope, wanted, part)

    async def one(self, holder: Holder, name: str) -> PersonView:
        """Raises RefusedError."""
        reach = await self._desk.reach(holder)
        async with self._desk.pool.acquire() as connection:
            found = await person.person(connection, name)
        reach.see("user", name, found.tenants)
        return found

    async def add(
        self, holder: Holder, new: NewUser, address: str, *, dry: bool
    ) -> Administered[Linked]:
        """With the link of its invitation. Raises RefusedError."""
        await self._desk.prove(holder, new, address, dry=dry)

        async def do(act: Act, reach: Reach) -> tuple[PersonView, str]:
            reach.unbound()
            tenants = await reach.give(act.connection, new.tenants)
            mail = new.mail or (new.name if "@" in new.name else None)
            terms = Terms(role=new.role, tenants=tenants, mail=mail)
            return await person.add(act, new.name, terms, self._settings.link)

        return await self._linked(await self._desk.change(holder, do, dry=dry))

    async def change(
        self,
        holder: Holder,
        name: str,
        wanted: UserChange,
        address: str,
        reason: str,
        *,
        dry: bool,
        still: Still | None = None,
    ) -> Administered[PersonView]:
        """`still` is asked while nobody else changes it. Raises RefusedError."""
        gives = wanted.role or wanted.tenants is not UNSET or wanted.mail is not UNSET
        if gives or wanted.disabled is False:
            await self._desk.prove(holder, wanted, address, dry=dry)

        async def do(act: Act, reach: Reach) -> PersonView:
            was = await _theirs(act, reach, name, still)
            if gives or wanted.disabled is False:
                reach.unbound()
            if gives:
                kept = None if was.tenants is None else tuple(was.tenants)
                tenants = kept
                if wanted.tenants is not UNSET:
                    tenants = await reach.give(act.connection, wanted.tenants)
                terms = Terms(
                    role=wanted.role or was.role,
                    tenants=tenants,
                    mail=was.mail if wanted.mail is UNSET else wanted.mail,
                )
                was = await person.change(act, name, terms)
            if wanted.disabled is not None:
                if wanted.disabled:
                    return await person.disable(act, name, reason=reason)
                return await person.enable(act, name)
            if not gives:
                act.no_change("nothing to change was given")
            return was

        return await self._desk.change(holder, do, dry=dry)

    async def reset(
        self,
        holder: Holder,
        name: str,
        wanted: UserReset,
        address: str,
        *,
        dry: bool,
        still: Still | None = None,
    ) -> Administered[Linked]:
        """Its sessions and its password end; a link lets it choose another. Raises
        RefusedError."""
        await self._desk.prove(holder, wanted, address, dry=dry)

        async def do(act: Act, reach: Reach) -> tuple[PersonView, str]:
            reach.unbound()
            await _theirs(act, reach, name, still)
            return await person.reset(act, name, self._settings.link, codes=wanted.codes)

        return await self._linked(await self._desk.change(holder, do, dry=dry))

    async def end_sessions(
        self, holder: Holder, name: str, reason: str, *, dry: bool, still: Still | None = None
    ) -> Administered[PersonView]:
        """It has to sign in anew. Raises RefusedError."""

        async def do(act: Act, reach: Reach) -> PersonView:
            await _theirs(act, reach, name, still)
            return await person.end_sessions(act, name, reason)

        return await self._desk.change(holder, do, dry=dry)

    async def remove(
        self, holder: Holder, name: str, reason: str, *, dry: bool, still: Still | None = None
    ) -> Administered[PersonView]:
        """Raises RefusedError."""

        async def do(act: Act, reach: Reach) -> PersonView:
            await _theirs(act, reach, name, still)
            return await person.remove(act, name, reason=reason)

        return await self._desk.change(holder, do, dry=dry)

    async def _linked(self, done: Administered[tuple[PersonView, str]]) -> Administered[Linked]:
        """What was made, once it is committed: mailed, or else answered."""
        of, secret = done.view
        given, mail = None, ""
        if not done.dry_run:
            given = link.written(secret, self._settings.url)
            mail = await mailed(of, given, self._alerts)
            if mail.startswith("mailed "):
                given = None
        return Administered(
            view=Linked(user=of, link=given, mail=mail),
            dry_run=done.dry_run,
            notes=done.notes,
            differences=done.differences,
        )


async def _theirs(act: Act, reach: Reach, name: str, still: Still | None) -> PersonView:
    """How it is, until the act ends. Raises RefusedError: 404 for who is not in reach, and then
    what `still` raises."""
    _, was = await person.locked(act, name)
    reach.see("user", name, was.tenants)
    if still is not None:
        await still(act.connection)
    return was
