"""One's own account: sessions that go on, and ending them; the password."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.visit import Visit
from control.problem import bad
from control.users.browser import Browsers

ME = ("GET", "/api/v1/auth/me")
PASSWORD = ("POST", "/api/v1/auth/password")
SIGN_IN = "/sign-in"


class Own:
    """Of whoever asks."""

    def __init__(self, browsers: Browsers) -> None:
        self._browsers = browsers

    async def view(self, visit: Visit) -> Mapping[str, Any]:
        """Who asks, and its sessions."""
        me = await visit.ask(*ME)
        return {"me": me, "sessions": await self._browsers.own(visit.holder)}

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
            },
        )
