"""Those who try to get in as somebody else: guessers, thieves of tokens, forgers, and who wants to
know which accounts there are."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.fernet import Fernet

from control.parts import Parts, open_parts
from control.store.change import Act
from control.users import hashing, person
from control.users.signing import AUDIENCE, TYPE
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, api_of, build, control_core, settings_for
from tests.support.control.people import (
    PASSWORD,
    acting,
    invited,
    joined,
    login,
    me,
    signed_in,
)

LOGIN, REFRESH = "/api/v1/auth/login", "/api/v1/auth/refresh"


async def refreshed(api: Api, token: str) -> tuple[int, Any]:
    """(status, answer)."""
    return await api("POST", REFRESH, {"refresh_token": token}, token="")


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """Behind a proxy, so that a test comes from wherever it says."""
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, proxy_networks=("127.0.0.0/8",))
    async with control_core(settings) as opened:
        yield opened


async def guess(api: Api, name: str, password: str, source: str) -> tuple[int, Any, Any]:
    """(status, answer, Retry-After) of a login from there."""
    body = msgspec.json.encode({"name": name, "password": password})
    headers = {"X-Forwarded-For": source}
    async with api.session.post(api.url + LOGIN, data=body, headers=headers) as response:
        found = msgspec.json.decode(await response.read())
        return response.status, found, response.headers.get("Retry-After")


async def test_guesses_lock_the_account_for_where_they_come_from_and_for_nobody_else(
    api: Api, core: Parts
) -> None:
    await joined(core, api, "anna")
    for _ in range(5):
        assert (await guess(api, "anna", "guess", "203.0.113.9"))[0] == 401
    status, answer, after = await guess(api, "anna", PASSWORD, "203.0.113.9")
    assert (status, after) == (429, "30"), "the right one, too: who guesses learns nothing more"
    assert "from where you are" in answer["detail"]
    assert (await guess(api, "anna", PASSWORD, "198.51.100.1"))[0] == 200, "the owner gets in"
    assert (await guess(api, "ben", "guess", "203.0.113.9"))[0] == 401, "one account of it"
    locks = []
    for _ in range(9):
        await core.pool.execute("UPDATE login_attempt SET until = now() WHERE failures >= 5")
        assert (await guess(api, "anna", "guess", "203.0.113.9"))[0] == 401
        locks.append(int((await guess(api, "anna", "guess", "203.0.113.9"))[2]))
    assert locks == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    row = await core.pool.fetchrow("SELECT who, after FROM audit_log WHERE action = 'user.locked'")
    assert (row["who"], row["after"]) == ("control", {"from": "203.0.113.9", "failures": 5})
    await core.pool.execute("UPDATE login_attempt SET until = now() WHERE failures >= 5")
    assert (await guess(api, "anna", PASSWORD, "203.0.113.9"))[0] == 200
    for _ in range(4):
        assert (await guess(api, "anna", "guess", "203.0.113.9"))[0] == 401, "counted anew"


async def test_guesses_at_the_same_time_are_all_counted(
    api: Api, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before they are compared: else of thirty at a time all are, and the right one gets in."""
    await joined(core, api, "anna")
    compared: list[str] = []
    right: Callable[[str, str], bool] = hashing._right

    def counted(stored: str, password: str) -> bool:
        compared.append(password)
        return right(stored, password)

    monkeypatch.setattr(hashing, "_right", counted)
    found = await asyncio.gather(*(guess(api, "anna", "guess", "203.0.113.9") for _ in range(30)))
    assert sorted({status for status, _, _ in found}) == [401, 429]
    assert sum(status == 401 for status, _, _ in found) == 5
    assert len(compared) == 5


async def test_guesses_from_many_sources_shut_out_those_alone_that_are_not_known(
    api: Api, core: Parts
) -> None:
    await joined(core, api, "anna")
    assert (await guess(api, "anna", PASSWORD, "198.51.100.1"))[0] == 200
    for at in range(50):
        assert (await guess(api, "anna", "guess", f"203.0.{at}.9"))[0] == 401
    status, answer, _ = await guess(api, "anna", PASSWORD, "203.0.113.200")
    assert (status, "signed in before" in answer["detail"]) == (429, True)
    assert (await guess(api, "anna", PASSWORD, "198.51.100.1"))[0] == 200, "as before"
    assert (await guess(api, "ben", "guess", "203.0.113.200"))[0] == 401


async def test_one_source_that_guesses_at_many_accounts_is_shut_out(api: Api, core: Parts) -> None:
    for at in range(100):
        # One customer of a network has 2^64 addresses.
        assert (await guess(api, f"user{at}", "guess", f"2001:db8::{at:x}"))[0] == 401
    assert (await guess(api, "another", "guess", "2001:db8::ffff"))[0] == 429
    assert (await guess(api, "another", "guess", "2001:db8:0:1::1"))[0] == 401


async def test_whoever_is_no_proxy_says_not_where_it_comes_from(
    create_database: CreateDatabase, valkey_url: str
) -> None:
    settings = settings_for(await create_database("control", build), valkey_url)
    async with control_core(settings) as core, api_of(core) as api:
        for at in range(5):
            assert (await guess(api, "anna", "guess", f"203.0.113.{at}"))[0] == 401
        assert (await guess(api, "anna", "guess", "203.0.113.99"))[0] == 429


