"""Logins of a tenant: each with its own password."""

from typing import Annotated, Any

import msgspec

from control.keyset import Column, Keyset
from control.plan.changed import Removed
from control.problem import cut, in_the_way, missing, taken
from control.store.change import Act
from control.store.database import Connection
from control.store.refusal import unless_taken
from control.tenants.password import PasswordText, hashed
from control.values.name import LoginName, login_name
from control.values.part import Part, Slice
from control.values.wanted import meant
from policy.isotime import instant, instant_of
from settings.statements import statements

_SQL = statements(__package__, "login")
_NAME = Column(name="name", sql='name COLLATE "C"')
LIST = Keyset(
    _SQL["all"],
    {
        "name": (_NAME,),
        "created": (Column(name="created", sql="created", kind="timestamptz"), _NAME),
    },
    given=1,
)


class NewLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more login of a tenant."""

    login: Annotated[LoginName, meant("SMTP user name; no other tenant's.")]
    password: Annotated[
        PasswordText, meant("SMTP password, 1 to 512 characters; kept as an argon2id hash only.")
    ]


class LoginView(msgspec.Struct, frozen=True):
    """A login, never its hash."""

    name: str
    created: str
    """ISO time."""
    used: str | None = None
    """When it last let a client in, to a minute or so; null: never, or nobody knows."""
    former_until: str | None = None
    """Until when its former password is good, too; null: it has none."""
    former_used: str | None = None
    """When that one last let a client in, to a minute or so; null: not since it is a former one."""


async def logins(connection: Connection, tenant: str, part: Part) -> Slice[LoginView]:
    """Those of one tenant. Raises RefusedError."""
    rows, after = await LIST.rows(connection, part, tenant)
    return Slice([_view(row) for row in rows], after)


async def login_view(connection: Connection, tenant: str, name: str) -> LoginView:
    """One of a tenant. Raises RefusedError (404)."""
    row = await connection.fetchrow(_SQL["view"], tenant, name)
    if row is None:
        raise missing("login", f"{cut(name)} of tenant {tenant}")
    return _view(row)


def _view(row: Any) -> LoginView:
    return LoginView(
        row["name"],
        instant_of(row["created"]),
        used=instant_of(row["used"]) if row["used"] else None,
        former_until=instant(row["former_until"]) if row["former_until"] else None,
        former_used=instant_of(row["former_used"]) if row["former_used"] else None,
    )


async def add(act: Act, tenant: str, new: NewLogin) -> LoginView:
    """Raises RefusedError."""
    await _tenant(act, tenant)
    login_name("login", new.login)
    digest = await hashed(new.password)
    with unless_taken(taken("login", f"{cut(new.login)} is taken; choose another")):
        await act.connection.execute(_SQL["add"], new.login, tenant, digest, act.now)
    await act.audit("login.add", tenant, None, {"login": new.login})
    return LoginView(new.login, instant_of(act.now))


async def remove(
    act: Act, tenant: str, login: str, *, force: bool = False, reason: str = ""
) -> Removed:
    """Nobody gets in by it any more. Raises RefusedError.

    `force`: the tenant's client may be turned away, and takes that for the recipient's fault."""
    await _tenant(act, tenant)
    if await act.connection.fetchval(_SQL["one"], tenant, login) is None:
        raise missing("login", f"{cut(login)} of tenant {tenant}")
    if not force and not await act.connection.fetchval(_SQL["other_way"], tenant, login):
        found = (
            f"tenant {tenant} has no other login and no network: its mail would be turned away, "
            "which MailWizz takes for final; add another first, or use --force"
        )
        raise in_the_way(f"login {cut(login)}", [found])
    await act.connection.execute(_SQL["remove"], tenant, login)
    await act.audit("login.remove", tenant, {"login": login}, {"force": force}, reason)
    return Removed(noun="login", name=login)


async def _tenant(act: Act, name: str) -> None:
    if await act.connection.fetchval(_SQL["tenant"], name) is None:
        raise missing("tenant", name)
