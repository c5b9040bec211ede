"""Changes of people and tokens that are asked for from outside: one transaction each, which
publishes no plan.

Rule: an access token that was stolen must not become an account that stays. Who gives somebody a
way in (a new user or token, another role or mail, a reset) and is a person says its password, and
its code where it has codes; who takes one away (disable, end sessions, remove, revoke) says
neither: that has to be quick, and the last admin stays. A token of the API has no password: it is
as good as what it makes, and ends as that does (`reach`). A dry run gives nothing, and asks for
none.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from control.store.change import Act, Difference
from control.users.credential import CodeText, Credentials, OwnPassword
from control.users.entry import Moment
from control.users.reach import Reach, reach_of
from control.users.role import Holder
from control.values.wanted import meant

T = TypeVar("T")
V = TypeVar("V")


class Administered(msgspec.Struct, Generic[V], frozen=True, kw_only=True):
    """The answer to a change that was made (or, with `dry_run`, could be)."""

    view: V
    """As it is afterwards; of what was removed, as it was."""
    dry_run: bool = False
    changed: bool = True
    """False: everything was as asked for already."""
    notes: list[str] = []
    """What to know besides."""
    differences: list[Difference] = []
    """What it set, field by field, as the audit log has it."""


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That who asks is who it says; other bodies have these fields after their own."""

    own_password: Annotated[
        OwnPassword | None, meant("Of who asks, where that is a user; a token has none.")
    ] = None
    own_code: Annotated[
        CodeText | None, meant("Of its app, where it has codes, or one that was kept.")
    ] = None


class Desk:
    """Of one control process."""

    def __init__(self, pool: Any, credentials: Credentials, moment: Moment) -> None:
        self.pool = pool
        self._credentials = credentials
        self._moment = moment

    async def prove(self, holder: Holder, proof: Proof, address: str, *, dry: bool) -> None:
        """Raises RefusedError (401)."""
        if holder.person is not None and not dry:
            await self._credentials.prove(holder, proof.own_password, proof.own_code, address)

    async def reach(self, holder: Holder) -> Reach:
        """To look at something. Raises RefusedError."""
        async with self.pool.acquire() as connection:
            return await reach_of(connection, holder)

    async def change(
        self, holder: Holder, do: Callable[[Act, Reach], Awaitable[T]], *, dry: bool = False
    ) -> Administered[T]:
        """Runs it; `dry` rolls it back. Raises RefusedError, and nothing was changed then."""
        now = await self._moment()
        async with self.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            done = False
            try:
                act = Act(connection, now, holder.name)
                view = await do(act, await reach_of(connection, holder))
                done = not dry
            finally:
                await (transaction.commit() if done else transaction.rollback())
        return Administered(
            view=view,
            dry_run=dry,
            changed=bool(act.audited),
            notes=[*act.notes, *act.unchanged],
            differences=act.differences,
        )