async def test_which_accounts_there_are_is_not_told_by_answers_or_by_what_they_cost(
    api: Api, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("anna", "disabled"):
        await joined(core, api, name)
    await invited(core, "invited")

    async def off(act: Act) -> None:
        await person.disable(act, "disabled", force=True)

    await acting(core, off)
    costs: list[str] = []
    right: Callable[[str, str], bool] = hashing._right

    def counted(stored: str, password: str) -> bool:
        costs.append(stored.rpartition("$")[0].rpartition("$")[0])
        return right(stored, password)

    monkeypatch.setattr(hashing, "_right", counted)
    said = []
    for name, password in (
        *(("anna", "a wrong pass phrase"), ("nobody", PASSWORD)),
        *(("invited", PASSWORD), ("disabled", PASSWORD)),
    ):
        status, answer = await login(api, name, password)
        answer.pop("request_id")
        said.append((status, answer))
    assert said == [said[0]] * 4
    assert said[0][0] == 401
    assert len(costs) == 4, "each costs one hash"
    assert len(set(costs)) == 1, "of the same parameters"
    for at in range(6):
        statuses = [(await guess(api, n, "x", "203.0.113.5"))[0] for n in ("anna", "nobody")]
        assert statuses[0] == statuses[1], at


async def test_a_session_begins_under_an_id_of_ours_alone(api: Api, core: Parts) -> None:
    first = await joined(core, api, "anna")
    second = await signed_in(api, "anna")
    sessions = {
        jwt.decode(t["access_token"], options={"verify_signature": False})["sid"]
        for t in (first, second)
    }
    assert len(sessions) == 2
    for field in ("sid", "session", "refresh_token"):
        status, answer = await login(api, "anna", **{field: first["refresh_token"]})
        assert (status, answer["errors"][0]["field"]) == (400, field)
    headers = {"Cookie": f"session={sessions.pop()}"}
    async with api.session.get(f"{api.url}/api/v1/auth/me", headers=headers) as response:
        assert response.status == 401


async def test_a_refresh_token_is_good_once_and_a_second_use_ends_the_session(
    api: Api, core: Parts
) -> None:
    stolen, other = await joined(core, api, "anna"), await signed_in(api, "anna")
    status, owners = await refreshed(api, stolen["refresh_token"])
    assert (status, await me(api, owners)) == (200, 200)
    assert (await refreshed(api, stolen["refresh_token"]))[0] == 401, "the thief, later"
    assert (await refreshed(api, owners["refresh_token"]))[0] == 401, "the owner's is gone, too"
    assert [await me(api, one) for one in (stolen, owners, other)] == [401, 401, 200]
    row = await core.pool.fetchrow("SELECT * FROM audit_log WHERE action = 'session.end'")
    assert (row["who"], "a second time" in row["reason"]) == ("anna", True)
    assert [core.gate.entry.counted[one] for one in ("reused", "stale")] == [1, 1]


async def test_of_two_that_refresh_at_a_time_one_goes_on_with_nothing(
    api: Api, core: Parts
) -> None:
    tokens = await joined(core, api, "anna")
    async with core.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM refresh_token FOR UPDATE")
        both = [asyncio.create_task(refreshed(api, tokens["refresh_token"])) for _ in range(2)]
        async with asyncio.timeout(20):
            while await core.pool.fetchval(_WAITING) < 2:
                await asyncio.sleep(0.01)
    found = await asyncio.gather(*both)
    assert sorted(status for status, _ in found) == [200, 401]
    [won] = [answer for status, answer in found if status == 200]
    assert (await refreshed(api, won["refresh_token"]))[0] == 401


_WAITING = """SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()"""


async def test_a_session_ends_by_logout_by_age_and_where_nobody_goes_on(
    api: Api, core: Parts
) -> None:
    tokens = await joined(core, api, "anna")
    body = {"refresh_token": tokens["refresh_token"]}
    assert await api("POST", "/api/v1/auth/logout", body, token="") == (200, {})
    assert await api("POST", "/api/v1/auth/logout", body, token="") == (200, {}), "nor told"
    assert await me(api, tokens) == 401, "an access token is worth nothing without its session"
    assert (await refreshed(api, tokens["refresh_token"]))[0] == 401
    for sql, access in (
        ("UPDATE session SET ends = now() - interval '1 second'", 401),
        ("UPDATE refresh_token SET expires = now() - interval '1 second'", 200),
    ):
        tokens = await signed_in(api, "anna")
        await core.pool.execute(sql)
        assert await me(api, tokens) == access, "until it is over by itself"
        assert (await refreshed(api, tokens["refresh_token"]))[0] == 401, sql
    assert (await refreshed(api, "sgr_" + "x" * 43))[0] == 401


async def _key(core: Parts) -> tuple[str, bytes]:
    row = await core.pool.fetchrow("SELECT kid, sealed FROM signing_key WHERE until IS NULL")
    return row["kid"], Fernet(core.settings.control.secret).decrypt(row["sealed"])


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_forged_tokens_are_nobodys(api: Api, core: Parts) -> None:
    tokens = await joined(core, api, "anna")
    access = tokens["access_token"]
    kid, key = await _key(core)
    claims = jwt.decode(access, options={"verify_signature": False})
    header = {"kid": kid, "typ": TYPE}
    now = int(time.time())

    def made(with_: bytes = key, algorithm: str = "HS256", **other: Any) -> str:
        gone = {name for name, value in other.items() if value is None}
        changed = {k: v for k, v in (claims | other).items() if k not in gone}
        return jwt.encode(changed, with_, algorithm=algorithm, headers=header)

    def none(alg: str) -> str:
        parts = [msgspec.json.encode({**header, "alg": alg}), msgspec.json.encode(claims), b""]
        return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts)

    assert await me(api, {"access_token": made()}) == 200, "the rest fails for what it says"
    forged = {
        "alg none": none("none"),
        "alg None": none("None"),
        "none in place of the signature": ".".join([*access.split(".")[:2], ""]),
        "another algorithm with the right key": made(algorithm="HS384"),
        "another key": made(b"k" * 32),
        "a key of nothing": made(b"\0"),
        "the key's id as the key": made(kid.encode() * 2),
        "another person's": made(b"k" * 32, sub="2"),
        "no person's": made(sub="999"),
        "another person under this session": made(sub=str(int(claims["sub"]) + 1)),
        "no session": made(sid=None),
        "a session that is none": made(sid="x"),
        "no end": made(exp=None),
        "over": made(exp=now - 60),
        "not yet": made(nbf=now + 60),
        "issued in the future": made(iat=now + 600),
        "without a beginning": made(nbf=None),
        "another deployment's": made(iss="sendgate:other"),
        "for somebody else": made(aud="other"),
        "for nobody": made(aud=None),
        "for several": made(aud=[AUDIENCE + "x", "other"]),
        "very long": made(more="x" * 5000),
        "dots": "..",
        "no JSON": "a.b.c",
    }
    found = {why: await me(api, {"access_token": token}) for why, token in forged.items()}
    assert {why for why, status in found.items() if status != 401} == set()
    for other in (
        {"kid": kid, "typ": "JWT"},
        {"typ": TYPE},
        {"kid": "x", "typ": TYPE},
        {"kid": "' OR true --", "typ": TYPE},
        {"kid": kid},
    ):
        token = jwt.encode(claims, key, algorithm="HS256", headers=other)
        assert await me(api, {"access_token": token}) == 401, other
    changed = access.split(".")
    changed[1] = base64.urlsafe_b64encode(msgspec.json.encode(claims | {"sub": "2"})).decode()
    assert await me(api, {"access_token": ".".join(changed).replace("=", "")}) == 401


