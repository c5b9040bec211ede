"""Somebody at the console, as a browser asks: cookies that are kept, forms with where they come
from, redirects followed by hand."""

import asyncio
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any

from tests.support.control.core import Api
from tests.support.control.people import PASSWORD

PENDING = re.compile('class="(?:notice|empty) pending"')
OURS = object()
"""Of a form's origin: what a page of ours has a browser say."""


@dataclass
class Seen:
    """An answer."""

    status: int
    headers: Any
    text: str

    @property
    def to(self) -> str:
        """Where it leads."""
        return str(self.headers.get("Location", ""))

    @property
    def words(self) -> str:
        """What a reader reads, blanks as one."""
        parser = _Words()
        parser.feed(self.text)
        return re.sub(r"\s+", " ", " ".join(parser.found)).strip()

    @property
    def forms(self) -> list[str]:
        """What its forms do."""
        return re.findall(r'name="do" value="(\w+)"', self.text)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


class _Acting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("img", "iframe", "object", "embed", "style", "base"):
            self.found.append(tag)
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.found.append("script")
        for name, value in given.items():
            led = name in ("href", "src", "action", "formaction")
            if name.startswith("on") or name == "style" or (led and not _ours(value)):
                self.found.append(f"{tag} {name}={value}")


def _ours(url: str) -> bool:
    return url == "#main" or (url.startswith("/") and not url.startswith(("//", "/\\")))


def acting(text: str) -> list[str]:
    """Elements and attributes of a page that would run or load what is not a file of ours, or lead
    elsewhere."""
    parser = _Acting()
    parser.feed(text)
    return parser.found


@dataclass
class Browser:
    """With its own cookies."""

    api: Api
    source: str = ""
    """Where it comes from, where the console believes a proxy."""
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Seen:
        """A page, whole: where it says that it still looks for something, again."""
        async with asyncio.timeout(30):
            while PENDING.search((seen := await self.at_once(path, **headers)).text):
                await asyncio.sleep(0.05)
        return seen

    async def at_once(self, path: str, **headers: str) -> Seen:
        """A page as it comes."""
        return await self._ask("GET", path, None, headers)

    async def post(
        self, path: str, form: dict[str, Any], *, origin: Any = OURS, **headers: str
    ) -> Seen:
        """A form of a page of ours, unless another origin is said; None: of a program, which says
        none."""
        if origin is OURS:
            headers = {"Origin": self.api.url, "Sec-Fetch-Site": "same-origin", **headers}
        elif origin is not None:
            headers = {"Origin": origin, **headers}
        return await self._ask("POST", path, form, headers)

    async def sign_in(
        self, name: str, password: str = PASSWORD, code: str = "", **more: str
    ) -> Seen:
        """By the form."""
        form = {"name": name, "password": password, "code": code, **more}
        return await self.post("/sign-in", form)

    async def _ask(
        self, method: str, path: str, form: dict[str, Any] | None, headers: dict[str, str]
    ) -> Seen:
        sent = {"Accept": "text/html", **headers}
        if self.source:
            sent["X-Forwarded-For"] = self.source
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.api.session.request(
            method, self.api.url + path, data=form, headers=sent, allow_redirects=False
        ) as answer:
            seen = Seen(answer.status, answer.headers, await answer.text())
        for line in seen.headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return seen
