"""A plan is gone back to while the warm-up's guard pauses an IP, while mail is counted, and while
the ledger is closed: a pause stands, a ceiling holds, and nothing is opened."""

import asyncio

import pytest

from control.parts import Parts
from policy.ledger_port import Denied, Granted, LedgerClosedError, Reserve
from tests.integration.control.test_conditions import Answer
from tests.integration.control.test_plan_rollback import back, made, plan
from tests.integration.control.test_warmup_engine import IP, VMTA, Scene, here
from tests.support.control.core import Api
from tests.support.servers.halt import Place

__all__ = ["here"]


async def bounced(here: Scene) -> int:
    """What the guard pauses the IP for; which plan is to be gone back to, from another since."""
    then = (await plan(here.core)).number
    await made(here.api, ("PATCH", "pools/acme", {"per_hour": 6}))
    await here.sent(50, bounced=6, delivered=44)
    return then


async def stands(here: Scene) -> None:
    """The IP is paused, once, everywhere that says so; and the plan was gone back to."""
    assert (await here.ip())["state"] == "paused"
    published = await here.core.admin.current()
    assert published is not None
    assert published == await plan(here.core)
    assert published.vmta[VMTA].state == "paused"
    assert published.pool["acme"].rate.hour is None
    assert [d.rule for d in await here.decided("pause")] == ["bounces"]


@pytest.mark.parametrize("first", ["guard", "rollback"])
async def test_a_pause_stands_whichever_of_the_two_was_first(here: Scene, first: str) -> None:
    then = await bounced(here)
    answers: list[Answer] = []

    async def rollback() -> None:
        answers.append(await back(here.api, then, If_Match="*"))

    guard = here.elsewhere().look(turn=False)
    work = (guard, rollback()) if first == "guard" else (rollback(), guard)
    who = "warmup" if first == "guard" else "test"
    await here.behind(Place("generation", "AFTER INSERT", f"NEW.who = '{who}'"), *work)
    [done] = answers
    assert (done.status, done.body["changed"]) == (200, True), done
    assert done.body["view"]["sets"] == ["pool acme: per_hour"]
    await stands(here)


async def test_who_did_not_see_the_pause_is_told_before_going_back(here: Scene) -> None:
    """The tag is taken before the guard acts: nothing is undone that was not seen."""
    then = await bounced(here)
    answers: list[Answer] = []

    async def rollback() -> None:
        answers.append(await back(here.api, then))

    guard = here.elsewhere().look(turn=False)
    await here.behind(Place("generation", "AFTER INSERT", "NEW.who = 'warmup'"), guard, rollback())
    assert [answer.status for answer in answers] == [412]
    assert (await back(here.api, then)).status == 200
    await stands(here)


async def test_going_back_while_mail_is_counted_grants_nothing_above_the_ceiling(
    here: Scene,
) -> None:
    await made(here.api, ("PATCH", f"ips/{IP}", {"quota": 500, "hourly_share": 1.0}))
    then = (await plan(here.core)).number
    await made(here.api, ("PATCH", f"ips/{IP}", {"quota": 40}))
    granted = denied = 0
    over = asyncio.Event()

    async def mail(sender: int) -> None:
        nonlocal granted, denied
        number = 0
        while not over.is_set() or number < 20:
            number += 1
            ask = Reserve("acme", "acme", f"a{sender}-{number}@acme.test", (("gmail", 1),))
            [decision] = (await here.core.ledger.decide([ask])).decisions
            granted += isinstance(decision, Granted)
            denied += isinstance(decision, Denied)
            await asyncio.sleep(0)

    async def there_and_back() -> None:
        for weight in (2, 3, 4):
            await made(here.api, ("PATCH", f"ips/{IP}", {"weight": weight}))
            done = await back(here.api, then)
            assert done.body["view"]["sets"] == [f"IP {IP}: weight"], done
        over.set()

    await asyncio.gather(there_and_back(), *(mail(sender) for sender in range(4)))
    assert granted == 40
    assert denied > 0
    assert (await here.ip())["quota"] == 40


async def test_going_back_opens_no_ledger_that_is_closed(
    here: Scene, api: Api, core: Parts
) -> None:
    then = (await plan(core)).number
    await made(api, ("PATCH", "pools/acme", {"per_hour": 6}))
    await core.admin.client.flushall()
    done = await back(api, then, If_Match="*")
    assert done.status in (200, 503), done
    with pytest.raises(LedgerClosedError):
        await core.ledger.decide([Reserve("acme", "acme", "a@acme.test", (("gmail", 1),))])
    assert (await api("GET", "/readyz", token=""))[0] == 503
    assert (await api("POST", "/api/v2/ledger", {"confirm": True}))[0] == 200
    assert (await back(api, then, If_Match="*")).status == 200
    assert (await plan(core)).pool["acme"].rate.hour is None
    assert await core.admin.current() == await plan(core)