async def test_keys_are_replaced_and_the_former_is_good_for_what_it_signed(
    api: Api, core: Parts
) -> None:
    before = await joined(core, api, "anna")
    old, _ = await _key(core)
    await core.pool.execute("UPDATE signing_key SET made = now() - interval '31 days'")
    after = await signed_in(api, "anna")
    new, _ = await _key(core)
    assert new != old
    assert [await me(api, one) for one in (before, after)] == [200, 200]
    assert jwt.get_unverified_header(after["access_token"])["kid"] == new
    # Another node, which never saw the former one.
    async with open_parts(core.settings) as second, api_of(second) as there:
        assert [await me(there, one) for one in (before, after)] == [200, 200]
    await core.pool.execute("UPDATE signing_key SET until = now() WHERE until IS NOT NULL")
    assert [await me(api, one) for one in (before, after)] == [401, 200]
    assert (await refreshed(api, before["refresh_token"]))[0] == 200


async def test_a_session_and_its_locks_are_known_to_every_node(api: Api, core: Parts) -> None:
    tokens = await joined(core, api, "anna")
    async with open_parts(core.settings) as second, api_of(second) as there:
        assert await me(there, tokens) == 200
        status, next_ = await refreshed(there, tokens["refresh_token"])
        assert status == 200
        assert (await refreshed(api, tokens["refresh_token"]))[0] == 401
        assert await me(there, next_) == 401
        for at in range(5):
            where = api if at % 2 else there
            assert (await guess(where, "anna", "guess", "203.0.113.9"))[0] == 401
        for where in (api, there):
            assert (await guess(where, "anna", PASSWORD, "203.0.113.9"))[0] == 429


async def test_without_a_secret_nobody_signs_in_and_it_says_why(
    create_database: CreateDatabase, valkey_url: str
) -> None:
    settings = settings_for(await create_database("control", build), valkey_url)
    bare = msgspec.structs.replace(
        settings, control=msgspec.structs.replace(settings.control, secret="")
    )
    async with control_core(bare) as core, api_of(core) as api:
        body = {"link": await invited(core, "anna"), "password": PASSWORD}
        assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 200
        status, answer = await login(api, "anna")
        assert (status, "SENDGATE_CONTROL_SECRET" in answer["detail"]) == (503, True)
