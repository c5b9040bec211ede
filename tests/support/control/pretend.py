"""A control plane in whose code a term has one more field than it has: run as a program of its own,
before anything else has read the terms.

    python -m tests.support.control.pretend DATABASE_URL LEDGER_URL

Prints as JSON what option, document, answer, table, rows and audit log have of it.
"""

import asyncio
import contextlib
import io
import os
import sys
from typing import Annotated, Any

import msgspec

from control.plan import terms
from control.values.wanted import BY_DEFAULT, meant
from policy.model import Count

MEANS = "Birds that may sit on a message; null takes the setting birds.most."


class Pretended(terms.Terms, frozen=True, kw_only=True):
    """All terms, and one that there is not."""

    birds: Annotated[Count | None, meant(MEANS), BY_DEFAULT] = None


def pretend() -> None:
    """From now on the field is there, as if it stood in the file."""
    terms.Terms = Pretended  # type: ignore[misc]
    terms.TERMS = Pretended.__struct_fields__


async def seen(postgres_url: str, valkey_url: str) -> dict[str, Any]:
    """What each door has of it."""
    from control.api import openapi
    from control.app import routes
    from control.cli.main import run
    from tests.support.control.core import TOKEN, all_rows, api_of, control_core, settings_for

    os.environ["SENDGATE_TOKEN"] = TOKEN
    found: dict[str, Any] = {}
    async with (
        control_core(settings_for(postgres_url, valkey_url)) as core,
        api_of(core) as api,
    ):

        async def command(*words: str) -> tuple[int, str]:
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = await asyncio.to_thread(run, ["--url", api.url, *words])
            return code, out.getvalue()

        new = {"name": "acme", "login": "acme-smtp", "password": "correct horse", "birds": 3}
        found["added"] = await api("POST", "/api/v2/tenants", new)
        found["changed"] = await api("PATCH", "/api/v2/tenants/acme", {"birds": 5})
        found["refused"] = await api("PATCH", "/api/v2/tenants/acme", {"birds": -1})
        found["row"] = (await all_rows(core)).tenants[0]
        found["help"] = await command("tenant", "set", "--help")
        found["misused"] = await command("tenant", "set", "acme", "--birds", "-1")
        found["set"] = await command("tenant", "set", "acme", "--birds", "8")
        found["shown"] = await command("tenant", "show", "acme")
        found["got"] = await api("GET", "/api/v2/tenants/acme")
        found["default"] = await command("tenant", "set", "acme", "--birds", "default")
        found["audit"] = await api("GET", "/api/v2/audit?subject=acme")
        schemas = openapi.document(routes(core))["components"]["schemas"]
        found["schemas"] = {
            name: schemas[name]["properties"]["birds"]
            for name in ("NewTenant", "TenantChange", "TenantView")
        }
    return found


if __name__ == "__main__":
    pretend()
    sys.stdout.write(msgspec.json.encode(asyncio.run(seen(*sys.argv[1:]))).decode())
