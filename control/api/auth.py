"""/api/v1/auth: people sign in, go on and leave, and look after their password and codes."""

from typing import Annotated, Any

import msgspec

from control.api.route import Call, Route
from control.problem import bad
from control.tenants.password import PasswordText
from control.users.credential import LONGEST, CodeSecret, CodeText, Credentials
from control.users.entry import Entry
from control.users.person import NameText
from control.users.session import SessionTokens
from control.values.name import printable
from control.values.wanted import meant

TokenText = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who signs in."""

    name: NameText
    password: Annotated[PasswordText, meant("The user's password.")]
    code: Annotated[CodeText | None, meant("Of the user's app, or one that was kept.")] = None


class SessionRefresh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session to go on with, or to end."""

    refresh_token: Annotated[TokenText, meant("The last one that was handed out.")]


class LinkRedeemed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A one-time link, and the password it is to give."""

    link: Annotated[TokenText, meant("Whole, or what stands behind its #.")]
    password: Annotated[PasswordText, meant("12 characters or more.")]


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another password."""

    password: Annotated[PasswordText, meant("The one so far.")]
    new: Annotated[PasswordText, meant("12 characters or more.")]


class PasswordProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That it is who it says."""

    password: Annotated[PasswordText, meant("The user's password.")]


class FirstCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That the app has the secret."""

    code: Annotated[CodeText, meant("That the app shows now.")]


class WithoutCodes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codes are to be off."""

    password: Annotated[PasswordText, meant("The user's password.")]
    code: Annotated[CodeText, meant("Of the app, or one that was kept.")]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    name: str
    kind: str
    """`user` or `token`."""
    role: str
    """Of a user `viewer`, `operator` or `admin`, of a token as it was made: `read`, `operator`,
    `admin` and the others."""
    tenants: list[str] | None
    """null: all."""


class RecoveryCodes(msgspec.Struct, frozen=True, kw_only=True):
    """Codes for the day the device is gone, each good once; shown this once."""

    recovery: list[str]


class LinkTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Whose it was."""

    name: str


class SessionDone(msgspec.Struct, frozen=True):
    """It is done."""


class AuthApi:
    """People, by themselves."""

    def __init__(self, entry: Entry, credentials: Credentials) -> None:
        self._entry = entry
        self._credentials = credentials

    async def _login(self, call: Call) -> SessionTokens:
        of: SignIn = _readable(call.body)
        return await self._entry.login(of.name, of.password, of.code, call.address)

    async def _refresh(self, call: Call) -> SessionTokens:
        return await self._entry.refresh(call.body.refresh_token, call.address)

    async def _logout(self, call: Call) -> SessionDone:
        await self._entry.logout(call.body.refresh_token, call.address)
        return SessionDone()

    async def _link(self, call: Call) -> LinkTaken:
        of: LinkRedeemed = _readable(call.body)
        return LinkTaken(name=await self._credentials.redeem(of.link, of.password, call.address))

    async def _me(self, call: Call) -> Me:
        of = call.asker
        tenants = None if of.tenants is None else list(of.tenants)
        return Me(name=of.name, kind=of.kind, role=of.known_as, tenants=tenants)

    async def _password(self, call: Call) -> SessionDone:
        of: PasswordChange = _readable(call.body)
        await self._credentials.change(call.asker, of.password, of.new, call.address)
        return SessionDone()

    async def _offer(self, call: Call) -> CodeSecret:
        password = _readable(call.body).password
        return await self._credentials.offer(call.asker, password, call.address)

    async def _confirm(self, call: Call) -> RecoveryCodes:
        kept = await self._credentials.confirm(call.asker, call.body.code, call.address)
        return RecoveryCodes(recovery=kept)

    async def _off(self, call: Call) -> SessionDone:
        of: WithoutCodes = _readable(call.body)
        await self._credentials.off(call.asker, of.password, of.code, call.address)
        return SessionDone()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            _posted("login", "Sign in", self._login, SessionTokens, SignIn, public=True),
            _posted(
                "refresh",
                "Go on with a session",
                self._refresh,
                SessionTokens,
                SessionRefresh,
                public=True,
            ),
            _posted(
                "logout", "End a session", self._logout, SessionDone, SessionRefresh, public=True
            ),
            _posted(
                "link",
                "A password by a one-time link",
                self._link,
                LinkTaken,
                LinkRedeemed,
                public=True,
            ),
            Route("GET", f"{PATH}/me", "Who asks", self._me, Me),
            _posted("password", "Change the password", self._password, SessionDone, PasswordChange),
            _posted(
                "codes",
                "A secret for an app that shows codes",
                self._offer,
                CodeSecret,
                PasswordProof,
            ),
            _posted(
                "codes/confirm", "Want codes from now on", self._confirm, RecoveryCodes, FirstCode
            ),
            _posted("codes/off", "Want no codes any more", self._off, SessionDone, WithoutCodes),
        ]


PATH = "/api/v1/auth"


def _posted(
    path: str, what: str, handler: object, answer: object, body: object, *, public: bool = False
) -> Route:
    return Route(
        "POST",
        f"{PATH}/{path}",
        what,
        handler,  # type: ignore[arg-type]
        answer,
        body=body,
        public=public,
        secret=True,
    )


def _readable(body: Any) -> Any:
    """Raises RefusedError (400) for a password that nobody can have."""
    for field in ("password", "new"):
        given = getattr(body, field, None)
        if given is not None and not (0 < len(given) <= LONGEST and printable(given)):
            raise bad(field, f"expected 1 to {LONGEST} characters, none of control")
    return body
