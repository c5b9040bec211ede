"""Tenants: add, pause, resume, change a password."""

from typing import Annotated

import msgspec

from control.plan.rows import TenantRow
from control.plan.terms import Terms
from control.problem import cut, missing, taken
from control.store.change import Act
from control.store.refusal import unless_taken
from control.tenants.password import PasswordText, hashed
from control.tenants.poolname import add_pool, holder_of
from control.tenants.removal import nothing_left
from control.tenants.terms import TenantChange, applied, store
from control.values.name import LoginName, LoginText, NewName, login_name, new_name
from control.values.wanted import given, meant
from policy.number import agree, count
from settings.statements import statements

_SQL = statements(__package__, "tenant")


class NewTenant(TenantChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer with its terms and its first login."""

    name: NewName
    login: Annotated[LoginName, meant("SMTP user name.")]
    password: Annotated[
        PasswordText,
        meant("SMTP password, 1 to 512 characters; kept as an argon2id hash only."),
    ]


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login's next password."""

    login: LoginText
    password: PasswordText


async def add(act: Act, new: NewTenant) -> str:
    """A tenant with an empty default pool of the same name. Raises RefusedError."""
    new_name("name", new.name)
    row = TenantRow(name=new.name, paused=False, default_pool=new.name, logins=[], networks=[])
    after = applied(row, new)
    login_name("login", new.login)
    digest = await hashed(new.password)
    with unless_taken(taken("name", f"tenant {new.name} exists already")):
        await act.connection.execute(_SQL["add"], new.name, after.profile, new.name, act.now)
    await nothing_left(act, new.name)
    if (holder := await holder_of(act, new.name)) is not None:
        raise taken(
            "name",
            f"tenant {new.name}: its pool would have the name of {holder} (PowerMTA does not tell "
            "capitals); choose another name",
        )
    pool = taken("name", f"{new.name} is taken by a pool; choose another")
    await add_pool(act, new.name, new.name, taken=pool)
    with unless_taken(taken("login", f"{cut(new.login)} is taken; choose another")):
        await act.connection.execute(_SQL["add_login"], new.login, new.name, digest, act.now)
    await store(act, row, after)
    asked = {field: getattr(after, field) for field in given(Terms, new)}
    audited = {"login": new.login, "networks": after.networks, "profile": after.profile, **asked}
    await act.audit("tenant.add", new.name, None, audited)
    return new.name


async def default_pool(act: Act, name: str) -> str:
    """Of a tenant, which is locked for the change. Raises RefusedError."""
    row = await act.connection.fetchrow(_SQL["lock"], name)
    if row is None:
        raise missing("tenant", name)
    return str(row["default_pool"])


async def set_paused(act: Act, name: str, paused: bool) -> str:
    """Stop or go on with a tenant's mail; idempotent. Raises RefusedError."""
    row = await act.connection.fetchrow(_SQL["lock"], name)
    if row is None:
        raise missing("tenant", name)
    leaving = row["leaving"] is not None
    if row["paused"] == paused and (paused or not leaving):
        act.no_change(f"tenant {name} is {'paused' if paused else 'not paused'} already")
        return name
    await act.connection.execute(_SQL["set_paused"], name, paused)
    action = "tenant.pause" if paused else "tenant.resume"
    before = {"paused": row["paused"], **({"leaving": True} if leaving else {})}
    await act.audit(action, name, before, {"paused": paused})
    if leaving and not paused:
        act.note("its removal is called off")
    waiting = await act.connection.fetchval(_SQL["waiting"], name)
    act.note(
        stopped(waiting, f"tenant resume {name}")
        if paused
        else f"{count(waiting, 'held message')} {agree(waiting, 'goes', 'go')} on"
    )
    return name


def stopped(messages: int, resume: str) -> str:
    """What a pause does to mail that is here and to what comes."""
    return f"{count(messages, 'held message')} and all new mail wait until `sendgate {resume}`"


async def set_password(act: Act, name: str, new: NewPassword) -> str:
    """Replace the password of one of the tenant's logins. Raises RefusedError."""
    digest = await hashed(new.password)
    if await act.connection.fetchval(_SQL["set_password"], name, new.login, digest) is None:
        raise missing("login", f"{cut(new.login)} of tenant {name}")
    same = {"login": new.login}
    await act.audit("tenant.password", name, same, same)
    return name
