"""An audit log that control's role cannot change: as the runbook's lines set it up."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg
import pytest

from control.cli.check import look
from control.store.migrate import migrate, newest
from control.users.audit import forget, kept
from tests.conftest import CreateDatabase
from tests.support.control.core import api_of, control_core, settings_for
from tests.support.places import dumped
from tests.support.repository import ROOT

TENANT = {"name": "acme", "login": "acme", "password": "correct horse"}
HOSTILE = (
    "UPDATE audit_log SET who = 'nobody'",
    "DELETE FROM audit_log",
    "TRUNCATE audit_log",
    "ALTER TABLE audit_log DISABLE TRIGGER ALL",
    "ALTER TABLE audit_log DISABLE TRIGGER audit_log_stays",
    "DROP TRIGGER audit_log_stays ON audit_log",
    "DROP TABLE audit_log CASCADE",
    "ALTER TABLE audit_log RENAME TO other",
    "ALTER TABLE audit_log ADD COLUMN x integer",
    "CREATE TRIGGER x BEFORE DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_stays()",
    "CREATE RULE none AS ON INSERT TO audit_log DO INSTEAD NOTHING",
    "DROP FUNCTION audit_log_stays() CASCADE",
    "ALTER FUNCTION audit_log_stays() RENAME TO other",
    """CREATE OR REPLACE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RETURN OLD; END $$""",
    "DROP SCHEMA public CASCADE",
    "SET session_replication_role = replica",
    "SET ROLE {owner}",
    "ALTER TABLE audit_log OWNER TO {role}",
    """INSERT INTO audit_log (id, at, who, action, subject) OVERRIDING SYSTEM VALUE
    SELECT id, at, 'x', action, subject FROM audit_log ON CONFLICT (id) DO UPDATE SET who = 'x'""",
)


def lines(begin: str) -> str:
    """Those of the runbook's block that begins so."""
    text = (ROOT / "deploy" / "runbook" / "people.md").read_text(encoding="utf-8")
    found = re.search(rf"```text\n({re.escape(begin)}.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


class Apart:
    """A database with a role for control, and one that owns the audit log."""

    def __init__(self, admin: str, url: str, role: str) -> None:
        self.admin, self.url, self.role = admin, url, role
        self.owner = f"{role}_audit"

    async def does(self, text: str) -> None:
        """As the superuser, the names of the runbook replaced by those of the test."""
        text = text.replace("sendgate_audit", self.owner)
        text = re.sub(r"\b(TO|DATABASE) sendgate\b(?!_)", self._named, text)
        link = await asyncpg.connect(self.admin)
        try:
            await link.execute(text)
        finally:
            await link.close()

    def _named(self, found: re.Match[str]) -> str:
        name = self.role if found[1] == "TO" else f'"{urlsplit(self.admin).path[1:]}"'
        return f"{found[1]} {name}"


@pytest.fixture
async def apart(create_database: CreateDatabase) -> AsyncIterator[Apart]:
    admin = await create_database()
    role, word = f"plain_{secrets.token_hex(4)}", secrets.token_hex(8)
    of = urlsplit(admin)
    made = Apart(admin, f"postgresql://{role}:{word}@{of.hostname}:{of.port}{of.path}", role)
    await made.does(
        f"CREATE ROLE {role} LOGIN NOSUPERUSER PASSWORD '{word}'; "
        f'ALTER DATABASE "{of.path[1:]}" OWNER TO {role}'
    )
    await migrate(made.url)
    yield made
    await made.does(
        f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role};"
        f"DO $$ BEGIN IF to_regrole('{made.owner}') IS NOT NULL THEN "
        f"REASSIGN OWNED BY {made.owner} TO CURRENT_USER; DROP OWNED BY {made.owner}; "
        f"DROP ROLE {made.owner}; END IF; END $$"
    )


async def said(url: str) -> tuple[list[str], list[str]]:
    """What `sendgate check` says of it."""
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        return await kept(pool)


async def test_control_works_as_it_did_and_cannot_change_a_row(
    apart: Apart, valkey_url: str
) -> None:
    problems, warnings = await said(apart.url)
    assert problems == []
    [warning] = warnings
    assert (
        f"{apart.role} owns table audit_log, function audit_log_stays(), schema public" in warning
    )
    await apart.does(lines("CREATE ROLE sendgate_audit NOLOGIN;"))
    assert await said(apart.url) == ([], [])
    async with control_core(settings_for(apart.url, valkey_url)) as core, api_of(core) as api:
        assert (await api("POST", "/api/v2/tenants", TENANT))[0] == 201
        _, page = await api("GET", "/api/v2/audit?tenant=acme")
        assert page["entries"], "it writes and reads"  # type: ignore[index,call-overload]
        await core.pool.execute(
            "INSERT INTO audit_log (at, who, action, subject) VALUES "
            "(now() - interval '400 days', 'x', 'x', 'old')"
        )
        assert await forget(core.pool, datetime.now(UTC) - timedelta(days=300)) == 1
        before = await core.pool.fetch("SELECT * FROM audit_log ORDER BY id")
        link = await asyncpg.connect(apart.url)
        try:
            for text in HOSTILE:
                with pytest.raises(asyncpg.PostgresError) as refused:
                    await link.execute(text.format(owner=apart.owner, role=apart.role))
                assert refused.value.sqlstate == "42501", (text, refused.value)
        finally:
            await link.close()
        assert await core.pool.fetch("SELECT * FROM audit_log ORDER BY id") == before
    assert b"audit_log" in await dumped(apart.url), "a backup reads it"
    assert await migrate(apart.url) == (newest(), newest())


async def test_it_is_given_back_for_what_alters_it(apart: Apart) -> None:
    await apart.does(lines("CREATE ROLE sendgate_audit NOLOGIN;"))
    link = await asyncpg.connect(apart.url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="must be owner"):
            await link.execute("ALTER TABLE audit_log ADD COLUMN x integer")
        await apart.does(lines("ALTER TABLE audit_log OWNER TO sendgate;"))
        await link.execute("ALTER TABLE audit_log ADD COLUMN x integer")
    finally:
        await link.close()
    assert len((await said(apart.url))[1]) == 1


@pytest.mark.parametrize(
    "break_", ["DISABLE TRIGGER audit_log_stays", "ENABLE REPLICA TRIGGER audit_log_stays_whole"]
)
async def test_a_trigger_that_was_taken_away_is_found(apart: Apart, break_: str) -> None:
    await apart.does(f"ALTER TABLE audit_log {break_}")
    [problem], _ = await said(apart.url)
    assert break_.rpartition(" ")[2] in problem
    assert "its rows can be changed" in problem


async def test_a_superuser_is_told(create_database: CreateDatabase) -> None:
    admin = await create_database()
    await migrate(admin)
    _, [warning] = await said(admin)
    assert "is a superuser" in warning


async def test_check_says_it(apart: Apart, valkey_url: str) -> None:
    settings = settings_for(apart.url, valkey_url)
    found = await asyncio.to_thread(look, settings)
    assert any("can change its rows" in text for text in found.warnings)
    await apart.does("ALTER TABLE audit_log DISABLE TRIGGER ALL")
    found = await asyncio.to_thread(look, settings)
    assert any("lost its trigger" in text for text in found.problems)
