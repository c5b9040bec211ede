"""The check of one sending domain: everything that receivers look at, asked at once."""

import asyncio
from collections.abc import Sequence

from control.published.asking import Questions
from control.published.dkim import dkim_findings
from control.published.dmarc import dmarc_finding
from control.published.finding import DomainCheck, worst
from control.published.hosts import host_findings
from control.published.mx import mx_findings
from control.published.spf import spf_findings
from control.published.subject import Subject


async def check(
    subject: Subject, questions: Questions, read_by_powermta: Sequence[str] = ()
) -> DomainCheck:
    """Takes no longer than `dns.deadline`; whatever was not answered is not known.
    `read_by_powermta`: as `mx_findings` has it."""
    spf, dkim, dmarc, hosts, mx = await asyncio.gather(
        spf_findings(subject, questions),
        dkim_findings(subject, questions),
        dmarc_finding(subject, questions),
        host_findings(subject, questions),
        mx_findings(subject, read_by_powermta, questions),
    )
    found = [*spf, *dkim, dmarc, *hosts, *mx]
    return DomainCheck(
        tenant=subject.tenant,
        domain=subject.domain,
        verdict=worst(one.verdict for one in found),
        findings=found,
    )
