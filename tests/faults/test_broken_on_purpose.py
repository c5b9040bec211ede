"""A fault suite that cannot fail proves nothing: each mechanism is taken out of the running
gateway once, and the books must show what it prevents."""

from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.proxy import Cut

SCARCE = {"vmta-small": Quota(20), "vmta-large": Quota(60, {"gmail": 5})}


async def test_without_charges_that_stand_the_quota_is_exceeded(begin: Begin, scale: int) -> None:
    scenario = await begin(
        "broken: relayed charges are refunded", quotas=SCARCE, breakage="refund_what_was_relayed"
    )
    await scenario.load.send(200 * scale)
    found = await scenario.books()
    assert found.excess


async def test_with_a_guess_in_place_of_doubt_a_message_is_lost(begin: Begin, scale: int) -> None:
    scenario = await begin(
        "broken: the unknown is acknowledged", through=("pmta",), breakage="acknowledge_the_unknown"
    )
    scenario.stack.proxies["pmta"].tear(Cut.DOT_LOST, 5)
    await scenario.load.send(100 * scale)
    found = await scenario.books()
    assert found.lost


async def test_a_breakage_that_breaks_no_promise_leaves_the_books_clean(
    begin: Begin, scale: int
) -> None:
    """So that the findings above come from what was broken, not from breaking as such."""
    scenario = await begin(
        "broken: refunds are forgotten", quotas=SCARCE, breakage="forget_refunds"
    )
    await scenario.load.send(100 * scale)
    await scenario.close()
