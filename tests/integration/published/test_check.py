"""What a check finds in zones that a real nsd serves: each fault is a zone of its own."""

import re
import socket
import time
from collections.abc import Iterator

import msgspec
import pytest

from control.published.asking import Servers
from control.published.check import check
from control.published.finding import DnsFinding, DomainCheck
from control.published.subject import Subject
from settings.dns import Dns
from tests.integration.published.faults import FAULTS, SPLIT, Fault, pointers, subject, zone
from tests.support.servers.nsd import Nsd, needs_nsd, nsd, whole

pytestmark = needs_nsd

BELOW = "news.big.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsd]:
    zones = {f"f{number}.example": zone(number, fault) for number, fault in enumerate(FAULTS, 1)}
    zones["example"] = whole("example", "")
    zones["elsewhere.example"] = whole("elsewhere.example", f"key IN TXT {SPLIT}")
    zones["big.example"] = whole("big.example", '_dmarc IN TXT "v=DMARC1; p=reject; sp=quarantine"')
    zones["broken.example"] = ""
    zones["2.0.192.in-addr.arpa"] = pointers(4)
    zones["8.b.d.0.1.0.0.2.ip6.arpa"] = pointers(6)
    with nsd(tmp_path_factory.mktemp("nsd"), zones) as started:
        yield started


def settings(*addresses: str, **changes: float) -> Dns:
    return msgspec.convert({"nameservers": addresses, "timeout": 2.0} | changes, Dns)


async def checked(it: Subject, server: Nsd, *read: str) -> DomainCheck:
    return await check(it, Servers(settings(server.address)).questions(), read)


def of(found: DomainCheck, about: str) -> list[DnsFinding]:
    return [one for one in found.findings if one.about == about]


@pytest.mark.parametrize(
    ("number", "fault"), list(enumerate(FAULTS, 1)), ids=[fault.name for fault in FAULTS]
)
async def test_each_fault_is_found_said_and_put_right(
    server: Nsd, number: int, fault: Fault
) -> None:
    it = subject(number)
    found = await checked(it, server)
    assert found.verdict == fault.verdict, found
    wrong = [one for one in found.findings if one.verdict != "ok"]
    if not fault.about:
        assert wrong == []
        return
    said = [one for one in wrong if one.about == fault.about]
    assert re.search(fault.says, " ".join(one.what for one in said)), wrong
    # A fault is no other's: what else is not well follows from it.
    related = {"A": {"A", "PTR"}, "AAAA": {"AAAA", "PTR"}}.get(fault.about, {fault.about})
    assert {one.about for one in wrong} <= related
    if fault.about not in ("MX",) and fault.verdict == "error":
        assert any(one.wanted for one in said)


async def test_what_should_be_there_is_the_very_record(server: Nsd) -> None:
    by_name = {fault.name: number for number, fault in enumerate(FAULTS, 1)}
    it = subject(by_name["other key"])
    (key,) = of(await checked(it, server), "DKIM")
    assert key.wanted[0].startswith(f'sg1._domainkey.{it.domain}. IN TXT "v=DKIM1; k=rsa; p=MII')
    assert "r7bT" in "".join(key.there)
    it = subject(by_name["eleven behind"])
    it = msgspec.structs.replace(it, hosts=[*it.hosts, ("198.51.100.7", "mta3.f.example")])
    spf = next(one for one in of(await checked(it, server), "SPF") if one.verdict == "error")
    assert "198.51.100.7 of 3 does not pass" in spf.what
    # What others have in the domain's record stays, and ours comes first.
    it = subject(by_name["two SPF"])
    (spf,) = of(await checked(it, server), "SPF")
    assert spf.wanted == [f'{it.domain}. IN TXT "v=spf1 include:_spf-acme.{it.domain} ~all"']
    it = subject(by_name["eleven before"])
    spf = of(await checked(it, server), "SPF")[0]
    assert spf.wanted[0].startswith(
        f'{it.domain}. IN TXT "v=spf1 include:_spf-acme.{it.domain} include:i0.'
    )


async def test_the_organisations_dmarc_record_applies_below_it(server: Nsd) -> None:
    found = await checked(subject(250, BELOW), server)
    (dmarc,) = of(found, "DMARC")
    assert (dmarc.verdict, dmarc.what) == ("ok", "that of big.example applies (quarantine)")


async def test_a_domain_that_is_not_there_is_wrong_in_all(server: Nsd) -> None:
    found = await checked(subject(251, "nowhere.example"), server)
    assert found.verdict == "error"
    wrong = {one.about for one in found.findings if one.verdict == "error"}
    assert wrong == {"SPF", "DKIM", "DMARC", "A", "AAAA", "PTR"}


async def test_servfail_refused_and_silence_are_not_known_and_never_wrong(server: Nsd) -> None:
    for domain, says in (("broken.example", "SERVFAIL"), ("other.invalid", "REFUSED")):
        found = await checked(subject(1, domain), server)
        of_it = [one for one in found.findings if one.about not in ("PTR",)]
        assert {one.verdict for one in of_it} == {"unknown"}, found
        assert says in of(found, "DKIM")[0].what
        assert not any(one.wanted or one.there for one in of_it)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        questions = Servers(settings(address, timeout=0.3)).questions()
        found = await check(subject(1), questions)
        assert {one.verdict for one in found.findings} == {"unknown"}
        # One that is silent is passed by where another answers.
        questions = Servers(settings(address, server.address)).questions()
        assert (await check(subject(1), questions)).verdict == "ok"


async def test_a_check_ends_at_its_deadline_whatever_is_left_to_ask() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        given = settings(address, timeout=5.0, at_once=1, deadline=1.0)
        began = time.monotonic()
        found = await check(subject(1), Servers(given).questions())
        assert time.monotonic() - began < 3
        assert found.verdict == "unknown"
        assert any("dns.deadline" in one.what for one in found.findings)


async def test_the_domain_of_bounces_that_powermta_reads_needs_an_mx(server: Nsd) -> None:
    found = await checked(subject(1), server, "@f1.example", "fbl@bounce.f1.example")
    assert [(one.name, one.verdict) for one in of(found, "MX")] == [
        ("f1.example", "error"),
        ("bounce.f1.example", "error"),
    ]


async def test_each_name_is_asked_once_and_no_more_at_a_time_than_set(server: Nsd) -> None:
    servers = Servers(settings(server.address, at_once=2))
    questions = servers.questions()
    asked: list[str] = []
    at_once = 0
    most = 0
    inner = questions._followed

    async def counted(name: str, kind: object) -> object:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        asked.append(f"{name} {kind}")
        try:
            return await inner(name, kind)  # type: ignore[arg-type]
        finally:
            at_once -= 1

    questions._followed = counted  # type: ignore[method-assign,assignment]
    assert (await check(subject(1), questions)).verdict == "ok"
    assert len(asked) == len(set(asked))
    assert most == 2
