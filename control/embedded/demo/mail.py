"""The demo's messages: what MailWizz would send, headers and all."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import msgspec

CAMPAIGN = {"demo-acme": "xk482ptq10cd5", "demo-globex": "bm771wvz93fe2"}
"""Campaign ids in MailWizz's form: 13 characters."""

SUBJECTS = (
    "Soldes d'été : jusqu'à 40 % sur tout le magasin",
    "تخفيضات الصيف: حتى ٤٠٪ على كل المتجر",
    "Votre facture n° 2026-118 est arrivée",
    "أهلاً بك في نشرتنا البريدية",
)


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one recipient."""

    tenant: str
    domain: str
    """Domain of `From:`."""
    to: str
    number: int

    @property
    def sender(self) -> str:
        """The bounce address, as MailWizz uses for MAIL FROM."""
        return f"bounce@{self.domain}"

    @property
    def subscriber(self) -> str:
        """A subscriber id in MailWizz's form."""
        return f"su{self.number:011d}"


def first_day() -> list[Mail]:
    """Enough to use every quota of the table up for days, each limit by its own mail."""
    mails: list[Mail] = []

    def add(tenant: str, domain: str, to: str, count: int) -> None:
        for _ in range(count):
            number = len(mails) + 1
            rcpt = f"reader{number}@{to}"
            mails.append(Mail(tenant=tenant, domain=domain, to=rcpt, number=number))

    add("demo-acme", "shop.demo-acme.example", "gmail.com", 8)
    add("demo-acme", "shop.demo-acme.example", "outlook.com", 3)
    add("demo-acme", "shop.demo-acme.example", "company.example", 9)
    add("demo-acme", "news.demo-acme.example", "company.example", 7)
    add("demo-globex", "demo-globex.example", "company.example", 16)
    return mails


def content(mail: Mail) -> bytes:
    """The message with MailWizz's campaign headers. One in five carries an X-Virtual-MTA of its
    own, as a customer may set in MailWizz: it must not decide anything."""
    campaign = CAMPAIGN[mail.tenant]
    base = f"https://mailwizz.{mail.tenant}.example"
    made = EmailMessage(policy=SMTP.clone(max_line_length=998))
    made["Return-Path"] = f"<{mail.sender}>"
    made["Message-ID"] = f"<demo-{mail.number}-{mail.subscriber}@{mail.domain}>"
    made["From"] = Address(f"L'équipe {mail.tenant}", "news", mail.domain)
    made["To"] = mail.to
    made["Subject"] = SUBJECTS[mail.number % len(SUBJECTS)]
    made["List-Id"] = f"li{mail.tenant} <{mail.tenant}.example>"
    made["List-Unsubscribe"] = (
        f"<{base}/lists/li{mail.tenant}/unsubscribe/{mail.subscriber}/{campaign}>"
    )
    made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made["X-Report-Abuse"] = (
        f"{base}/campaigns/{campaign}/report-abuse/li{mail.tenant}/{mail.subscriber}"
    )
    made["Feedback-ID"] = f"{campaign}:{mail.subscriber}:li{mail.tenant}:cu{mail.tenant}"
    if mail.number % 5 == 0:
        made["X-Virtual-MTA"] = "vmta-of-somebody-else"
    made.set_content("Bonjour,\n\nmerci de votre fidélité.\n\nشكراً لكم.\n")
    return made.as_bytes()
