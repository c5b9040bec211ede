"""The console's door: who is signed in is known, a form is ours, what went wrong is a page.

Owns: every path beside the API's. Not here: what a page shows (`views`), who may what (the API's
table). Failure: nothing leaves as JSON or as a bare line: a refusal is a page with its detail and
what to do, and of a part that is away it says which.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from control.api import ratelimit
from control.api.application import REQUEST_ID
from control.api.asking import Within
from control.api.negotiation import UnsupportedError
from control.api.origin import come_from
from control.api.permission import allow
from control.api.refused import ASKER, Refusal, Refused
from control.console import cookie, seen
from control.console.files import PATH as FILES
from control.console.files import Files
from control.console.headers import PAGE
from control.console.kept import Kept
from control.console.page import Action, Done, File, Page
from control.console.sameorigin import must_be_ours
from control.console.screen import Screen
from control.console.visit import Visit
from control.problem import RefusedError
from control.users.asker import asked_by
from control.users.browser import Browsers
from control.users.rates import QuotaError, Rates
from control.users.role import Holder
from policy.node import Network

log = logging.getLogger(__name__)

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
SIGN_IN = "/sign-in"
FORM = "application/x-www-form-urlencoded"
FIELDS = 200
"""Most fields of a form."""


class Console:
    """Of one control process."""

    def __init__(
        self,
        pages: Iterable[Page],
        within: Within,
        browsers: Browsers,
        rates: Rates,
        refusal: Refusal,
        *,
        proxies: tuple[Network, ...] = (),
        url: str = "",
    ) -> None:
        """`url`: where people reach control; `proxies`: whose word is taken for where a request
        comes from."""
        self.pages = list(pages)
        self.files = Files()
        self.screen = Screen(self.pages, self.files.url)
        self.within = within
        self.kept = Kept(failed=lambda part: bool(part.away))
        self.browsers = browsers
        self._rates = rates
        self._refused = Refused(refusal)
        self._proxies = proxies
        self._url = url

    def mount(self, app: web.Application) -> None:
        """Every page beside the paths that are there; what is on neither side is a page, too, for
        who asks for one."""
        app.middlewares.insert(0, self._lost())
        app.router.add_get(f"{FILES}/{{digest}}/{{name:.+}}", self.files.answer)
        for page in self.pages:
            path = re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", page.path)
            app.router.add_get(path, self.known(self._shown(page), costly=page.costly))
            if page.file:
                kept = self.known(self._kept(page, page.file), costly=page.costly)
                app.router.add_get(path + page.file.ending, kept)
            if page.actions:
                app.router.add_post(path, self.known(self._acted(page), costly=page.costly))

    async def close(self, _: web.Application) -> None:
        """The process ends, and what it still looks for with it."""
        await self.kept.close()

    def known(
        self,
        do: Callable[[web.Request, Holder], Awaitable[web.StreamResponse]],
        *,
        costly: Callable[[Mapping[str, str]], bool] = lambda _: False,
        used: bool = True,
    ) -> Next:
        """What answers who is signed in; others are led to where they can. `costly`: whether one
        with such a query counts as the API's costly routes do; `used`: the session is, by that."""

        async def answered(request: web.Request) -> web.StreamResponse:
            holder = await self.browsers.holder(cookie.session(request), used=used)
            if holder is None:
                self.stranger(request)
                return self._to_sign_in(request)
            ratelimit.keep(request, self._rates.known(holder, costly=costly(request.query)))
            asked_by(holder, self.address(request), console=True)
            request[ASKER] = holder
            return await do(request, holder)

        return self.anybody(answered)

    def anybody(self, do: Next) -> Next:
        """What answers everybody; an error of it is a page."""

        async def answered(request: web.Request) -> web.StreamResponse:
            try:
                return await do(request)
            except (web.HTTPRedirection, asyncio.CancelledError):
                raise
            except Exception as error:  # noqa: BLE001 - the edge of HTTP
                return self.wrong(error, request)

        return answered

    def stranger(self, request: web.Request) -> None:
        """Counts a request of nobody who is known. Raises QuotaError."""
        ratelimit.keep(request, self._rates.stranger(self.address(request)))

    def address(self, request: web.Request) -> str:
        """Where it comes from."""
        return come_from(request, self._proxies)

    async def form(self, request: web.Request) -> Mapping[str, str]:
        """The fields of a form of ours. Raises RefusedError."""
        must_be_ours(request, self._url)
        if request.content_type != FORM:
            detail = f"a form is sent as {FORM}"
            raise UnsupportedError(detail, "Content-Type", "Accept", FORM)
        found = await request.post()
        if len(found) > FIELDS:
            raise RefusedError(f"a form of at most {FIELDS} fields was expected", status=400)
        return {name: text for name, text in found.items() if isinstance(text, str)}

    def visit(
        self, request: web.Request, holder: Holder, form: Mapping[str, str] | None = None
    ) -> Visit:
        """The request as views have it."""
        return Visit(
            holder=holder,
            address=self.address(request),
            path=request.path_qs,
            names=dict(request.match_info),
            query=dict(request.query),
            form=form or {},
            within=self.within,
            kept=self.kept,
        )

    def html(
        self, text: str, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """A page as it goes out."""
        return web.Response(
            text=text, status=status, content_type="text/html", headers={**PAGE, **(headers or {})}
        )

    def to(self, path: str, said: str = "") -> web.Response:
        """Go on there, where that is said (303: with GET)."""
        answer = web.Response(status=303, headers={**PAGE, "Location": path})
        if said:
            cookie.say(answer, said)
        return answer

    def wrong(self, error: Exception, request: web.Request) -> web.Response:
        """The page of an error."""
        holder = request.get(ASKER)
        if isinstance(error, QuotaError):
            ratelimit.keep(request, error.met)
        number = request.get(REQUEST_ID, "")
        problem, headers = self._refused.problem(error, request, number)
        headers = {k: v for k, v in headers.items() if k in ("Retry-After", "Allow")}
        text = self.screen.error(problem, self.visit(request, holder) if holder else None)
        return self.html(text, status=problem.status, headers=headers)

    def _to_sign_in(self, request: web.Request) -> web.Response:
        # Only where one can come back to by a link: a form is filled in anew.
        back = request.path_qs if request.method == "GET" and request.path != "/" else ""
        url = request.rel_url.with_path(SIGN_IN).with_query({"to": back} if back else {})
        return self.to(str(url))

    def _shown(self, page: Page) -> Callable[[web.Request, Holder], Awaitable[web.Response]]:
        async def show(request: web.Request, holder: Holder) -> web.Response:
            visit = self.visit(request, holder)
            return await self._page(page, visit, said=cookie.said(request))

        return show

    def _kept(
        self, page: Page, file: File
    ) -> Callable[[web.Request, Holder], Awaitable[web.Response]]:
        async def keep(request: web.Request, holder: Holder) -> web.Response:
            allow(holder, *page.needs)
            text = await file.make(self.visit(request, holder))
            name = page.path.rpartition("/")[2] + file.ending
            kept = {**PAGE, "Content-Disposition": f'attachment; filename="{name}"'}
            return web.Response(text=text, content_type=file.kind, headers=kept)

        return keep

    def _acted(self, page: Page) -> Callable[[web.Request, Holder], Awaitable[web.Response]]:
        async def act(request: web.Request, holder: Holder) -> web.Response:
            form = await self.form(request)
            visit = self.visit(request, holder, form)
            action = page.actions.get(form.get("do", ""))
            if action is None:
                raise RefusedError("this page has no such form", status=400)
            allow(holder, *action.needs)
            return await self._do(page, action, visit)

        return act

    async def _do(self, page: Page, action: Action, visit: Visit) -> web.Response:
        try:
            if action.seen:
                seen.of(visit.form)
            done = await action.do(visit)
        except seen.SinceError as error:
            # What was left alone is shown as it is now, with the tag of that.
            left = seen.of(visit.form).left(visit.form) | {seen.FIELD, "sure"}
            typed = {name: text for name, text in visit.form.items() if name not in left}
            return await self._page(
                *(page, replace(visit, form=typed)),
                problem=error,
                status=error.status,
                action=action,
            )
        except RefusedError as error:
            if error.status in (401, 403, 404, 429) and not error.errors:
                raise
            # What was typed stays, with what is wrong beside it.
            return await self._page(
                *(page, visit), problem=error, status=error.status, action=action
            )
        if done.secret:
            # What was typed, a password too, is of no use any more.
            return await self._page(page, replace(visit, form={}), made=done, action=action)
        if action.tried and visit.dry:
            return await self._page(page, visit, tried=done, action=action)
        self.kept.forget()
        return self.to(done.to or visit.path, " ".join((done.said, *done.notes)))

    async def _page(
        self,
        page: Page,
        visit: Visit,
        *,
        said: str = "",
        problem: RefusedError | None = None,
        tried: Done | None = None,
        made: Done | None = None,
        action: Action | None = None,
        status: int = 200,
    ) -> web.Response:
        allow(visit.holder, *page.needs)
        given = await page.view(visit)
        text = self.screen.page(
            *(page, visit, given),
            said=said,
            problem=problem,
            tried=tried,
            made=made,
            action=action,
        )
        answer = self.html(text, status=status)
        if said:
            cookie.shown(answer)
        return answer

    def _lost(self) -> Any:
        """A path that nobody has, or that has not this method, is a page for a browser."""

        @web.middleware
        async def lost(request: web.Request, handler: Next) -> web.StreamResponse:
            response = await handler(request)
            missed = request.match_info.http_exception
            page = "text/html" in request.headers.get("Accept", "")
            if missed is None or not page or request.path.startswith("/api"):
                return response
            return self.wrong(missed, request)

        return lost
