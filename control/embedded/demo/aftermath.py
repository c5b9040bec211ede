"""The demo's last day: mail that bounces and is put off, and what the system makes of it."""

import asyncio
import smtplib
from collections.abc import Awaitable, Callable

import msgspec

from control.embedded.demo.mail import Mail
from control.embedded.demo.send import TIMEOUT
from control.embedded.stack.demotenants import PASSWORDS

IP = "203.0.113.10"
TENANT, DOMAIN = "demo-acme", "shop.demo-acme.example"
PATIENCE = 30.0
"""Seconds until a record is counted and a gateway knows of it; both take a few."""
_LOOK = 0.2


class Sums(msgspec.Struct, frozen=True):
    """Of one IP and day, as the API answers (other fields are ignored)."""

    relayed: int = 0
    delivered: int = 0
    bounced: int = 0
    bounced_address: int = 0
    deferred: int = 0


EXPECTED = Sums(relayed=6, delivered=3, bounced=2, bounced_address=2, deferred=1)
"""Of `mails`: the stand-in bounces and puts off whom their names ask for."""


class Aftermath(msgspec.Struct, frozen=True, kw_only=True):
    """What followed."""

    counted: Sums
    refused: dict[str, str]
    """Recipients the gateway takes no mail for any more, with its reply."""
    taken: list[str]
    """Recipients it takes mail for as before."""


def mails(first: int) -> list[Mail]:
    """Three that arrive, two whose mailbox there is not, one that is put off."""
    kinds = ("reader", "reader", "reader", "bounce+", "bounce+", "transient+")
    return [
        Mail(tenant=TENANT, domain=DOMAIN, to=f"{kind}{number}@company.example", number=number)
        for number, kind in enumerate(kinds, first)
    ]


async def follow(sent: list[Mail], smtp: str, sums: Callable[[], Awaitable[Sums]]) -> Aftermath:
    """Wait for the records and for the gateways to hear of them, at most `PATIENCE` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    bounced = {mail.to for mail in sent if mail.to.startswith("bounce")}
    while True:
        counted = await sums()
        answers = await asyncio.to_thread(_asked, smtp, sent)
        refused = {to: text for to, (code, text) in answers.items() if code == 550}
        if (counted == EXPECTED and refused.keys() == bounced) or loop.time() > deadline:
            taken = [to for to, (code, _) in answers.items() if code == 250]
            return Aftermath(counted=counted, refused=refused, taken=taken)
        await asyncio.sleep(_LOOK)


def differences(sent: list[Mail], found: Aftermath) -> list[str]:
    """Between what followed and what should have."""
    wrong = []
    if found.counted != EXPECTED:
        wrong.append(f"{IP}: statistics should be {EXPECTED}, are {found.counted}")
    for mail in sent:
        bounces = mail.to.startswith("bounce")
        if bounces and mail.to not in found.refused:
            wrong.append(f"{mail.to} bounced, and is still taken")
        if not bounces and mail.to not in found.taken:
            wrong.append(f"{mail.to} did not bounce, and is not taken")
    return wrong


def _asked(address: str, sent: list[Mail]) -> dict[str, tuple[int, str]]:
    """The answer to RCPT for each; nothing is sent."""
    host, _, port = address.rpartition(":")
    found = {}
    with smtplib.SMTP(host, int(port), local_hostname="[127.0.0.1]", timeout=TIMEOUT) as smtp:
        smtp.login(TENANT, PASSWORDS[TENANT])
        smtp.mail(sent[0].sender)
        for mail in sent:
            code, text = smtp.rcpt(mail.to)
            found[mail.to] = (code, text.decode("utf-8", "replace"))
        smtp.rset()
    return found
