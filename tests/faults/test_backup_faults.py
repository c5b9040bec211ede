"""Back-up, destruction and restore under load: nothing lost that is not named, nothing twice, no
quota exceeded, by PowerMTA's books."""

from pathlib import Path

from control.backup.clienttools import tools_for
from control.backup.key import read_key
from control.backup.loading import load
from tests.faults.conftest import Begin
from tests.faults.lostservers import destroyed
from tests.faults.scenario import Scenario


async def test_a_backup_put_back_after_both_stores_were_destroyed(begin: Begin, scale: int) -> None:
    name = "PostgreSQL and Valkey destroyed, a backup put back"
    async with destroyed(begin, scale, name) as scenario:
        await scenario.load.until_offered(len(scenario.load.offers) + 60)
        await scenario.next_day()
        await scenario.flows_again()
        await scenario.close()
    # All that is gone was held after the backup, and is named one by one.
    assert set(scenario.findings.unknowable) <= scenario.gone_with_primary


async def _without_doubt(scenario: Scenario, backup: Path, key: Path) -> set[str]:
    """As pg_restore alone does it."""

    async def nothing() -> None:
        return

    tools = await tools_for(18)
    url = scenario.stack.postgres.url
    await load(tools, url, backup, read_key(key), doubted_at=None, before_commit=nothing)
    return set()


async def test_without_doubt_what_went_since_the_backup_goes_again(
    begin: Begin, scale: int
) -> None:
    name = "broken: a backup put back without doubt"
    async with destroyed(begin, scale, name, _without_doubt) as scenario:
        await scenario.next_day()
        found = await scenario.books()
    assert found.twice
