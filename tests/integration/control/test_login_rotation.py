"""A login given its next password: the former one stays for a while, and goes."""

import asyncio
import io
from typing import Any

import pytest

from control.parts import Parts
from control.tenants.lastuse import LastUse
from control.tenants.rotation import ended
from policy.ledger.bulletin import LOGINS_BEFORE
from policy.model import Login
from tests.support.control.core import Api, Command

ONE = "/api/v2/tenants/acme/login?login=acme/smtp"
ROTATION = "/api/v2/tenants/acme/login/rotation?login=acme/smtp"
FINISH = "/api/v2/tenants/acme/login/rotation/finish?login=acme/smtp"
FIRST, SECOND, THIRD = "the first horse", "the second horse", "the third horse"
DAY = 86_400_000


@pytest.fixture
async def stocked(api: Api) -> Api:
    """A tenant with a login that has a slash in its name."""
    new = {"name": "acme", "login": "acme/smtp", "password": FIRST}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    return api


async def published(core: Parts) -> Login:
    """The login as gateways have it."""
    plan = await core.admin.current()
    assert plan is not None
    return plan.login["acme/smtp"][1]


async def now(core: Parts) -> int:
    return (await core.admin.now())[0]


async def test_a_login_is_given_its_next_password_and_the_former_one_ends(
    stocked: Api, core: Parts
) -> None:
    first = await published(core)
    assert first.former is None
    dry = await stocked("POST", f"{ROTATION}&dry_run=1", {"password": SECOND})
    assert (dry[0], dry[1]["view"]["former_until"] is not None) == (201, True)
    assert await published(core) == first
    before = await now(core)
    status, done = await stocked("POST", ROTATION, {"password": SECOND, "reason": "monthly"})
    assert (status, done["changed"]) == (201, True)
    both = await published(core)
    assert both.former is not None
    assert both.former.hash == first.hash != both.hash
    assert before + DAY <= both.former.until <= await now(core) + DAY, "control.former_valid"
    status, shown = await stocked("GET", ONE)
    assert (status, shown["former_until"], shown["former_used"]) == (
        200,
        done["view"]["former_until"],
        None,
    )
    assert "good until" in done["notes"][0]
    # It would turn away who has the first one.
    status, refused = await stocked("POST", ROTATION, {"password": THIRD})
    assert (status, await published(core)) == (409, both)
    assert "--finish" in refused["detail"]
    status, done = await stocked("POST", FINISH)
    assert (status, done["view"]["former_until"]) == (200, None)
    assert await published(core) == Login(name="acme/smtp", hash=both.hash)
    assert (await stocked("POST", FINISH))[0] == 409
    assert (await stocked("DELETE", ROTATION))[0] == 409


async def test_the_next_one_is_called_off_and_the_former_one_stays(
    stocked: Api, core: Parts
) -> None:
    first = await published(core)
    assert (await stocked("POST", ROTATION, {"password": SECOND, "keep": 60}))[0] == 201
    until = (await published(core)).former
    assert until is not None
    assert until.until <= await now(core) + 60_000
    assert (await stocked("DELETE", ROTATION))[0] == 200
    assert await published(core) == first


async def test_one_that_is_replaced_at_once_ends_a_former_one_too(
    stocked: Api, core: Parts
) -> None:
    assert (await stocked("POST", ROTATION, {"password": SECOND}))[0] == 201
    new = {"login": "acme/smtp", "password": THIRD}
    assert (await stocked("POST", "/api/v2/tenants/acme/password", new))[0] == 200
    assert (await published(core)).former is None


