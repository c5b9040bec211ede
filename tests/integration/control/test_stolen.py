"""What a thief has opens no more than it did: a code, a link, or a token of another kind."""

import asyncio
import base64
import datetime
from typing import Any

from control.parts import Parts
from control.users.totp import STEP, code_at
from tests.support.control.core import TOKEN, Api
from tests.support.control.people import PASSWORD, invited, joined, login, me

LOCKED_AFTER = 5


async def _codes(api: Api, token: str) -> list[str]:
    """Turns them on; those that are kept."""
    _, offered = await api("POST", "/api/v1/auth/codes", {"password": PASSWORD}, token=token)
    assert isinstance(offered, dict)
    step = int(datetime.datetime.now(datetime.UTC).timestamp()) // STEP
    first = {"code": code_at(base64.b32decode(offered["secret"]), step)}
    status, kept = await api("POST", "/api/v1/auth/codes/confirm", first, token=token)
    assert status == 200
    return list(kept["recovery"])  # type: ignore[index]


async def test_who_has_the_password_guesses_at_no_more_codes_than_at_passwords(
    api: Api, core: Parts
) -> None:
    kept = await _codes(api, (await joined(core, api, "anna"))["access_token"])
    for _ in range(LOCKED_AFTER):
        assert (await login(api, "anna", code="000000"))[0] == 401
    assert (await login(api, "anna", code=kept[0]))[0] == 429, "the right one, too"
    await core.pool.execute("UPDATE login_attempt SET until = now()")
    assert (await login(api, "anna", code=kept[0]))[0] == 200, "and it was not used up"


async def test_who_has_an_access_token_guesses_at_no_password(api: Api, core: Parts) -> None:
    token = (await joined(core, api, "anna"))["access_token"]
    path = "/api/v1/auth/password"
    for _ in range(LOCKED_AFTER):
        guessed = {"password": "a guess", "new": "another pass phrase"}
        assert (await api("POST", path, guessed, token=token))[0] == 401
    right = {"password": PASSWORD, "new": "another pass phrase"}
    assert (await api("POST", path, right, token=token))[0] == 429
    codes = "/api/v1/auth/codes"
    assert (await api("POST", codes, {"password": PASSWORD}, token=token))[0] == 429


async def test_of_two_that_open_a_link_one_chooses_the_password(api: Api, core: Parts) -> None:
    secret = await invited(core, "anna")

    async def opened(password: str) -> int:
        body = {"link": secret, "password": password}
        return (await api("POST", "/api/v1/auth/link", body, token=""))[0]

    words = [f"pass phrase number {at}" for at in range(4)]
    found = await asyncio.gather(*map(opened, words))
    assert sorted(found) == [200, 401, 401, 401]
    chosen = words[found.index(200)]
    got = [(await login(api, "anna", word))[0] for word in (chosen, words[found.index(401)])]
    assert got == [200, 401]
    assert await opened("one more pass phrase") == 401, "nor later"


async def test_a_token_of_one_kind_opens_nothing_of_another(api: Api, core: Parts) -> None:
    tokens = await joined(core, api, "anna")
    link = await invited(core, "ben")
    assert await me(api, tokens) == 200
    for wrong in (tokens["refresh_token"], link):
        assert await me(api, {"access_token": wrong}) == 401
    for wrong in (tokens["access_token"], TOKEN, link):
        body: dict[str, Any] = {"refresh_token": wrong}
        assert (await api("POST", "/api/v1/auth/refresh", body, token=""))[0] in (400, 401)
        body = {"link": wrong if wrong != link else tokens["refresh_token"], "password": PASSWORD}
        assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] in (400, 401)
    # In a query it would stand in logs: there none is looked for.
    query = f"/api/v1/auth/me?access_token={tokens['access_token']}"
    assert (await api("GET", query, token=""))[0] == 401
    assert await me(api, tokens) == 200, "and the owner's goes on"
