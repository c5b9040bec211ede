"""Signing in and out, a password by a one-time link, and one's own sessions.

Rule: what is wrong at sign-in is said as the API's login says it; the session that a browser had
before is over with a new one.
"""

from aiohttp import web

from control.console import cookie
from control.console.console import SIGN_IN, Console
from control.problem import RefusedError
from control.users.browser import Browsers
from control.users.credential import Credentials
from control.users.role import Holder

ACCOUNT, LINK, OUT = "/account", "/sign-in/link", "/sign-out"


class Account:
    """Beside the pages of a console, which it is mounted with."""

    def __init__(
        self, console: Console, browsers: Browsers, credentials: Credentials, session: float
    ) -> None:
        """`session`: seconds a session may last, for the cookie's own end."""
        self._console = console
        self._browsers = browsers
        self._credentials = credentials
        self._session = session

    def mount(self, app: web.Application) -> None:
        """All of its paths."""
        of, add = self._console, app.router
        add.add_get(SIGN_IN, of.anybody(self._form))
        add.add_post(SIGN_IN, of.anybody(self._sign_in))
        add.add_get(LINK, of.anybody(self._link))
        add.add_post(LINK, of.anybody(self._redeem))
        add.add_post(OUT, of.known(self._sign_out))

    async def _form(self, request: web.Request) -> web.Response:
        self._console.stranger(request)
        said = cookie.said(request)
        answer = self._sign_in_page(request, {}, said=said)
        if said:
            cookie.shown(answer)
        return answer

    async def _sign_in(self, request: web.Request) -> web.Response:
        self._console.stranger(request)
        form = await self._console.form(request)
        name, password = form.get("name", "").strip(), form.get("password", "")
        code = form.get("code", "").replace(" ", "") or None
        try:
            secret = await self._browsers.sign_in(
                *(name, password, code, self._console.address(request)),
                brought=cookie.session(request),
            )
        except RefusedError as error:
            return self._sign_in_page(request, form, error=error)
        answer = self._console.to(_within(form.get("to", "")))
        cookie.begin(answer, secret, self._session)
        return answer

    def _sign_in_page(
        self,
        request: web.Request,
        form: object,
        *,
        error: RefusedError | None = None,
        said: str = "",
    ) -> web.Response:
        fields = {} if error is None else {one.field: one.detail for one in error.errors}
        given = {
            "title": "Sign in",
            "form": form,
            "fields": fields,
            "refused": "" if error is None or fields else error.detail,
            "to": request.query.get("to", ""),
            "said": said,
        }
        text = self._console.screen.alone("sign_in.html", given)
        headers = {"Retry-After": str(error.after)} if error is not None and error.after else {}
        status = 200 if error is None else error.status
        return self._console.html(text, status=status, headers=headers)

    async def _link(self, request: web.Request) -> web.Response:
        self._console.stranger(request)
        return self._link_page()

    async def _redeem(self, request: web.Request) -> web.Response:
        self._console.stranger(request)
        form = await self._console.form(request)
        if form.get("password", "") != form.get("again", ""):
            return self._link_page({"again": "the two are not the same"}, 400)
        try:
            address = self._console.address(request)
            name = await self._credentials.redeem(
                form.get("link", ""), form.get("password", ""), address
            )
        except RefusedError as error:
            fields = {one.field: one.detail for one in error.errors}
            return self._link_page(fields or {"link": error.detail}, error.status)
        return self._console.to(SIGN_IN, f"{name} has this password now: sign in with it.")

    def _link_page(self, fields: dict[str, str] | None = None, status: int = 200) -> web.Response:
        given = {"title": "Choose your password", "fields": fields or {}}
        return self._console.html(self._console.screen.alone("link.html", given), status=status)

    async def _sign_out(self, request: web.Request, holder: Holder) -> web.Response:
        await self._console.form(request)
        await self._browsers.sign_out(holder)
        answer = self._console.to(SIGN_IN, "You are signed out.")
        cookie.end(answer)
        return answer


def _within(path: str) -> str:
    """Where to go on after signing in: a path of ours, never another site (`//host`, a scheme)."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"
