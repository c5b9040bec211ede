"""Asks blocklists about IPs and domains.

Rule: a list is believed only while it has what every list has, and has not what none may have (RFC
5782 section 5): one that is closed, or that refuses us in silence, would have nobody, and one whose
domain was sold would have everybody. One that stops answering meanwhile is not asked on and on.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from control.blocklists.answer import LONGEST, Verdict, judge, points, question
from control.blocklists.zone import Zone
from control.published.asking import Questions, Servers

SILENT = 20
"""Questions in a row without an answer, after which a list is asked no more in this look."""


class Found(NamedTuple):
    """What one list says of one IP or domain."""

    subject: str
    zone: Zone
    verdict: Verdict
    said: str = ""
    """Its TXT record, of a listing."""


class Round:
    """One look at all of `zones`, or at one subject."""

    def __init__(self, servers: Servers, zones: Sequence[Zone], *, at_once: int) -> None:
        self._servers = servers
        self._zones = zones
        self._at_once = at_once
        self._trouble: dict[str, str] = {}
        """By list, why it is not believed."""
        self._silent = dict.fromkeys((zone.name for zone in zones), 0)

    async def ask(self, ips: Iterable[str], domains: Iterable[str]) -> list[Found]:
        """Of each, what each list of its kind says; IPs that no list knows the family of are not
        among it."""
        waiting = [(ip, [z for z in self._zones if _has(z, ip)]) for ip in ips]
        of_domains = [zone for zone in self._zones if zone.kind == "domain"]
        waiting += [(domain, of_domains) for domain in domains]
        waiting.reverse()
        needed = {zone.name: zone for _, zones in waiting for zone in zones}
        await asyncio.gather(*(self._believe(zone) for zone in needed.values()))
        found: list[Found] = []

        async def work() -> None:
            while waiting:
                subject, zones = waiting.pop()
                questions = self._servers.questions()
                found.extend(
                    await asyncio.gather(*(self._one(questions, zone, subject) for zone in zones))
                )

        await asyncio.gather(*(work() for _ in range(self._at_once)))
        return found

    async def _believe(self, zone: Zone) -> None:
        """Whether it works at all."""
        questions = self._servers.questions()
        has, has_not = (question(zone, point) for point in points(zone))
        there, not_there = await asyncio.gather(
            questions.ask(has, "A"), questions.ask(has_not, "A")
        )
        listed, clean = judge(zone, there), judge(zone, not_there)
        if listed.state == "unknown":
            self._trouble[zone.name] = listed.why
        elif listed.state == "clean":
            self._trouble[zone.name] = (
                f"{has} is not there, which every list has: it is closed, or refuses this resolver"
            )
        elif clean.state != "clean":
            why = clean.why or f"{has_not} is there, which no list may have: it has everybody"
            self._trouble[zone.name] = why

    async def _one(self, questions: Questions, zone: Zone, subject: str) -> Found:
        if trouble := self._trouble.get(zone.name):
            return Found(subject, zone, Verdict(state="unknown", why=trouble))
        name = question(zone, subject)
        verdict = judge(zone, await questions.ask(name, "A"))
        if verdict.state == "unknown" and not verdict.codes:
            self._silent[zone.name] += 1
            if self._silent[zone.name] >= SILENT:
                self._trouble[zone.name] = f"{SILENT} questions in a row got no answer"
        else:
            self._silent[zone.name] = 0
        if verdict.state != "listed":
            return Found(subject, zone, verdict)
        text = await questions.ask(name, "TXT")
        return Found(subject, zone, verdict, " ".join(text.values)[:LONGEST])


def _has(zone: Zone, ip: str) -> bool:
    return zone.kind == "ip" and (zone.ipv6 or ":" not in ip)
