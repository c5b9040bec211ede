"""A generation that is read step by step is the one that is read at once, and refused alike."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import unpacking
from policy.model import MailboxLimits, Pool
from policy.plan import BadGenerationError, Generation, decode, encode
from policy.unpacking import Unpacking
from tests.support.gateway.generations import generation, tenant, vmta


def read(data: bytes, by: Unpacking | None = None) -> tuple[Generation, int]:
    """(what comes out, steps)."""
    steps, count = (by or Unpacking()).steps(data), 1
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1


def plan(tenants: int, mailboxes: int, **changes: Any) -> Generation:
    names = [f"t{n}" for n in range(tenants)]
    limits = {f"m{n}@x.example": MailboxLimits(daily_min=n) for n in range(mailboxes)}
    return generation(
        *(vmta(n) for n in range(1, 255)),
        tenants=tuple(tenant(name, mailboxes=limits) for name in names),
        pools=tuple(Pool(name=f"{name}-pool", tenant=name) for name in names),
        **changes,
    )


@given(st.integers(1, 5), st.integers(0, 40), st.booleans())
def test_it_is_what_is_read_at_once(tenants: int, mailboxes: int, stopped: bool) -> None:
    made = plan(tenants, mailboxes, stopped=stopped)
    assert read(encode(made))[0] == decode(encode(made)) == made


def test_a_large_tenant_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LARGE", 1_000)
    monkeypatch.setattr(unpacking, "_MAILBOXES", 10)
    made = plan(1, 500)
    found, steps = read(encode(made))
    assert found == made
    assert list(found.tenants[0].mailboxes) == list(made.tenants[0].mailboxes)
    assert steps > 50


def test_a_tenant_that_is_as_it_was_stays() -> None:
    by = Unpacking()
    first, _ = read(encode(plan(3, 5)), by)
    changed = msgspec.structs.replace(
        plan(3, 5, number=2), tenants=(*plan(2, 5).tenants, tenant("t2", paused=True))
    )
    second, _ = read(encode(changed), by)
    assert second == changed
    assert [a is b for a, b in zip(first.tenants, second.tenants, strict=True)] == [
        *(True, True),
        False,
    ]


def test_what_was_refused_is_not_kept() -> None:
    by = Unpacking()
    with pytest.raises(BadGenerationError):
        read(encode(msgspec.structs.replace(plan(2, 1), pools=())), by)
    found, _ = read(encode(plan(2, 1)), by)
    assert found == plan(2, 1)


def spoilt(change: Any) -> bytes:
    made = msgspec.msgpack.decode(encode(plan(2, 3)))
    change(made)
    return msgspec.msgpack.encode(made)


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        encode(plan(2, 3))[:-1],
        spoilt(lambda made: made.update(unheard_of=1)),
        spoilt(lambda made: made.update(tenants=7)),
        spoilt(lambda made: made["tenants"][1].update(name="no name")),
        spoilt(lambda made: made["tenants"][1]["mailboxes"].update(m={"daily_min": -1})),
        spoilt(lambda made: made["vmtas"][3].update(daily="many")),
        spoilt(lambda made: made["vmtas"][3].update(ip="nowhere")),
        spoilt(lambda made: made["vmtas"][3].update(ip="192.0.2.1")),
        spoilt(lambda made: made["pools"][0].update(members=["nobody"])),
        spoilt(lambda made: made["tenants"][0].update(networks=["x"])),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_what_cannot_be_used_is_refused_alike(
    data: bytes, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(unpacking, "LARGE", 1)
    with pytest.raises(BadGenerationError):
        decode(data)
    with pytest.raises(BadGenerationError):
        read(data)
