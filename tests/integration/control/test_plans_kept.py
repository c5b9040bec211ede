"""Published plans that are kept, and those that go."""

from control.store.change import Act
from tests.conftest import CreateDatabase
from tests.support.control.core import build, control_core, settings_for


async def test_no_more_plans_are_kept_than_the_setting_says(
    create_database: CreateDatabase, valkey_url: str
) -> None:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url, generations_kept=20)) as core:
        for _ in range(25):
            await core.publisher.change("test", _published_again)
        kept = await core.pool.fetch("SELECT number FROM generation ORDER BY number")
        newest = await core.admin.number()
        assert [row["number"] for row in kept] == list(range(newest - 19, newest + 1))


async def test_what_was_never_bounded_goes_a_few_plans_at_a_time(
    create_database: CreateDatabase, valkey_url: str
) -> None:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url, generations_kept=20)) as core:
        await core.publisher.change("test", _published_again)
        # As an upgrade finds them.
        await core.pool.execute(
            "INSERT INTO generation (number, encoded, digest, created, who) "
            "SELECT -n, 'x', 'x', now(), 'test' FROM generate_series(1, 70) AS n"
        )
        counts = [await core.pool.fetchval("SELECT count(*) FROM generation")]
        for _ in range(4):
            await core.publisher.change("test", _published_again)
            counts.append(await core.pool.fetchval("SELECT count(*) FROM generation"))
        before = counts[0]
        assert counts == [before, before - 19, before - 38, 20, 20]
        assert await core.pool.fetchval("SELECT max(number) FROM generation") == (
            await core.admin.number()
        )


async def _published_again(act: Act) -> None:
    await act.audit("generation.publish", "generation")
