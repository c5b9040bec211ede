"""A configuration ahead of its plan has all that was there before, and is read by PowerMTA."""

from pathlib import Path

import msgspec

from control.pmta.config import pmta_config
from control.pmta.fileset import FileSet
from control.pmta.known import facts
from control.pmta.staged import staged, staged_text
from loadtest.pmta.config import load
from policy.model import Pool, Tenant, VirtualMta
from policy.plan import Generation
from tests.unit.test_control_pmta_config import GENERATION, TERMS, vmta

ONE, TWO = "vmta-192-0-2-1", "vmta-192-0-2-2"
SIGNS = {("acme", "one.example"): "s1", ("acme", "two.example"): "s2"}


def files(
    domains: dict[str, str],
    vmtas: tuple[VirtualMta, ...] = (vmta(ONE, "192.0.2.1"), vmta(TWO, "192.0.2.2")),
    *,
    selectors: dict[tuple[str, str], str] = SIGNS,
    own: str = "",
) -> FileSet:
    """Pool one has the first, pool two the second."""
    here = {v.name for v in vmtas}
    pools = tuple(
        Pool(name=name, tenant="acme", members=(member,))
        for name, member in (("one", ONE), ("two", TWO))
        if member in here
    )
    tenants = (Tenant(name="acme", default_pool=pools[0].name, domains=domains),)
    generation: Generation = msgspec.structs.replace(
        GENERATION, vmtas=vmtas, pools=pools, tenants=tenants
    )
    terms = msgspec.structs.replace(TERMS, selectors=selectors, own={ONE: own} if own else {})
    return pmta_config(generation, terms, "pmta1")


BOTH = {"one.example": "one", "two.example": "two"}


def test_what_goes_stays_beside_what_is_new() -> None:
    before, new = files(BOTH), files(BOTH | {"one.example": "two"})
    found = staged(new, before)
    assert facts(found) == facts(new) | facts(before)
    assert staged(found, before) is found
    assert staged(new, new) is new
    # Where nothing else signs it has to be said that something does.
    block = found.whole().partition(f"<virtual-mta {ONE}>")[2].partition("</virtual-mta>")[0]
    assert block.count("dkim-sign yes") == 1


def test_a_virtual_mta_and_its_pool_stay_and_powermta_reads_it(tmp_path: Path) -> None:
    before = files(BOTH)
    new = files({"two.example": "two"}, (vmta(TWO, "192.0.2.2"),))
    found = staged(new, before)
    assert facts(found) == facts(before)
    file = tmp_path / "config"
    file.write_text(staged_text(new.whole(), before.whole()))
    assert file.read_text() == found.whole()
    loaded = load(file)
    assert {ONE, TWO} <= set(loaded.virtual_mtas)
    assert {"one", "two"} <= set(loaded.pools)


def test_a_domain_that_a_virtual_mta_goes_on_to_sign_has_its_new_key_alone() -> None:
    before, new = files(BOTH), files(BOTH, selectors=SIGNS | {("acme", "one.example"): "s9"})
    assert staged(new, before) is new


def test_a_key_that_stays_is_before_the_operators_own_for_all() -> None:
    own = "domain-key own,*,/etc/pmta/own.pem\n"
    found = staged(files(BOTH | {"one.example": "two"}, own=own), files(BOTH, own=own)).whole()
    block = found.partition(f"<virtual-mta {ONE}>")[2].partition("</virtual-mta>")[0]
    assert block.index("domain-key s1,one.example") < block.index("domain-key own,*")
    # One of theirs that they took away is no plan's.
    new = files(BOTH)
    assert staged(new, files(BOTH, own=own)) is new
