"""People: who may sign in, as what, and for which tenants.

Rule: nobody sees a password but who it is of: a person comes with a one-time link (`link`). The
last admin of all tenants stays, unless somebody on the host insists.
"""

import re
from typing import Annotated, Any

import msgspec

from control.problem import RefusedError, bad, missing, taken
from control.store.change import Act
from control.store.database import Connection
from control.store.reference import must
from control.store.refusal import unless_taken
from control.users import link
from control.users.role import PersonRole
from control.values.wanted import meant
from policy.isotime import instant_of
from settings.statements import statements

SQL = statements(__package__, "person")
_ONE = SQL["one"].replace("{shown}", SQL["shown"].rstrip(";"))

_NAME = "[a-z0-9][a-z0-9._@+-]{0,127}"
PersonName = Annotated[str, msgspec.Meta(pattern=f"^{_NAME}$", max_length=128)]
"""An e-mail address in lower case, or a word."""
_MAIL = re.compile(r"[^@\s<>,;\"()]{1,64}@[^@\s<>,;\"()]{1,255}")
_PART = r"[!#-'*+./:=?0-9A-Z\[\\\]^_`a-z{|}~-]"
MailText = Annotated[str, msgspec.Meta(pattern=f"^{_PART}{{1,64}}@{_PART}{{1,255}}$")]
"""The same as a pattern of ASCII, for a document."""


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """A person, never a secret of it."""

    name: str
    role: PersonRole
    tenants: list[str] | None
    """null: all."""
    mail: str | None
    """Where its links are mailed."""
    disabled: bool
    signs_in: bool
    """Whether it has a password: the invitation was taken."""
    codes: bool
    """Whether it signs in with codes (RFC 6238), too."""
    sessions: int
    """That go on."""
    created: str
    used: str | None
    """When it signed in last; null: never."""
    link: str | None
    """Until when its one-time link is good; null: it has none."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is to be."""

    role: PersonRole
    tenants: tuple[str, ...] | None
    """Names or numbers; None: all."""
    mail: str | None


async def person(connection: Connection, name: str) -> PersonView:
    """Raises RefusedError."""
    row = await connection.fetchrow(_ONE, name)
    if row is None:
        raise missing("user", name)
    return view(row)


def view(row: Any) -> PersonView:
    return PersonView(
        name=row["name"],
        role=row["role"],
        tenants=None if row["everywhere"] else list(row["tenants"]),
        mail=row["mail"],
        disabled=row["disabled"],
        signs_in=row["signs_in"],
        codes=row["totp_on"],
        sessions=row["sessions"],
        created=instant_of(row["created"]),
        used=instant_of(row["used"]) if row["used"] else None,
        link=instant_of(row["link"]) if row["link"] else None,
    )


def _said(view: PersonView) -> dict[str, Any]:
    """As the audit log has it."""
    return {"role": view.role, "tenants": view.tenants, "mail": view.mail}


async def add(act: Act, name: str, terms: Terms, good: float) -> tuple[PersonView, str]:
    """A new one, and the secret of its invitation, which is good for so many seconds. Raises
    RefusedError."""
    if not re.fullmatch(_NAME, name):
        raise bad(
            "name",
            "expected an e-mail address in lower case, or a word of letters, digits and . _ @ + -",
        )
    _mail(terms.mail)
    tenants = await _tenants(act, terms)
    with unless_taken(taken("name", f"user {name} exists already; `sendgate user set` changes it")):
        number = await act.connection.fetchval(
            SQL["add"], name, terms.role, tenants is None, terms.mail, act.now
        )
    await act.connection.execute(SQL["bind"], number, tenants or [])
    secret = await link.make(act.connection, number, good)
    made = await person(act.connection, name)
    await act.audit("user.add", name, None, _said(made))
    return made, secret


async def change(act: Act, name: str, terms: Terms, *, force: bool = False) -> PersonView:
    """Raises RefusedError."""
    number, was = await locked(act, name)
    _mail(terms.mail)
    tenants = await _tenants(act, terms)
    if terms.role != "admin" or tenants is not None:
        await _not_the_last(act, number, was, force)
    await act.connection.execute(SQL["set"], number, terms.role, tenants is None, terms.mail)
    await act.connection.execute(SQL["unbind"], number)
    await act.connection.execute(SQL["bind"], number, tenants or [])
    now = await person(act.connection, name)
    if now == was:
        act.no_change(f"user {name} is that already")
    else:
        await act.audit("user.set", name, _said(was), _said(now))
        if (now.role, now.tenants) != (was.role, was.tenants):
            await act.connection.execute(SQL["end_browsing"], number)
    return now


