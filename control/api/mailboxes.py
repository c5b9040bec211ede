"""/api/v2/tenants/{tenant}/mailboxes: limits of single sender addresses, and what they sent."""

from typing import Annotated

import msgspec
from redis.exceptions import RedisError

from control.api.page import listing, page
from control.api.route import DRY, GONE, Call, Route, Thing, changed
from control.mailboxes import importing, limits
from control.mailboxes.importing import Imported, MailboxList
from control.mailboxes.limits import MailboxChange
from control.mailboxes.standing import Discovered, MailboxView, standing, view
from control.plan.changed import Changed, Removed
from control.plan.publish import Publisher
from control.plan.rows import MailboxRow, mailboxes
from control.plan.view import Reader, View
from control.problem import away, missing
from control.tenants.view import must_exist
from control.values.wanted import meant
from policy.address import mailbox_of
from policy.ledger.admin import LedgerAdmin
from policy.ledger.mailboxes import page as part
from policy.limits import day_of
from policy.model import Tenant


class DiscoveredQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part."""

    cursor: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None, meant("The `cursor` of the part before.")
    ] = None


class MailboxSet(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody sets of a mailbox; all else that is shown of it follows from its tenant's terms
    and from what it sent."""

    tenant: str
    address: str
    added: bool
    limits: MailboxRow | None


MEASURED = frozenset(MailboxView.__struct_fields__) - frozenset(MailboxSet.__struct_fields__)


class MailboxesApi:
    """Of one publisher; counts from one ledger."""

    def __init__(self, publisher: Publisher, view: View, admin: LedgerAdmin) -> None:
        self._publisher = publisher
        self._view = view
        self._admin = admin

    async def _list(self, call: Call) -> list[MailboxRow]:
        name = call.path["tenant"]
        async with self._view() as connection:
            await must_exist(connection, name)
            return await mailboxes(
                connection, name, page=page(call), containing=call.query.get("containing")
            )

    async def _one(self, call: Call) -> MailboxView:
        name, asked = call.path["tenant"], call.path["address"]
        tenant, address = await self._tenant(name), mailbox_of(asked) or asked
        async with self._view() as connection:
            rows = await mailboxes(connection, name, [address])
        try:
            [found] = await standing(self._admin, tenant, rows, address)
        except (RedisError, OSError) as error:
            raise away("the ledger", error) from error
        if not found.added and not found.first:
            raise missing("mailbox", f"{address} of tenant {name}")
        return found

    async def _read(self, call: Call, connection: Reader) -> MailboxSet:
        name, asked = call.path["tenant"], call.path["address"]
        address = mailbox_of(asked) or asked
        own = await mailboxes(connection, name, [address])
        return MailboxSet(
            tenant=name, address=address, added=bool(own), limits=own[0] if own else None
        )

    async def _discovered(self, call: Call) -> Discovered:
        name, wanted = call.path["tenant"], call.wanted.cursor or 0
        tenant = await self._tenant(name)
        try:
            now, _ = await self._admin.now()
            found, cursor = await part(
                self._admin.client, self._admin.root, name, wanted, day_of(now)
            )
        except (RedisError, OSError) as error:
            raise away("the ledger", error) from error
        async with self._view() as connection:
            rows = await mailboxes(connection, name, [address for address, _ in found])
        own = {row.address for row in rows}
        return Discovered(
            mailboxes=[
                view(tenant, address, None, record, now)
                for address, record in found
                if address not in own
            ],
            cursor=str(cursor) if cursor else None,
        )

    async def _tenant(self, name: str) -> Tenant:
        """As it is published. Raises RefusedError."""
        generation = await self._publisher.current()
        tenant = None if generation is None else generation.tenant.get(name)
        if tenant is None:
            raise missing("tenant", name)
        return tenant

    async def _put(self, call: Call) -> Changed[MailboxRow]:
        name, address = call.path["tenant"], call.path["address"]
        return await changed(
            self._publisher, call, lambda act: limits.set_mailbox(act, name, address, call.body)
        )

    async def _import(self, call: Call) -> Changed[Imported]:
        name = call.path["tenant"]
        return await changed(
            self._publisher, call, lambda act: importing.take(act, name, call.body)
        )

    async def _remove(self, call: Call) -> Changed[Removed]:
        name, address, reason = call.path["tenant"], call.path["address"], call.reason
        return await changed(
            self._publisher, call, lambda act: limits.remove_mailbox(act, name, address, reason)
        )

    def routes(self) -> list[Route]:
        """All of them."""
        every = "/api/v2/tenants/{tenant}/mailboxes"
        one = f"{every}/{{address}}"
        return [
            Route(
                "GET",
                every,
                "Mailboxes with limits of their own",
                self._list,
                list[MailboxRow],
                query={"containing": "only addresses with this in them"},
                listing=listing("address", sort="address"),
            ),
            Route(
                "GET",
                f"{every}/discovered",
                "Mailboxes that send and were not added, with what they sent today",
                self._discovered,
                Discovered,
                wanted=DiscoveredQuery,
            ),
            Route(
                "POST",
                f"{every}/import",
                f"Limits of up to {importing.MOST} mailboxes as CSV: all of them, or none",
                self._import,
                Changed[Imported],
                body=MailboxList,
                query=DRY,
            ),
            Route(
                "GET",
                one,
                "One mailbox: what it sent and may send",
                self._one,
                MailboxView,
                thing=Thing(self._read, measured=MEASURED, there=lambda found: found.added),
            ),
            Route(
                "PUT",
                one,
                "Limits of one mailbox, in place of the tenant's",
                self._put,
                Changed[MailboxRow],
                body=MailboxChange,
                query=DRY,
            ),
            Route(
                "DELETE",
                one,
                "Let the tenant's limits hold for a mailbox again",
                self._remove,
                Changed[Removed],
                query=GONE,
            ),
        ]
