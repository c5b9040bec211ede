"""Compares what happened with what the policy says; every difference is a sentence. Pure."""

from collections import Counter

import msgspec

from control.demo.expect import Day, Expected
from control.demo.mail import CAMPAIGN, Mail
from control.demo.send import Reply
from control.demo.table import IPS


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the stand-in reports it (other fields are ignored)."""

    vmta: str
    rcpts: list[str]
    envid: str
    jobid: str
    header_names: list[str]


def expected(mails: list[Mail]) -> dict[int, Expected]:
    """Mail number to what the policy says, for one day's mail in order."""
    day = Day()
    return {mail.number: day.expect(mail) for mail in mails}


def differences(
    mails: list[Mail],
    policy: dict[int, Expected],
    replies: list[Reply],
    taken: list[Taken],
    ledger: dict[str, int],
) -> list[str]:
    """`taken`: this day's messages at PowerMTA; `ledger`: its count today by IP."""
    found = [text for mail in mails for text in _mail(mail, policy[mail.number], replies, taken)]
    known = {mail.to for mail in mails}
    found += [
        f"PowerMTA has a message to {rcpt} that nobody sent"
        for message in taken
        for rcpt in message.rcpts
        if rcpt not in known
    ]
    relayed = Counter(expectation.vmta for expectation in policy.values() if expectation.vmta)
    for row in IPS:
        if ledger.get(row.ip, 0) != relayed[row.vmta]:
            found.append(
                f"{row.vmta}: the ledger counts {ledger.get(row.ip, 0)}, "
                f"the policy says {relayed[row.vmta]}"
            )
    envelopes = Counter(message.envid for message in taken)
    found += [f"envelope id {envid} came {n} times" for envid, n in envelopes.items() if n > 1]
    return found


def _mail(mail: Mail, policy: Expected, replies: list[Reply], taken: list[Taken]) -> list[str]:
    reply = next((r for r in replies if r.mail.number == mail.number), None)
    if reply is None:
        return [f"{mail.to}: was never answered"]
    got = [message for message in taken if mail.to in message.rcpts]
    names = [message.vmta for message in got]
    if not policy.vmta:
        found = [f"{mail.to}: the policy defers it, PowerMTA has it from {name}" for name in names]
        if reply.code != 451 or policy.why not in reply.text:
            found.append(
                f"{mail.to}: expected 451 with {policy.why!r}, got {reply.code} {reply.text}"
            )
        return found
    found = []
    if reply.code != 250:
        found.append(f"{mail.to}: expected 250, got {reply.code} {reply.text}")
    if names != [policy.vmta]:
        found.append(
            f"{mail.to}: the policy says {policy.vmta}, PowerMTA has {', '.join(names) or 'none'}"
        )
    for message in got:
        if message.jobid != CAMPAIGN[mail.tenant]:
            found.append(f"{mail.to}: job {message.jobid!r} is not the campaign")
        if "x-virtual-mta" in (name.lower() for name in message.header_names):
            found.append(f"{mail.to}: an X-Virtual-MTA field went out to the recipient")
    return found