async def disable(act: Act, name: str, *, reason: str = "", force: bool = False) -> PersonView:
    """It is let in no more, its sessions end. Raises RefusedError."""
    number, was = await locked(act, name)
    await _not_the_last(act, number, was, force)
    await act.connection.execute(SQL["disable"], number, True)
    await act.connection.execute(SQL["drop_link"], number)
    await act.connection.execute(SQL["end_sessions"], number, "disabled", None)
    if was.disabled:
        act.no_change(f"user {name} is disabled already")
    else:
        await act.audit("user.disable", name, {"disabled": False}, {"disabled": True}, reason)
    return await person(act.connection, name)


async def enable(act: Act, name: str) -> PersonView:
    """Raises RefusedError."""
    number, was = await locked(act, name)
    await act.connection.execute(SQL["disable"], number, False)
    if not was.disabled:
        act.no_change(f"user {name} is not disabled")
    else:
        await act.audit("user.enable", name, {"disabled": True}, {"disabled": False})
    return await person(act.connection, name)


async def end_sessions(act: Act, name: str, reason: str = "") -> PersonView:
    """It has to sign in anew. Raises RefusedError."""
    number, was = await locked(act, name)
    await act.connection.execute(SQL["end_sessions"], number, "admin", None)
    if not was.sessions:
        act.no_change(f"user {name} has no session")
    else:
        await act.audit("user.sessions", name, {"sessions": was.sessions}, {"sessions": 0}, reason)
    return await person(act.connection, name)


async def remove(act: Act, name: str, *, reason: str = "", force: bool = False) -> PersonView:
    """What it did stays in the audit log. Raises RefusedError."""
    number, was = await locked(act, name)
    await _not_the_last(act, number, was, force)
    await act.connection.execute(SQL["remove"], number)
    await act.audit("user.remove", name, _said(was), None, reason)
    return was


async def reset(
    act: Act, name: str, good: float, *, codes: bool = False, password: bool = True
) -> tuple[PersonView, str]:
    """Its sessions end, and a one-time link lets it choose a password; the secret of that. `codes`
    takes its codes off, too. Without `password` the one it has stays good until then, for who lost
    nothing but the device. Raises RefusedError."""
    number, was = await locked(act, name)
    if was.disabled:
        raise RefusedError(f"user {name} is disabled: `sendgate user enable {name}` first")
    if password:
        await act.connection.execute(SQL["forget_password"], number)
    if codes:
        await act.connection.execute(SQL["forget_codes"], number)
        await act.connection.execute(SQL["forget_recovery"], number)
    await act.connection.execute(SQL["end_sessions"], number, "reset", None)
    secret = await link.make(act.connection, number, good)
    await act.audit("user.reset", name, None, {"codes": codes})
    return await person(act.connection, name), secret


async def locked(act: Act, name: str) -> tuple[int, PersonView]:
    """Its id and how it is, until the act ends. Raises RefusedError."""
    number = await act.connection.fetchval(SQL["lock"], name)
    if number is None:
        raise missing("user", name)
    return number, await person(act.connection, name)


async def _not_the_last(act: Act, number: int, was: PersonView, force: bool) -> None:
    if force or was.role != "admin" or was.tenants is not None or was.disabled:
        return
    await act.connection.execute(SQL["alone"])
    if not await act.connection.fetchval(SQL["admins"], number):
        raise RefusedError(
            f"user {was.name} is the last admin of all tenants: add another first, or, on "
            "control's host, --force"
        )


def _mail(given: str | None) -> None:
    if given is not None and not (given.isascii() and _MAIL.fullmatch(given)):
        raise bad("mail", "expected an address such as anna@example.com")


async def _tenants(act: Act, terms: Terms) -> list[str] | None:
    if terms.tenants is None:
        return None
    if not terms.tenants:
        raise bad("tenant", "name one at least, or say --all-tenants")
    return sorted({await must(act.connection, "tenant", one) for one in terms.tenants})


NameText = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=128),
    meant("What the user is called: an e-mail address, or a word."),
]
