"""Plans and generations: what may be published, and what a stage allows."""

import msgspec
import pytest

from policy.model import Login, Pool
from policy.plan import BadGenerationError, decode, encode, problems
from policy.provider import OTHER, PROVIDERS, provider_of
from tests.support.gateway.generations import generation, tenant, vmta


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("gmail.com", "gmail"),
        ("hotmail.fr", "microsoft"),
        ("aol.com", "yahoo"),
        ("icloud.com", "apple"),
        ("bk.ru", "mailru"),
        ("company.test", OTHER),
    ],
)
def test_a_recipient_domain_has_a_provider(domain: str, provider: str) -> None:
    assert provider_of(domain) == provider
    assert provider in PROVIDERS


def test_a_generation_survives_the_wire() -> None:
    plan = generation(vmta(1), vmta(2, daily="unlimited"))
    assert decode(encode(plan)) == plan
    assert repr(plan) == "<Generation 1: 1 tenants, 1 pools, 2 VirtualMTAs>"


def test_what_is_no_generation_is_refused_with_its_path() -> None:
    with pytest.raises(BadGenerationError, match="not a generation"):
        decode(b"\x00garbage")
    wrong = msgspec.to_builtins(generation())
    wrong["vmtas"][0]["daily"] = -5
    with pytest.raises(BadGenerationError, match="daily"):
        decode(msgspec.msgpack.encode(wrong))


def test_every_problem_of_a_generation_is_named_at_once() -> None:
    plan = generation(
        vmta(1, server="nowhere"),
        vmta(2, ip="192.0.2.1"),
        vmta(3, ip="not-an-ip"),
        vmta(4, name="ACME-pool"),
        pools=(
            Pool(name="acme-pool", tenant="acme", members=("vmta-1", "ghost"), overflow="loop"),
            Pool(name="loop", tenant="acme", overflow="acme-pool"),
            Pool(name="orphan", tenant="nobody", members=("vmta-1",), overflow="gone"),
        ),
        tenants=(
            tenant(domains={"a.test": "missing", "b.test": "orphan"}, networks=("300.0.0.0/8",)),
            tenant("globex", default_pool="loop", logins=(Login(name="acme", hash="x"),)),
        ),
    )
    found = "\n".join(problems(plan))
    for expected in (
        "VirtualMTA vmta-1: PowerMTA server nowhere does not exist",
        "IP 192.0.2.1 belongs to two VirtualMTAs, vmta-1 and vmta-2",
        "'not-an-ip' is not an IP address",
        "the name is taken by VirtualMTA ACME-pool",
        "pool acme-pool: VirtualMTA ghost does not exist",
        "pools acme-pool → loop → acme-pool overflow in a circle",
        "tenant nobody does not exist",
        "overflow pool gone does not exist",
        "VirtualMTA vmta-1 is in pools of two tenants",
        "uses pool missing, which does not exist",
        "uses pool orphan of another tenant",
        "network 300.0.0.0/8",
        "login acme belongs to two tenants, acme and globex",
        "uses pool loop of another tenant",
    ):
        assert expected in found
    assert problems(generation()) == []
