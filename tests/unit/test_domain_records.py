"""What a change makes of the DNS records of a pool with many domains."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import pytest

from control.plan.rows import DomainRow, PoolRow, Rows, VmtaRow
from control.sources.domainview import DomainView, domain_changed, domain_views
from control.sources.spf import Line, lines


def vmta(number: int) -> VmtaRow:
    return VmtaRow(
        name=f"v{number:04}",
        tenant="acme",
        ip=f"10.0.{number // 250}.{number % 250 + 1}",
        host_name=f"mta{number}.example.com",
        server="pmta1",
        state="active",
        quota_source="plan",
        fixed_quota=None,
        hourly_share=1.0,
        weight=1.0,
        plan="default",
        stage=1,
        ceilings=None,
        created=float(number),
    )


def rows(ips: int, domains: int, *, public: str = "A" * 392) -> Rows:
    """A pool whose domains all go through all of its IPs."""
    return Rows(
        pools=[PoolRow("acme", "acme", None, False, [f"v{n:04}" for n in range(ips)])],
        vmtas=[vmta(n) for n in range(ips)],
        domains=[
            DomainRow("acme", f"d{n:02}.example", "acme", "sg", public, "d00.example")
            for n in range(domains)
        ],
    )


class Calls:
    """Of functions written in Python: work, whatever else the machine does."""

    count = 0


@contextmanager
def counted() -> Iterator[Calls]:
    calls = Calls()

    def one(frame: object, event: str, argument: object) -> None:
        calls.count += event == "call"

    before = sys.getprofile()
    sys.setprofile(one)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def added(ips: int, domains: int) -> tuple[int, DomainView]:
    """An IP comes to the pool: calls, and what is told of the first domain."""
    before, after = rows(ips, domains), rows(ips + 1, domains)
    with counted() as calls:
        view = domain_changed(before, after, "acme", "d00.example")
    return calls.count, view


@pytest.mark.parametrize("ips", [20, 1_000])
def test_one_more_ip_costs_the_same_for_one_domain_of_a_pool_and_for_many(ips: int) -> None:
    # How a pool is divided among SPF records is remembered, and is not what is counted here.
    added(ips, 1)
    alone, _ = added(ips, 1)
    many, view = added(ips, 30)
    # A domain has three records of its own; each costs less than thirty calls.
    assert many - alone < 30 * 30, (alone, many)
    assert [r.name for r in view.records if r.change][-2] == f"mta{ips}.example.com"


def test_an_ip_that_comes_costs_in_proportion_to_what_is_to_be_published() -> None:
    few, _ = added(2_000, 2)
    most, _ = added(4_000, 2)
    assert most < 2.2 * few, (few, most)
    # It has three records, before and behind the change.
    assert most < 100 * 4_000, most


def test_a_page_of_domains_makes_the_records_of_their_pool_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def noted(name: str, ips: Sequence[str]) -> list[Line]:
        made.append(name)
        return lines(name, ips)

    monkeypatch.setattr("control.sources.dns.lines", noted)
    found = domain_views(rows(50, 10))
    assert made == ["_spf-acme.d00.example"]
    assert len({view.records[-1] for view in found}) == 1


def test_what_changed_at_siblings_is_told_once_each() -> None:
    before, after = rows(3, 3), rows(4, 3)
    other = msgspec.structs.replace(after.domains[2], dkim_public="B" * 392)
    after = msgspec.structs.replace(after, domains=[*after.domains[:2], other])
    view = domain_changed(before, after, "acme", "d01.example")
    assert [(r.name, r.type, r.change) for r in view.records if r.change] == [
        ("_spf-acme.d00.example", "TXT", "changed"),
        ("mta3.example.com", "A", "new"),
        ("4.0.0.10.in-addr.arpa", "PTR", "new"),
    ]
    assert [(r.name, r.change) for r in view.also] == [("sg._domainkey.d02.example", "changed")]
