"""Where replies and bounces to a sending domain go."""

import asyncio
from collections.abc import Sequence

from control.published.asking import Questions
from control.published.finding import DnsFinding, Verdict
from control.published.subject import Subject


async def mx_findings(
    subject: Subject, read_by_powermta: Sequence[str], questions: Questions
) -> list[DnsFinding]:
    """Of the domain, and of those below it in `read_by_powermta`: addresses, or `@DOMAIN`, whose
    mail PowerMTA is to get."""
    ours = subject.domain
    domains = {address.rpartition("@")[2].lower() for address in read_by_powermta}
    read = {d for d in domains if d == ours or d.endswith(f".{ours}")}
    names = [ours, *sorted(read - {ours})]
    return list(await asyncio.gather(*(_finding(d, d in read, questions) for d in names)))


async def _finding(domain: str, read: bool, questions: Questions) -> DnsFinding:
    answer = await questions.ask(domain, "MX")
    if answer.state == "unknown":
        return _said(domain, "unknown", f"not known: {answer.why}")
    if any(value.endswith(" .") for value in answer.values):
        what = "it says that it takes no mail (RFC 7505): receivers refuse mail that comes from it"
        return _said(domain, "error", what, answer.values)
    if answer.values:
        return _said(domain, "ok", f"mail to it goes to {answer.values[0].split(' ', 1)[1]}")
    addresses = await asyncio.gather(questions.ask(domain, "A"), questions.ask(domain, "AAAA"))
    if any(one.values for one in addresses):
        return _said(domain, "ok", "no MX: mail to it goes to its own address")
    if any(one.state == "unknown" for one in addresses):
        return _said(domain, "unknown", f"no MX, and its address is not known: {addresses[0].why}")
    if read:
        what = "PowerMTA is to read its bounces or complaints, and nothing leads to it: no MX"
        return _said(domain, "error", what)
    # No fault of what was given to be published: who answers its mail is not known here.
    what = "no MX: replies and bounces to its addresses reach nobody; fine where it has none"
    return _said(domain, "ok", what)


def _said(domain: str, verdict: Verdict, what: str, there: Sequence[str] = ()) -> DnsFinding:
    return DnsFinding(about="MX", name=domain, verdict=verdict, what=what, there=[*there])
