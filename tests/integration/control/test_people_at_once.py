"""People: what an admin takes away while its owner, or a thief, is in the middle of a change."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from control.parts import Parts
from control.store.change import Act
from control.users import credential, person
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD, acting, joined, login

NEW = "the thief's pass phrase"


async def reset(act: Act) -> Any:
    return await person.reset(act, "anna", 3600.0, codes=True)


async def disabled(act: Act) -> Any:
    return await person.disable(act, "anna")


async def ended(act: Act) -> Any:
    return await person.end_sessions(act, "anna")


def meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], Awaitable[Any]]) -> None:
    """It is done while the next new password is hashed."""
    hashed = credential._hashed

    async def slowly(*given: str) -> str:
        await do()
        return await hashed(*given)

    monkeypatch.setattr(credential, "_hashed", slowly)


@pytest.mark.parametrize("take", [reset, disabled, ended])
async def test_a_password_that_is_being_changed_outlives_nothing_that_was_taken_meanwhile(
    api: Api, core: Parts, monkeypatch: pytest.MonkeyPatch, take: Callable[[Act], Awaitable[Any]]
) -> None:
    """A thief that knows the password may be hashing another while an admin throws it out."""
    await joined(core, api, "ben")
    held = (await joined(core, api, "anna"))["access_token"]
    made: list[Any] = []

    async def taken() -> None:
        made.append(await acting(core, take))

    meanwhile(monkeypatch, taken)
    body = {"password": PASSWORD, "new": NEW}
    status, refused = await api("POST", "/api/v1/auth/password", body, token=held)
    assert made
    assert status == 401, refused
    monkeypatch.undo()
    if take is disabled:
        await acting(core, lambda act: person.enable(act, "anna"))
    assert (await login(api, "anna", NEW))[0] == 401, "the thief's password"
    if take is reset:
        link = {"link": made[0][1], "password": PASSWORD}
        assert (await api("POST", "/api/v1/auth/link", link, token=""))[0] == 200, "its link stays"
    assert (await login(api, "anna"))[0] == 200


async def test_a_link_that_is_used_while_it_is_taken_back_ends_one_way_or_the_other(
    api: Api, core: Parts
) -> None:
    """Neither waits for what the other has."""
    await joined(core, api, "ben")
    await joined(core, api, "anna")
    for _ in range(15):
        _, secret = await acting(core, reset)
        body = {"link": secret, "password": PASSWORD}
        used, _ = await asyncio.gather(
            api("POST", "/api/v1/auth/link", body, token=""), resets(core, 40)
        )
        assert used[0] in (200, 401), used


async def resets(core: Parts, many: int) -> None:
    for _ in range(many):
        await acting(core, reset)
