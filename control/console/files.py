"""The console's scripts, styles and pictures, by names that have their digest in them.

Rule: they are read once, when the process starts; a browser keeps each for as long as it likes, and
asks for another name where another content is meant.
"""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from aiohttp import web

from control.api.coding import Sending, going_out
from control.console.headers import FILE

PATH = "/static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""What is served; licences and lists beside them are not."""


class _File(NamedTuple):
    digest: str
    content: bytes
    kind: str


class Files:
    """All of them."""

    def __init__(self) -> None:
        self._found = dict(_read(files(__package__) / "static", ""))

    def url(self, name: str) -> str:
        """Where `name` is (`app.css`, `vendor/htmx.min.js`). Raises KeyError."""
        return f"{PATH}/{self._found[name].digest}/{name}"

    async def answer(self, request: web.Request) -> web.Response:
        """Raises HTTPNotFound for a name that is not there under that digest."""
        found = self._found.get(request.match_info["name"])
        if found is None or found.digest != request.match_info["digest"]:
            raise web.HTTPNotFound
        answer = web.Response(
            body=found.content, content_type=found.kind, charset="utf-8", headers=FILE
        )
        return going_out(answer, Sending(tag=found.digest, keep=True))


def _read(folder: Traversable, before: str) -> list[tuple[str, _File]]:
    found = []
    for one in folder.iterdir():
        name = before + one.name
        if one.is_dir():
            found += _read(one, f"{name}/")
        elif kind := TYPES.get(f".{one.name.rpartition('.')[2]}"):
            content = one.read_bytes()
            found.append((name, _File(hashlib.sha256(content).hexdigest()[:20], content, kind)))
    return found
