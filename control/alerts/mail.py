"""Messages as e-mail, by a server of its own: never by the gateways or the PowerMTA that they may
be about."""

from email.message import EmailMessage
from typing import Any

import aiosmtplib

from control.alerts.channel import ChannelError
from control.alerts.message import Message
from settings.alerts import Alerts


class Mail:
    """One server, from one address to some."""

    name = "mail"

    def __init__(self, settings: Alerts) -> None:
        self._settings = settings

    async def send(self, message: Message) -> None:
        """Raises ChannelError."""
        await posted(letter(message, self._settings), self._settings)


async def posted(made: EmailMessage, of: Alerts) -> None:
    """Hands a mail to the server of the settings. Raises ChannelError."""
    host, _, port = of.mail_server.rpartition(":")
    options: dict[str, Any] = {
        "hostname": host.strip("[]"),
        "port": int(port),
        "timeout": of.timeout,
        "use_tls": of.mail_tls == "implicit",
        "start_tls": of.mail_tls == "starttls",
    }
    if of.mail_login:
        options |= {"username": of.mail_login, "password": of.mail_password}
    try:
        await aiosmtplib.send(made, **options)
    except aiosmtplib.SMTPResponseException as error:
        raise ChannelError(f"the mail server answers {error.code} {error.message}") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise ChannelError(f"the mail server: {type(error).__name__}: {error}") from None


def letter(message: Message, of: Alerts) -> EmailMessage:
    """The mail."""
    made = EmailMessage()
    made["From"] = of.mail_from
    made["To"] = ", ".join(of.mail_to)
    made["Subject"] = message.subject
    made["Auto-Submitted"] = "auto-generated"
    # The same each time it is sent, so that a copy is known as one.
    domain = of.mail_from.rpartition("@")[2].strip(">") or "localhost"
    made["Message-ID"] = f"<sendgate-alert-{message.message}-{message.at}@{domain}>"
    made.set_content(message.text + "\n")
    return made
