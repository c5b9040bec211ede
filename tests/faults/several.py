"""Messages with several recipients: in doubt, held, dropped in part and sent again, settled by an
operator's word, and all that in a backup that is put back."""

from control.held.request import HoldOrder
from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.copies import lose_dots_and_workers
from tests.faults.load import Offer
from tests.faults.mail import Mail, several
from tests.faults.proxy import Cut
from tests.faults.scenario import Scenario
from tests.faults.stack import AMPLE

_EACH = 6
"""Messages of each fate."""


class Several:
    """What the load makes: new messages, or those of `again` once more."""

    def __init__(self) -> None:
        self.again: list[Mail] = []

    def __call__(self, number: int) -> Mail:
        return self.again.pop() if self.again else several(number)


async def restored_with_several(
    begin: Begin, scale: int, name: str, *, breakage: str = ""
) -> Scenario:
    """Until the gateways run with the restored hold."""
    make, each = Several(), _EACH * scale
    ample = {"vmta-small": Quota(AMPLE), "vmta-large": Quota(AMPLE)}
    scenario = await begin(
        name,
        through=("pmta",),
        control=True,
        quotas=ample,
        breakage=breakage,
        load={"make": make},
        gateway={"workers": 2},
    )
    stack, proxy, load = scenario.stack, scenario.stack.proxies["pmta"], scenario.load
    await stack.accounting_is_whole()
    # Nobody reads what PowerMTA writes: doubt stays doubt.
    stack.control.kill()

    async def sent(count: int) -> list[Offer]:
        begun = len(load.offers)
        await load.send(count)
        return load.offers[begun:]

    proxy.tear(Cut.AFTER_DOT, each)
    taken = await sent(each)
    proxy.tear(Cut.DOT_LOST, each)
    lost = await sent(each)
    await lose_dots_and_workers(scenario, 1)
    for offers, outcome in ((taken, "delivered"), (lost, "absent")):
        for offer in offers[: each // 3]:
            await stack.order(HoldOrder(action="settle", message=_id(offer), outcome=outcome))
    await _limit(scenario, 0)
    waiting = await sent(each)
    for offer in waiting[: each // 2]:
        who = offer.mail.recipients[1]
        order = HoldOrder(action="drop", message=_id(offer), recipient=who, confirm=True, undo=0)
        await stack.order(order)
    dropped = await stack.postgres.number("SELECT count(*) FROM held WHERE ending = 'dropped'")
    assert dropped == each // 2
    make.again = [offer.mail for offer in waiting[: each // 2]]
    resent = await sent(each // 2)
    assert all(offer.acknowledged for offer in resent)
    assert await stack.restore() > 3 * each
    scenario.fault_ends()
    await stack.needs_control()
    return scenario


async def _limit(scenario: Scenario, daily: int) -> None:
    """What may go today; the books go on with what could go before."""
    before = dict(scenario.stack.quotas)
    await scenario.stack.raise_quotas(vmta_small=Quota(daily), vmta_large=Quota(daily))
    scenario.stack.quotas = before


def _id(offer: Offer) -> str:
    """Its message id, as the client was told it: `250 2.0.0 OK ID (...)`."""
    return offer.answers[-1].text.split()[3]