async def test_after_its_end_it_is_swept_and_another_may_be_given(
    stocked: Api, core: Parts
) -> None:
    assert (await stocked("POST", ROTATION, {"password": SECOND, "keep": 3600}))[0] == 201
    second = await published(core)
    assert second.former is not None
    end = second.former.until
    assert await core.admin.set_clock(end + 1_000)
    assert (await stocked("POST", ROTATION, {"password": THIRD}))[0] == 201
    third = await published(core)
    assert third.former is not None
    assert third.former.hash == second.hash
    end = third.former.until
    assert not await ended(core.pool, end)
    assert await core.admin.set_clock(end + DAY)
    assert (await stocked("POST", "/api/v2/jobs/cleanup/run"))[0] == 200
    async with asyncio.timeout(20):
        while (await published(core)).former is not None:
            await asyncio.sleep(0.05)
    audited = "SELECT who FROM audit_log WHERE action = 'login.rotate_end'"
    assert await core.pool.fetchval(audited) == "control"


@pytest.mark.parametrize("keep", [59, 2_592_001, "1d"])
async def test_how_long_it_is_kept_has_bounds(stocked: Api, core: Parts, keep: Any) -> None:
    before = await published(core)
    status, said = await stocked("POST", ROTATION, {"password": SECOND, "keep": keep})
    assert (status, said["errors"][0]["field"]) == (400, "keep")
    assert await published(core) == before
    assert (await stocked("POST", ROTATION, {"password": ""}))[0] == 400
    assert (await stocked("POST", ROTATION.replace("smtp", "x"), {"password": "x"}))[0] == 404
    assert (await stocked("GET", ONE.replace("smtp", "x")))[0] == 404


async def test_when_a_former_one_was_last_used_is_shown_and_it_alone(
    stocked: Api, core: Parts
) -> None:
    assert (await stocked("POST", ROTATION, {"password": SECOND}))[0] == 201
    later = await now(core) + 60_000
    number = await core.admin.number()
    key = f"{core.admin.root}{LOGINS_BEFORE}"
    for told in (0, later):
        await core.admin.client.hset(key, mapping={"acme/smtp": told})  # type: ignore[misc]
        await LastUse(core.pool, core.admin).note()
        shown = (await stocked("GET", ONE))[1]["former_used"]
        assert (shown is not None) == bool(told), "what was told before is of another one"
    assert await core.admin.number() == number
    kept = await core.pool.fetchval("SELECT count(*) FROM plan_touched WHERE kind <> 'all'")
    assert kept == 0, "it is no part of the plan"


async def test_no_password_and_no_digest_is_written_down_or_answered(
    stocked: Api, core: Parts
) -> None:
    said = [await stocked("POST", ROTATION, {"password": SECOND}), await stocked("GET", ONE)]
    said += [
        await stocked("DELETE", ROTATION),
        await stocked("POST", ROTATION, {"password": THIRD}),
    ]
    said += [await stocked("POST", FINISH), await stocked("GET", "/api/v2/tenants/acme/logins")]
    log = await core.pool.fetch("SELECT action, subject, before, after, reason FROM audit_log")
    assert {"login.rotate", "login.rotate_cancel", "login.rotate_end"} <= {r["action"] for r in log}
    everything = f"{said} {[dict(row) for row in log]}"
    for secret in (FIRST, SECOND, THIRD, "argon2"):
        assert secret not in everything


async def test_the_command_gives_shows_calls_off_and_ends(
    stocked: Api, core: Parts, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ("acme/smtp", "--tenant", "acme")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECOND}\n"))
    said = await command("login", "rotate", *one, "--password-stdin", "--keep", "2h")
    assert "good until" in said
    assert (await published(core)).former is not None
    assert "former password" in await command("login", "show", *one)
    await command("login", "rotate", *one, "--cancel", "--reason", "typed wrong")
    assert "no former password" in await command("login", "rotate", *one, "--finish", code=1)
    for wrong in (("--cancel", "--finish"), ("--finish", "--password", "x"), ()):
        await command("login", "rotate", *one, *wrong, code=2)
    said = await command("login", "rotate", *one, "--password", THIRD, "--keep", "1s", code=2)
    assert "--keep" in said
