"""What is kept of mailboxes beside the ledger: ramps go on after its loss, leave with tenants."""

from typing import Any, cast

from control.ledger.rebuild import write_back
from control.parts import Parts
from control.timetable import timetable
from policy.limits import DAY, day_of
from policy.mailbox import IDLE_DAYS
from tests.integration.control.test_mailboxes import NEWS, Sending, acme, later
from tests.support.control.core import Api

_KEPT = ("mailbox_refused", "mailbox_streak", "mailbox_began")


async def night(core: Parts) -> int:
    """The job of the day that has begun; returns the day."""
    job = timetable(core).named("mailboxes")
    now = await core.calendar()
    await job.work(job.latest(now))
    return day_of(now)


async def lose(core: Parts) -> None:
    """What the ledger knows of mailboxes, and write back what PostgreSQL has."""
    await core.admin.client.delete(f"{core.admin.root}boxes:acme")
    async with core.pool.acquire() as connection, connection.transaction():
        await write_back(connection, core.admin, await core.calendar(), core.settings.hold)


async def test_ramps_go_on_after_a_loss_and_none_at_a_higher_stage(api: Api, core: Parts) -> None:
    await acme(api, mailbox_ramp=[2, 5, 9])
    sends, new = Sending(core), "new@acme.example"
    assert (await sends(NEWS))[0] == 2
    await later(core, 7)
    assert (await sends(NEWS))[0] == 5
    today = await night(core)
    rows = await core.pool.fetch("SELECT mailbox, first, day FROM mailbox_began")
    assert [tuple(row) for row in rows] == [(NEWS, today - 7, today)]
    await night(core)
    # Found since: there is nothing that says since when.
    assert (await sends(new))[0] == 2
    await later(core, 7)
    await lose(core)
    assert (await sends(NEWS))[0] == 9
    assert (await sends(new))[0] == 2
    # What the ledger knows is not overwritten by what was kept before.
    await core.pool.execute("UPDATE mailbox_began SET first = first - 100")
    async with core.pool.acquire() as connection, connection.transaction():
        written = await write_back(
            connection, core.admin, await core.calendar(), core.settings.hold
        )
    assert written.mailboxes == 1
    assert await sends(NEWS) == (0, "mailbox_ramp")


async def test_who_was_idle_for_long_begins_anew_after_a_loss(api: Api, core: Parts) -> None:
    await acme(api, mailbox_ramp=[2, 5])
    sends = Sending(core)
    await sends(NEWS, most=1)
    await later(core, 8)
    await sends(NEWS, most=1)
    await night(core)
    now = await core.calendar()
    for days, most in ((IDLE_DAYS, 5), (1, 2)):
        await core.admin.set_clock(now := now + days * DAY)
        await lose(core)
        known = await cast(Any, core.admin.client).hgetall(f"{core.admin.root}boxes:acme")
        assert len(known) == (most == 5)
    assert (await sends(NEWS))[0] == 2
    await night(core)
    await later(core, IDLE_DAYS + 1)
    await night(core)
    assert await core.pool.fetchval("SELECT count(*) FROM mailbox_began") == 0


async def test_what_is_kept_of_mailboxes_leaves_with_their_tenant(api: Api, core: Parts) -> None:
    for name in ("acme", "globex"):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        for row in (
            "mailbox_refused (day, tenant, mailbox, recipients) VALUES (1, $1, 'm', 1)",
            "mailbox_streak (tenant, mailbox, day, days) VALUES ($1, 'm', 1, 1)",
            "mailbox_began (tenant, mailbox, first, day) VALUES ($1, 'm', 1, 1)",
        ):
            await core.pool.execute(f"INSERT INTO {row}", name)
    assert (await api("POST", "/api/v2/tenants/acme/pause"))[0] == 200
    assert (await api("DELETE", "/api/v2/tenants/acme"))[0] == 200
    for table in _KEPT:
        rows = await core.pool.fetch(f"SELECT tenant FROM {table}")
        assert [row["tenant"] for row in rows] == ["globex"], table
