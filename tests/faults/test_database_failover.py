"""PostgreSQL's name leads to its standby for a while, under load."""

from tests.faults.conftest import Begin
from tests.faults.failover import misled


async def test_after_a_name_that_led_to_a_standby_mail_is_held_at_once(
    begin: Begin, scale: int
) -> None:
    """Nothing may be held while it does; nothing of that stays when it leads to the primary."""
    async with misled(begin, scale, "read-only standby") as (scenario, later):
        assert all(offer.acknowledged for offer in later), "a connection to the standby was kept"
        await scenario.next_day()
        await scenario.flows_again()
        await scenario.close()
    assert scenario.findings.deferred > 20, "the standby took nothing"
