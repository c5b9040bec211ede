"""Plans in parts, in PostgreSQL and in the ledger: what is written, what goes, what is lost."""

import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from control.mailboxes import limits
from control.mailboxes.limits import MailboxChange
from control.parts import Parts
from control.plan import publish
from control.plan.publish import Publisher
from control.plan.stored import put_together
from control.store.change import Act
from control.tenants import tenant
from control.tenants.tenant import NewTenant
from policy import division
from policy.ledger.publishing import Publishing
from policy.plan import Generation, encode
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import build, control_core, settings_for


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url, generations_kept=3)


@pytest.fixture
async def core(settings: Settings) -> AsyncIterator[Parts]:
    async with control_core(settings) as opened:
        new = NewTenant(name="acme", login="acme", password="correct horse")
        await opened.publisher.change("test", lambda act: tenant.add(act, new))
        yield opened


async def put(core: Parts, *names: str, most: int = 1) -> None:
    async def act(a: Any) -> None:
        for name in names:
            wanted = MailboxChange(daily_max=most)
            await limits.set_mailbox(a, "acme", f"{name}@acme.example", wanted)

    await core.publisher.change("test", act)


async def pause(act: Act, *, to: bool) -> None:
    await tenant.set_paused(act, "acme", to)


async def stored(core: Parts) -> dict[bytes, int | None]:
    rows = await core.pool.fetch("SELECT digest, gone FROM plan_part")
    return {row["digest"]: row["gone"] for row in rows}


async def agrees(core: Parts) -> Generation:
    """PostgreSQL, read anew, and the ledger have the same last plan."""
    ours = await Publisher(core.pool, core.admin, core.settings).current()
    theirs = await core.admin.current()
    assert ours is not None
    assert theirs is not None
    assert encode(ours) == encode(theirs)
    return ours


async def test_a_change_stores_the_parts_it_touched_and_old_ones_go_with_their_plans(
    core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(division, "MAILBOXES", 4)
    await put(core, *(f"m{n:03}" for n in range(60)))
    before = await stored(core)
    assert len(before) > 10
    for most in range(2, 9):
        await put(core, "m007", most=most)
        after = await stored(core)
        assert len(after.keys() - before.keys()) == 1, "one part of the mailboxes"
        assert len([gone for gone in after.values() if gone is not None]) <= 3
        before = after
        await agrees(core)
    kept = await core.pool.fetch("SELECT number FROM generation ORDER BY number")
    for row in kept[1:]:
        async with core.pool.acquire() as connection:
            found = await connection.fetchval(
                "SELECT encoded FROM generation WHERE number = $1", row["number"]
            )
            assert (await put_together(connection, found)).number == row["number"]


async def test_a_part_that_comes_back_is_kept(core: Parts) -> None:
    """As long as the plan that has it again, whenever it was let go first."""
    await put(core, "anna", most=1)
    first = await stored(core)
    await put(core, "anna", most=2)
    assert set((await stored(core)).values()) > {None}
    await put(core, "anna", most=1)
    for paused in (True, False) * 3:
        await core.publisher.change("test", partial(pause, to=paused))
        await agrees(core)
    here = {digest for digest, gone in (await stored(core)).items() if gone is None}
    assert {digest for digest, gone in first.items() if gone is None} == here


class Killed(BaseException):
    """Nobody catches it."""


@pytest.mark.parametrize("place", ["before", "stored", "staged", "published"])
@pytest.mark.parametrize("warm", [True, False])
async def test_who_is_killed_meanwhile_leaves_the_old_plan_or_the_new_one(
    core: Parts, place: str, warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(core, "anna", most=1)
    old = await core.admin.current()
    if not warm:
        core.publisher.__dict__.update(Publisher(core.pool, core.admin, core.settings).__dict__)

    def killing(owner: Any, name: str, *, behind: bool) -> None:
        inner = getattr(owner, name)

        async def killed(*given: Any, **named: Any) -> Any:
            if behind:
                await inner(*given, **named)
            raise Killed

        monkeypatch.setattr(owner, name, killed)

    where: dict[str, tuple[Any, str, bool]] = {
        "before": (publish, "store", False),
        "stored": (publish, "store", True),
        "staged": (Publishing, "_put_in_force", False),
        "published": (Publishing, "_put_in_force", True),
    }
    owner, name, behind = where[place]
    killing(owner, name, behind=behind)
    with pytest.raises(Killed):
        await put(core, "anna", "bert", most=2)
    monkeypatch.undo()
    found = await core.admin.current()
    assert found is not None
    assert old is not None
    assert await core.admin.whole()
    if place == "published":
        assert set(found.tenant["acme"].mailboxes) == {"anna@acme.example", "bert@acme.example"}
        assert await core.publisher.reconcile() == found.number + 1
    else:
        assert encode(found) == encode(old)
        assert await core.publisher.reconcile() is None
    # Nobody was told that it was done: what the rows say holds.
    after = await agrees(core)
    assert after.tenant["acme"].mailboxes == old.tenant["acme"].mailboxes
    await put(core, "anna", "bert", most=2)
    assert len((await agrees(core)).tenant["acme"].mailboxes) == 2


async def test_what_the_ledger_lost_of_a_plan_is_written_again_and_said(
    core: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    await put(core, "anna")
    client: Any = core.admin.client
    assert await core.publisher.reconcile() is None
    number = await core.admin.number()
    await client.delete((await client.keys(f"{core.admin.root}part:*"))[0])
    with caplog.at_level(logging.ERROR):
        assert await core.publisher.reconcile() == number + 1
    assert f"the ledger lost parts of generation {number}" in caplog.text
    await agrees(core)
    await client.delete(f"{core.admin.root}gen:{number + 1}")
    assert await core.publisher.reconcile() == number + 2
    await agrees(core)


async def test_a_plan_that_lost_a_part_in_postgresql_is_made_of_all_rows(
    core: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    await put(core, "anna")
    before = await agrees(core)
    await core.pool.execute("DELETE FROM plan_part WHERE gone IS NULL")
    again = Publisher(core.pool, core.admin, core.settings)
    with caplog.at_level(logging.ERROR):
        assert await again.reconcile() == before.number + 1
    assert "is missing" in caplog.text
    assert (await agrees(core)).tenants == before.tenants


async def test_a_plan_of_a_version_before_is_followed_by_one_in_parts(core: Parts) -> None:
    await put(core, "anna")
    before = await agrees(core)
    await core.pool.execute(
        "UPDATE generation SET encoded = $1, digest = 'of before' WHERE number = $2",
        *(encode(before), before.number),
    )
    await core.pool.execute("DELETE FROM plan_part")
    again = Publisher(core.pool, core.admin, core.settings)
    assert await again.reconcile() is None
    await again.change("test", lambda act: tenant.set_paused(act, "acme", True))
    assert (await agrees(core)).tenant["acme"].paused
