"""Host names of IPs: forward (A, AAAA) and back (PTR), as receivers compare them."""

import asyncio
import ipaddress
from typing import Literal

from control.published.asking import Answer, Questions
from control.published.finding import DnsFinding, Verdict
from control.published.subject import Subject
from control.sources.dns import Record, address_record, pointer_record, zone_text

HostKind = Literal["A", "AAAA", "PTR"]

MOST_POINTED = 10
"""Names of one IP that are looked up."""
_FINE: dict[HostKind, str] = {
    "A": "each host name leads to its IP",
    "AAAA": "each host name leads to its IP",
    "PTR": "each IP leads to its host name, and that back to the IP",
}


async def host_findings(subject: Subject, questions: Questions) -> list[DnsFinding]:
    """What is wrong, one for each; what is fine, one for each kind of record."""
    each = await asyncio.gather(*(_both(ip, host, questions) for ip, host in subject.hosts))
    found = [finding for pair in each for finding in pair]
    rest = [one for one in found if one.verdict != "ok"]
    for about, said in _FINE.items():
        fine = [one for one in found if one.about == about and one.verdict == "ok"]
        if len(fine) == 1:
            rest += fine
        elif fine:
            rest.append(_finding(about, subject.domain, "ok", f"{len(fine)}: {said}"))
    return rest


async def _both(ip: str, host: str, questions: Questions) -> tuple[DnsFinding, DnsFinding]:
    return await _forward(ip, host, questions), await _back(ip, host, questions)


async def _forward(ip: str, host: str, questions: Questions) -> DnsFinding:
    kind = _kind(ip)
    answer = await questions.ask(host, kind)
    record = address_record(ip, host)
    if answer.state == "unknown":
        return _finding(kind, host, "unknown", f"not known: {answer.why}")
    if answer.absent:
        return _finding(kind, host, "error", f"the host name of {ip} has no {kind} record", record)
    if not _has(answer, ip):
        what = f"the host name of {ip} leads elsewhere"
        return _finding(kind, host, "error", what, record, answer)
    return _finding(kind, host, "ok", f"leads to {ip}")


async def _back(ip: str, host: str, questions: Questions) -> DnsFinding:
    name = ipaddress.ip_address(ip).reverse_pointer
    answer = await questions.ask(name, "PTR")
    record = pointer_record(ip, host)
    if answer.state == "unknown":
        return _finding("PTR", name, "unknown", f"not known: {answer.why}")
    if answer.absent:
        what = f"{ip} has no PTR record: large providers refuse its mail"
        return _finding("PTR", name, "error", what, record)
    names = answer.values[:MOST_POINTED]
    backs = await asyncio.gather(*(questions.ask(one, _kind(ip)) for one in names))
    confirmed = [one for one, back in zip(names, backs, strict=True) if _has(back, ip)]
    if host in confirmed and len(names) == 1:
        return _finding("PTR", name, "ok", f"{ip} leads to {host}, and that back")
    if host in confirmed:
        what = f"{ip} has {len(answer.values)} PTR records: some receivers look at one of them only"
        return _finding("PTR", name, "warning", what, record, answer)
    if confirmed:
        what = f"{ip} is called {confirmed[0]}, and says {host} in EHLO: they should be the same"
        return _finding("PTR", name, "warning", what, record, answer)
    if unknown := [back.why for back in backs if back.state == "unknown"]:
        what = f"whether {', '.join(names)} leads back to {ip} is not known: {unknown[0]}"
        return _finding("PTR", name, "unknown", what)
    what = f"{ip} is called {', '.join(names)}, which does not lead back to it"
    if host in names:  # then the record to be made is the other one
        record = address_record(ip, host)
    return _finding("PTR", name, "error", what, record, answer)


def _kind(ip: str) -> Literal["A", "AAAA"]:
    return "A" if ipaddress.ip_address(ip).version == 4 else "AAAA"


def _has(answer: Answer, ip: str) -> bool:
    return any(ipaddress.ip_address(v) == ipaddress.ip_address(ip) for v in answer.values)


def _finding(
    about: HostKind,
    name: str,
    verdict: Verdict,
    what: str,
    record: Record | None = None,
    answer: Answer | None = None,
) -> DnsFinding:
    return DnsFinding(
        about=about,
        name=name,
        verdict=verdict,
        what=what,
        there=[] if answer is None else list(answer.values),
        wanted=[] if record is None else [zone_text(record)],
    )
