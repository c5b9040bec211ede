"""One's own account: sessions that go on, and ending them; the password; the second factor.

Rule: the secret for an app and the recovery codes are shown once, on the page that answers the
form. Who lost the first before a code of it was given asks for another; the second stay what they
are until codes are switched off."""

from collections.abc import Mapping
from typing import Any

from control.api.auth import RecoveryCodes
from control.console.page import Action, Done, Page
from control.console.visit import Visit
from control.problem import bad
from control.users.browser import Browsers
from control.users.credential import CodeSecret, Credentials

ME = ("GET", "/api/v1/auth/me")
PASSWORD = ("POST", "/api/v1/auth/password")
CODES = ("POST", "/api/v1/auth/codes")
CONFIRM = ("POST", "/api/v1/auth/codes/confirm")
OFF = ("POST", "/api/v1/auth/codes/off")
SIGN_IN = "/sign-in"


class Own:
    """Of whoever asks."""

    def __init__(self, browsers: Browsers, credentials: Credentials) -> None:
        self._browsers = browsers
        self._credentials = credentials

    async def view(self, visit: Visit) -> Mapping[str, Any]:
        """Who asks, and its sessions."""
        me = await visit.ask(*ME)
        return {
            "me": me,
            "sessions": await self._browsers.own(visit.holder),
            "codes": await self._credentials.codes(visit.holder),
        }

    async def end(self, visit: Visit) -> Done:
        """Another session of one's own."""
        await self._browsers.end(visit.holder, visit.form.get("session", ""))
        return Done("That session is over.")

    async def everywhere(self, visit: Visit) -> Done:
        """All of them, this one too."""
        ended = await self._browsers.everywhere(visit.holder)
        said = f"{ended} session{'' if ended == 1 else 's'} ended: you are signed out everywhere."
        return Done(said, to=SIGN_IN)

    async def password(self, visit: Visit) -> Done:
        """Another one; the other sessions end."""
        form = visit.form
        if form.get("new", "") != form.get("again", ""):
            raise bad("again", "the two are not the same")
        body = {name: form.get(name, "") for name in ("password", "new")}
        await visit.ask(*PASSWORD, body=body)
        return Done("You have another password. Your other sessions are over.")

    async def codes(self, visit: Visit) -> Done:
        """A secret for an app, with the password; another one than was offered before."""
        body = {"password": visit.form.get("password", "")}
        made: CodeSecret = await visit.ask(*CODES, body=body)
        said = "Have your app read it, or type its secret; then give a code that it shows."
        return Done(said, notes=(made.uri,), secret=made.secret)

    async def confirm(self, visit: Visit) -> Done:
        """Codes are wanted from now on."""
        made: RecoveryCodes = await visit.ask(*CONFIRM, body={"code": _code(visit)})
        said = (
            "Codes are on: signing in wants one from now on. Keep these for the day the device is "
            "gone; each is good once."
        )
        return Done(said, secret="\n".join(made.recovery))

    async def codes_off(self, visit: Visit) -> Done:
        """No codes any more, with the password and one of them."""
        body = {"password": visit.form.get("password", ""), "code": _code(visit)}
        await visit.ask(*OFF, body=body)
        return Done("Codes are off: your password alone lets you in.")

    def page(self) -> Page:
        """Not in the menu: it stands beside it."""
        return Page(
            path="/account",
            title="Your account",
            template="account.html",
            view=self.view,
            needs=ME,
            actions={
                "end": Action(ME, self.end, "End it"),
                "everywhere": Action(ME, self.everywhere, "Sign out everywhere"),
                "password": Action(PASSWORD, self.password, "Change the password"),
                "codes": Action(CODES, self.codes, "Set up codes"),
                "confirm": Action(CONFIRM, self.confirm, "Switch codes on"),
                "codes_off": Action(OFF, self.codes_off, "Switch codes off"),
            },
        )


def _code(visit: Visit) -> str:
    """As it was typed, but for the blanks apps show it with."""
    return "".join(visit.form.get("code", "").split())
