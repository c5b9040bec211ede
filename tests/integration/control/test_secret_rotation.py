"""`control.secret` is replaced while everything goes on: what the former one sealed is opened,
sealed anew, and then needs it no more."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.cli.main import run
from control.held.request import digest
from control.parts import Parts, open_parts
from control.pmta.dkim import new_secret
from control.problem import RefusedError
from control.store import sealed
from control.store.keyring import Keyring
from control.users.totp import STEP, code_at
from settings.accounting import Accounting
from settings.contradictions import contradictions
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.integration.control.test_repeated import TENANT, post
from tests.support.control.core import SECRET, Api, api_of, build, control_core, settings_for
from tests.support.control.people import joined, login
from tests.support.entry import SENDGATE

NEW = new_secret()


def with_secret(settings: Settings, secret: str, *before: str, **more: Any) -> Settings:
    control = msgspec.structs.replace(
        settings.control, secret=secret, secrets_before=before, **more
    )
    return msgspec.structs.replace(settings, control=control)


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Settings]:
    """Of a deployment in which everything is sealed that can be, with SECRET."""
    found = settings_for(await create_database("control", build), valkey_url)
    async with control_core(found) as core, api_of(core) as api:
        assert (await post(api, "/api/v2/tenants", TENANT))[0] == 201
        for name in ("acme.example", "old.example"):
            domain = {"tenant": "acme", "domain": name, "ip": "192.0.2.10"}
            assert (await api("POST", "/api/v2/domains", domain))[0] == 201
        assert (await api("POST", "/api/v2/domains/old.example/rotation", {}))[0] == 201
        await core.pool.execute(
            "INSERT INTO pmta_key SELECT domain, dkim_private FROM sending_domain"
        )
        await codes(api, core)
        yield found


async def codes(api: Api, core: Parts) -> None:
    """A user whose app has codes; what it has is `SEED`."""
    token = (await joined(core, api, "anna"))["access_token"]
    body = {"password": "a long pass phrase"}
    _, offered = await api("POST", "/api/v1/auth/codes", body, token=token)
    assert isinstance(offered, dict)
    row = await core.pool.fetchval("SELECT totp FROM person")
    seed = Keyring(SECRET).opened(row)
    assert seed is not None
    first = {"code": code_at(seed, int(time.time()) // STEP)}
    assert (await api("POST", "/api/v1/auth/codes/confirm", first, token=token))[0] == 200


@asynccontextmanager
async def here(settings: Settings) -> AsyncIterator[tuple[Parts, Api]]:
    async with open_parts(settings, movable_clock=True) as core, api_of(core) as api:
        yield core, api


async def everything_goes_on(settings: Settings, ring: Keyring) -> None:
    async with here(settings) as (core, api):
        await sealed.must_open(core.pool, settings.control)
        again = await post(api, "/api/v2/tenants", TENANT)
        assert again[0] == 201, again[2]
        seed = ring.opened(await core.pool.fetchval("SELECT totp FROM person"))
        assert seed is not None
        step = await core.pool.fetchval("UPDATE person SET totp_step = 0 RETURNING totp_step")
        code = code_at(seed, int(time.time()) // STEP)
        status, found = await login(api, "anna", code=code)
        assert (status, step) == (200, 0), found
        assert (await api("GET", "/api/v1/auth/me", token=found["access_token"]))[0] == 200
        domain = {"tenant": "acme", "domain": f"new{time.time_ns()}.example", "ip": "192.0.2.10"}
        assert (await api("POST", "/api/v2/domains", domain))[0] == 201


async def command(settings: Settings, folder: Path, *words: str) -> int:
    file = folder / "sendgate.toml"
    control, accounting = settings.control, settings.accounting
    file.write_text(
        f'[database]\nurl = "{settings.database.url}"\n[ledger]\nurl = "{settings.ledger.url}"\n'
        f'[control]\nport = 0\nsecret = "{control.secret}"\n'
        f"secrets_before = {list(control.secrets_before)}\n"
        f'[accounting]\nwebhook_key = "{accounting.webhook_key}"\n'
        f"webhook_keys_before = {list(accounting.webhook_keys_before)}\n",
        encoding="utf-8",
    )
    return await asyncio.to_thread(run, [*words, "--config", str(file)])


async def test_a_new_secret_opens_all_seals_all_and_lets_the_former_go(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both, alone = with_secret(settings, NEW, SECRET), with_secret(settings, NEW)
    async with here(settings) as (core, _):
        named = digest(core.naming_key, "x@gmail.com")
    with pytest.raises(RefusedError, match=r"secrets_before"):
        async with here(alone):
            pass
    await everything_goes_on(both, Keyring(NEW, (SECRET,)))

    async def counts() -> dict[str, Any]:
        capsys.readouterr()
        code = await command(both, tmp_path, "secret", "reseal", "--dry-run", "--json")
        found = msgspec.json.decode(capsys.readouterr().out)
        assert (code, found["dry_run"], found["now"]["unopened"]) == (0, True, [])
        return dict(found)

    before = await counts()
    # Two DKIM keys, the one that comes next, codes, a key of tokens, an answer, the digests' key.
    assert before["resealed"] == sum(before["now"]["before"]) == 7
    assert await counts() == before, "a dry run changes nothing"
    assert await command(both, tmp_path, "secret", "reseal") == 0
    out = capsys.readouterr().out
    assert "7 sealed anew with control.secret" in out
    assert "former secret 1 opens nothing any more: it may go" in out
    assert (await counts())["resealed"] == 0
    await everything_goes_on(alone, Keyring(NEW))
    async with here(alone) as (core, _):
        same = await core.pool.fetchval(
            "SELECT count(*) FROM pmta_key k JOIN sending_domain d "
            "ON d.domain = k.name AND d.dkim_private = k.sealed"
        )
        assert same == 2, "PowerMTA's copy of a key is still seen to be that key"
        assert digest(core.naming_key, "x@gmail.com") == named, "who is forgotten stays known"
        subject = "SELECT after FROM audit_log WHERE action = 'secret.reseal'"
        assert await core.pool.fetchval(subject) == {"sealed_anew": 7}


async def test_what_was_stopped_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_PAGE", 1)
    ring = Keyring(NEW, (SECRET,))

    class StoppedError(Exception):
        pass

    def stop(done: int) -> None:
        if done == 3:
            raise StoppedError

    both = with_secret(settings, NEW, SECRET)
    async with here(both) as (core, _), core.pool.acquire() as connection:
        with pytest.raises(StoppedError):
            await sealed.again(connection, ring, stop)
        assert (await sealed.counted(connection, ring)).stale == 4
        assert await sealed.again(connection, ring, lambda _: None) == 4
        assert (await sealed.counted(connection, ring)).before == [0]


async def test_a_start_names_what_nothing_opens(settings: Settings, tmp_path: Path) -> None:
    wrong = with_secret(settings, new_secret(), NEW)
    async with here(settings) as (core, _):
        await core.pool.execute("DELETE FROM naming_key")
        with pytest.raises(RefusedError) as refused:
            await sealed.must_open(core.pool, wrong.control)
        for what in ("DKIM key of acme.example", "DKIM key of old.example", "codes of user anna"):
            assert what in str(refused.value)
        lax = with_secret(settings, new_secret(), start_unopened=True)
        await sealed.must_open(core.pool, lax.control)
    await command(wrong, tmp_path, "check")  # writes the file
    process = await asyncio.create_subprocess_exec(
        *SENDGATE, "control", "--config", str(tmp_path / "sendgate.toml"),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"DKIM key of acme.example" in said
    assert b"Traceback" not in said


async def test_every_column_that_is_sealed_is_in_the_list(settings: Settings) -> None:
    """What is octets in the schema and stands neither here nor there may be sealed by somebody."""
    async with here(settings) as (core, _):
        tables = await core.pool.fetch(
            "SELECT c.relname AS t, a.attname AS a FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') "
            "AND NOT c.relispartition AND a.atttypid = 'bytea'::regtype "
            "AND NOT a.attisdropped AND a.attnum > 0"
        )
        opened = set()
        for row in tables:
            for value in await core.pool.fetch(f'SELECT "{row["a"]}" AS v FROM "{row["t"]}"'):
                if Keyring(SECRET).opened(bytes(value["v"] or b"")) is not None:
                    opened.add((row["t"], row["a"]))
    assert opened == sealed.COLUMNS


def test_the_end_of_former_keys_is_a_time() -> None:
    for text, right in (("2026-12-24T12:00:00Z", True), ("", True), ("tomorrow", False)):
        accounting = Accounting(webhook_key="n" * 32, webhook_former_until=text)
        found = contradictions(Settings(accounting=accounting))
        assert any("webhook_former_until" in text for text in found) is not right


async def test_a_former_key_signs_until_it_is_taken_away(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accounting = msgspec.structs.replace(
        settings.accounting, webhook_key="n" * 32, webhook_keys_before=("o" * 32, "u" * 32)
    )
    both = msgspec.structs.replace(settings, accounting=accounting)

    async def status(api: Api, key: str) -> int:
        stamp, body = str(int(time.time())), b'{"type":"d"}\n'
        right = hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"X-Sendgate-Timestamp": stamp, "X-Sendgate-Signature": f"sha256={right}"}
        url = f"{api.url}/api/v2/powermta/accounting"
        async with api.session.post(url, data=body, headers=headers) as got:
            return got.status

    for seconds, taken in ((3600, 200), (-1, 401)):
        until = datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()
        ending = msgspec.structs.replace(accounting, webhook_former_until=until)
        async with here(msgspec.structs.replace(settings, accounting=ending)) as (_, api):
            assert [await status(api, key * 32) for key in "nou"] == [200, taken, taken]
    async with here(both) as (core, api):
        await core.pool.execute("DELETE FROM secret_used")
        assert [await status(api, key * 32) for key in "noxn"] == [200, 200, 401, 200]
    capsys.readouterr()
    assert await command(both, tmp_path, "secret", "list", "--json") == 0
    found = msgspec.json.decode(capsys.readouterr().out)["secrets"]
    keys = [one for one in found if one["setting"].startswith("accounting")]
    assert [(one["number"], one["used"] == "never") for one in keys] == [
        (0, False), (1, False), (2, True),
    ]  # fmt: skip
    assert [one["things"] for one in found if one["setting"] == "control.secret"] == [7]
    assert await command(both, tmp_path, "secret", "list") == 0
    text = capsys.readouterr().out
    assert "former 2" in text
    assert "o" * 32 not in text
