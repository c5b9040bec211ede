"""A token that is revoked, or may less, while its question waits for news: what the news say is not
for it any more."""

import asyncio
from typing import Any

import pytest

from control.parts import Parts
from control.store.change import Act
from control.users.token import new_token, put
from tests.support.control.core import Api
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import add, api, core, host, settings, token

__all__ = ["api", "core", "host", "settings", "token"]

OFFER = "/api/v2/powermta/agent/configuration?server=pmta1&wait=10"


async def a_token(core: Parts, name: str, role: Any) -> str:
    """One more."""
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, name, made, role)

    await core.publisher.change("test", act)
    return made


async def waits(api: Api, path: str, given: str, seen: str) -> tuple[int, bytes]:
    """(status, body) of a question that has to wait."""
    headers = {"Authorization": f"Bearer {given}", "If-None-Match": seen}
    async with api.session.get(api.url + path, headers=headers) as answer:
        return answer.status, await answer.read()


async def let_in(core: Parts, counted: str, number: int) -> None:
    """Their questions are past the door."""
    async with asyncio.timeout(20):
        while await core.pool.fetchval(counted) < number:
            await asyncio.sleep(0.02)


async def test_keys_that_were_waited_for_are_not_handed_to_a_token_that_was_revoked(
    api: Api, core: Parts, host: Host
) -> None:
    await host.stop()
    still, gone = [await a_token(core, name, "agent") for name in ("still", "gone")]
    questions = []
    for name, given in (("still", still), ("gone", gone)):
        asked = waits(api, f"{OFFER}&agent={name}", given, host.tag)
        questions.append(asyncio.create_task(asked))
        heard = f"SELECT count(*) FROM pmta_agent WHERE agent = '{name}'"
        await let_in(core, heard, 1)
    assert (await api("DELETE", "/api/v2/tokens/gone"))[0] == 200
    assert not any(one.done() for one in questions)
    # Nobody brings it into force: it is offered, and refused in the end.
    assert (await add(api, "192.0.2.10", "example.com"))[0] >= 400
    (status, body), (refused, said) = await asyncio.gather(*questions)
    assert (status, b"PRIVATE KEY" in body) == (200, True)
    assert (refused, b"PRIVATE KEY" in said) == (401, False)


@pytest.mark.parametrize("how", ["revoked", "of another tenant", "as before"])
async def test_news_of_mail_are_for_who_may_see_it_when_they_come(
    api: Api, core: Parts, how: str
) -> None:
    new = {"name": "globex", "login": "globex", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    status, given = await api("POST", "/api/v2/tokens", {"name": "hers", "scope": "read"})
    assert status == 201, given
    order = {"action": "release", "tenant": "acme"}
    status, asked = await api("POST", "/api/v2/hold/requests", order)
    assert status == 202, asked
    path = f"/api/v2/hold/requests/{asked['request']['id']}?wait=10"  # type: ignore[index,call-overload]
    question = asyncio.create_task(waits(api, path, given["token"], '""'))  # type: ignore[index,call-overload]
    await let_in(core, "SELECT count(used) FROM api_token WHERE name = 'hers'", 1)
    if how == "revoked":
        assert (await api("DELETE", "/api/v2/tokens/hers"))[0] == 200
    elif how == "of another tenant":
        change = {"tenants": ["globex"]}
        status, said = await api("PATCH", "/api/v2/tokens/hers", change)
        assert status == 200, said
    assert not question.done()
    await core.pool.execute("UPDATE hold_request SET state = 'running', changed = 7")
    status, body = await asyncio.wait_for(question, 20)
    wanted = {"revoked": 401, "of another tenant": 403, "as before": 200}[how]
    assert (status, b"running" in body) == (wanted, how == "as before"), body
