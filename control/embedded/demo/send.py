"""Sends over SMTP as MailWizz does: a login each, one message a connection or kept alive."""

import smtplib
from itertools import groupby

import msgspec

from control.embedded.demo.mail import Mail, content
from control.embedded.stack.demotenants import PASSWORDS

KEPT_ALIVE = frozenset({"demo-globex"})
"""Tenants whose MailWizz keeps its connection; `max_connection_messages` is 1 by default."""

TIMEOUT = 30.0
"""MailWizz's own."""


class Reply(msgspec.Struct, frozen=True):
    """The gateway's answer to one mail."""

    mail: Mail
    code: int
    text: str


def send_all(address: str, mails: list[Mail]) -> list[Reply]:
    """Send one tenant's mails in order; blocking. `address` is host:port."""
    replies: list[Reply] = []
    for tenant, group in groupby(mails, key=lambda mail: mail.tenant):
        if tenant in KEPT_ALIVE:
            replies += _session(address, list(group))
        else:
            for mail in group:
                replies += _session(address, [mail])
    return replies


def _session(address: str, mails: list[Mail]) -> list[Reply]:
    host, _, port = address.rpartition(":")
    with smtplib.SMTP(host, int(port), local_hostname="[127.0.0.1]", timeout=TIMEOUT) as smtp:
        tenant = mails[0].tenant
        smtp.login(tenant, PASSWORDS[tenant])
        return [_one(smtp, mail) for mail in mails]


def _one(smtp: smtplib.SMTP, mail: Mail) -> Reply:
    smtp.ehlo_or_helo_if_needed()
    code, text = smtp.mail(mail.sender)
    if code == 250:
        code, text = smtp.rcpt(mail.to)
    if code in (250, 251):
        code, text = smtp.data(content(mail))
    if code >= 400:
        smtp.rset()
    return Reply(mail, code, text.decode("utf-8", "replace").replace("\n", " "))
