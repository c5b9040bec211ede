"""How the cases of the contract ask a ledger, and read its answers."""

from typing import Any

import msgspec

from policy.denial import Denied
from policy.ledger_port import Decision, Duplicate, Granted, Reserve
from tests.support.ledger.twins import LedgerUnderTest

GMAIL = (("gmail", 1),)
OTHER = (("other", 1),)


def ask(providers: Any = GMAIL, **changes: Any) -> Reserve:
    """A reservation of one recipient."""
    base = Reserve("acme", "acme-pool", "anna@acme.test", providers)
    return msgspec.structs.replace(base, **changes)


async def decide(ledger: LedgerUnderTest, *items: Any) -> list[Decision]:
    """The decisions of one batch."""
    return list((await ledger.ledger.decide(items)).decisions)


def names(decisions: list[Decision]) -> list[str]:
    """VirtualMTAs granted, limits that bound, states of duplicates, in order."""
    return [_name(decision) for decision in decisions]


def _name(decision: Decision) -> str:
    match decision:
        case Granted():
            return decision.vmta
        case Denied():
            return decision.limit.value
        case Duplicate():
            return decision.state.value
    return "-"


def charge(decision: Decision) -> Granted:
    """A decision that has to be a grant."""
    assert isinstance(decision, Granted), decision
    return decision
