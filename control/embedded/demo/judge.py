"""Compares what happened with what the policy says; every difference is a sentence. Pure."""

from collections import Counter
from datetime import UTC, date, datetime

import msgspec

from control.embedded.demo.expect import Expected
from control.embedded.demo.mail import CAMPAIGN, Mail
from control.embedded.demo.send import Reply
from control.embedded.stack.demotenants import IPS


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the stand-in reports it (other fields are ignored)."""

    time: float
    """Its calendar, seconds since 1970."""
    vmta: str
    rcpts: list[str]
    envid: str
    jobid: str
    header_names: list[str]

    @property
    def day(self) -> date:
        """The UTC day it came."""
        return datetime.fromtimestamp(self.time, UTC).date()


class Waits(msgspec.Struct, frozen=True):
    """A message in the hold (other fields are ignored)."""

    recipient: str
    state: str
    reason: str
    detail: str


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day: what should have happened, and what did."""

    title: str
    date: date
    mails: list[Mail]
    """What waited or came, in order."""
    policy: dict[int, Expected]
    ledger: dict[str, int]
    """Its count at the end of the day by IP."""
    held: list[Waits]
    """At the end of the day."""

    @property
    def left(self) -> list[Mail]:
        """What waits for another day, as the policy says."""
        return [mail for mail in self.mails if not self.policy[mail.number].vmta]


def differences(replies: list[Reply], days: list[Day], taken: list[Taken]) -> list[str]:
    """`taken`: everything PowerMTA received; `days` in order, the last left nothing waiting."""
    found = [
        f"{reply.mail.to}: expected 250, got {reply.code} {reply.text}"
        for reply in replies
        if reply.code != 250
    ]
    answered = {reply.mail.number for reply in replies}
    sent = days[0].mails
    found += [f"{mail.to}: was never answered" for mail in sent if mail.number not in answered]
    came = Counter(rcpt for message in taken for rcpt in message.rcpts)
    found += [
        f"{to}: PowerMTA has it {came[to]} times"
        for to in sorted(came.keys() | {mail.to for mail in sent})
        if came[to] != 1
    ]
    known = {mail.to for mail in sent}
    found += [f"nobody sent a message to {to}, PowerMTA has one" for to in came if to not in known]
    envelopes = Counter(message.envid for message in taken)
    found += [f"envelope id {envid} came {n} times" for envid, n in envelopes.items() if n > 1]
    dates = {day.date for day in days}
    found += [f"PowerMTA got {m.rcpts} on {m.day}" for m in taken if m.day not in dates]
    for day in days:
        found += _day(day, [message for message in taken if message.day == day.date])
    if days[-1].left or days[-1].held:
        found.append(f"{len(days[-1].left)} still wait after {days[-1].title}")
    return found


def _day(day: Day, taken: list[Taken]) -> list[str]:
    found = [text for mail in day.mails for text in _mail(day, mail, taken)]
    expected = Counter(e.vmta for e in day.policy.values() if e.vmta)
    counted = Counter(message.vmta for message in taken for _ in message.rcpts)
    for row in IPS:
        numbers = (expected[row.vmta], day.ledger.get(row.ip, 0), counted[row.vmta])
        if len(set(numbers)) > 1:
            found.append(
                "{}: {}: the policy says {}, the ledger counts {}, PowerMTA got {}".format(
                    day.title, row.vmta, *numbers
                )
            )
    return found


def _mail(day: Day, mail: Mail, taken: list[Taken]) -> list[str]:
    policy = day.policy[mail.number]
    got = [message for message in taken if mail.to in message.rcpts]
    waits = [held for held in day.held if held.recipient == mail.to]
    names = [message.vmta for message in got]
    found = []
    if names != ([policy.vmta] if policy.vmta else []):
        found.append(
            f"{day.title}: {mail.to}: the policy says {policy.vmta or 'hold'}, "
            f"PowerMTA has it from {', '.join(names) or 'none'}"
        )
    reasons = [held.reason if held.state == "held" else held.state for held in waits]
    if policy.vmta and waits:
        found.append(f"{day.title}: {mail.to}: should have gone, waits: {reasons}")
    if not policy.vmta and not (len(waits) == 1 and reasons[0] in policy.whys):
        found.append(
            f"{day.title}: {mail.to}: should wait for {sorted(policy.whys)}, waits: {reasons}"
        )
    for message in got:
        if message.jobid != CAMPAIGN[mail.tenant]:
            found.append(f"{mail.to}: job {message.jobid!r} is not the campaign")
        if "x-virtual-mta" in (name.lower() for name in message.header_names):
            found.append(f"{mail.to}: an X-Virtual-MTA field went out to the recipient")
    return found
