"""What a worker remembers of a denial: under the limit that bound, and nobody else's."""

import msgspec
import pytest

from gateway.ledger.denials import Denials
from policy.denial import Denied, Limit
from policy.ledger_port import Reserve

ONE = Reserve("acme", "pool", "a@acme.test", (("gmail", 1),))
OTHERS = {
    "same": ONE,
    "mailbox": msgspec.structs.replace(ONE, mailbox="b@acme.test"),
    "provider": msgspec.structs.replace(ONE, providers=(("yahoo", 1),)),
    "pool": msgspec.structs.replace(ONE, pool="second"),
    "tenant": Reserve("globex", "globex-pool", "a@acme.test", (("gmail", 1),)),
    "far": Reserve("globex", "globex-pool", "g@globex.test", (("yahoo", 1),)),
    "both": msgspec.structs.replace(ONE, pool="second", providers=(("yahoo", 1), ("gmail", 1))),
}


@pytest.mark.parametrize(
    ("limit", "bound"),
    [
        (Limit.MAILBOX_MINUTE, {"same", "provider", "pool", "both"}),
        (Limit.IP_MINUTE, {"same", "mailbox"}),
        (Limit.POOL_HOUR, {"same", "mailbox"}),
        (Limit.PROVIDER_HOUR, {"same", "mailbox", "pool", "tenant", "both"}),
        (Limit.TENANT_MINUTE, {"same", "mailbox", "provider", "pool", "both"}),
        (Limit.GLOBAL_HOUR, set(OTHERS)),
    ],
)
def test_a_rates_denial_is_remembered_where_it_binds(limit: Limit, bound: set[str]) -> None:
    denials = Denials(1.0, lambda: 0.0)
    denied = Denied(limit, "x", 5_000, 1, 1)
    denials.learn([(ONE, denied)], now=0)
    assert {name for name, item in OTHERS.items() if denials.recall(item) == denied} == bound


def test_one_without_an_end_is_asked_again() -> None:
    denials = Denials(1.0, lambda: 0.0)
    denials.learn([(ONE, Denied(Limit.GLOBAL_MINUTE, "", 0, 0, 0))], now=0)
    assert len(denials) == 0


@pytest.mark.parametrize(
    ("limit", "bound", "used", "said"),
    [
        (Limit.HELD_FIRST, 0, 1, "1 held message of pool x goes first"),
        (Limit.HELD_FIRST, 0, 2, "2 held messages of pool x go first"),
        (Limit.TOO_MANY, 0, 1, "1 recipient is more than pool x ever sends in a day (0)"),
        (Limit.TOO_MANY, 5, 9, "9 recipients are more than pool x ever sends in a day (5)"),
    ],
)
def test_a_sentence_has_the_number_of_what_it_tells(
    limit: Limit, bound: int, used: int, said: str
) -> None:
    assert Denied(limit, "x", 0, bound, used).sentence() == said


def test_a_maximum_of_nothing_has_no_end() -> None:
    denied = Denied(Limit.MAILBOX_MAX, "a@acme.test", 86_400_000, 0, 0)
    said = "mailbox a@acme.test may send nothing: its daily maximum is 0"
    assert denied.sentence() == said
