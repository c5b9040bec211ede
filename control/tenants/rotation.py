"""A login's next password, with the former one good besides for a while.

Owns: how it begins and how it ends. Not here: gateways, which take either until the end and hold a
former one against it by themselves (gateway/session/auth.py); a password replaced at once
(`control.tenants.tenant.set_password`), which ends a former one, too.
Rule: a login has one former password. A second rotation is refused while that is good: clients that
still have it would be turned away, which MailWizz takes for final.
"""

from typing import Annotated, Any

import msgspec

from control.problem import RefusedError, cut, missing
from control.store.change import Act
from control.tenants.login import LoginView, login_view
from control.tenants.password import PasswordText, hashed
from control.values.reason import ReasonText
from control.values.wanted import BY_DEFAULT, DURATION, meant
from policy.isotime import instant
from settings.control import FormerValid
from settings.statements import statements

_SQL = statements(__package__, "login")


class NextPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password that a login's clients are given one by one."""

    password: Annotated[
        PasswordText, meant("SMTP password, 1 to 512 characters; kept as an argon2id hash only.")
    ]
    keep: Annotated[
        FormerValid | None,
        BY_DEFAULT,
        DURATION,
        meant("For how long the former one is good besides; null: control.former_valid."),
    ] = None
    reason: ReasonText = ""


async def begin(act: Act, tenant: str, login: str, new: NextPassword, *, keep: float) -> LoginView:
    """From here on both are good. `keep`: seconds, where it is not said. Raises RefusedError."""
    row = await _locked(act, tenant, login)
    if row["until"] is not None and act.milliseconds < row["until"]:
        raise RefusedError(
            f"a former password of login {cut(login)} is good until {instant(row['until'])}: "
            "clients that have it would be turned away; end it (`sendgate login rotate --finish`) "
            "or call the new one off (`--cancel`) first"
        )
    until = act.milliseconds + round((new.keep or keep) * 1000)
    digest = await hashed(new.password)
    await act.connection.execute(_SQL["rotate"], tenant, login, digest, until, act.milliseconds)
    after = {"login": login, "former_until": instant(until)}
    await act.audit("login.rotate", tenant, {"login": login}, after, new.reason)
    act.note(f"the former password is good until {instant(until)}, then it ends by itself")
    return await login_view(act.connection, tenant, login)


async def call_off(act: Act, tenant: str, login: str, reason: str) -> LoginView:
    """The new password goes, the former one is the login's again, without an end. Raises
    RefusedError."""
    row = await _rotating(act, tenant, login)
    await act.connection.execute(_SQL["call_off"], tenant, login)
    await act.connection.execute(_SQL["end"], tenant, login)
    before = {"login": login, "former_until": instant(row["until"])}
    await act.audit("login.rotate_cancel", tenant, before, {"login": login}, reason)
    act.note("clients that have the new password are turned away from now on")
    return await login_view(act.connection, tenant, login)


async def finish(act: Act, tenant: str, login: str, reason: str) -> LoginView:
    """The former password ends at once. Raises RefusedError."""
    row = await _rotating(act, tenant, login)
    await act.connection.execute(_SQL["end"], tenant, login)
    before = {"login": login, "former_until": instant(row["until"])}
    await act.audit("login.rotate_end", tenant, before, {"login": login}, reason)
    return await login_view(act.connection, tenant, login)


async def ended(pool: Any, due: int) -> bool:
    """Whether a former password ended before `due`, calendar milliseconds."""
    return bool(await pool.fetchval(_SQL["ended"], due))


async def sweep(act: Act, due: int) -> int:
    """Forget those that ended before `due`. Returns how many."""
    rows = await act.connection.fetch(_SQL["sweep"], due)
    for row in rows:
        before = {"login": row["login"], "former_until": instant(row["until"])}
        after = {"login": row["login"]}
        await act.audit("login.rotate_end", row["tenant"], before, after, "its end had come")
    if not rows:
        act.no_change("no former password ended")
    return len(rows)


async def _rotating(act: Act, tenant: str, login: str) -> Any:
    row = await _locked(act, tenant, login)
    if row["former"] is None:
        raise RefusedError(f"login {cut(login)} has no former password")
    return row


async def _locked(act: Act, tenant: str, login: str) -> Any:
    """A login's passwords, its tenant locked for the change."""
    if await act.connection.fetchval(_SQL["tenant"], tenant) is None:
        raise missing("tenant", tenant)
    row = await act.connection.fetchrow(_SQL["rotating"], tenant, login)
    if row is None:
        raise missing("login", f"{cut(login)} of tenant {tenant}")
    return row
