"""A one-time link by mail, by the server that alerts go by."""

from email.message import EmailMessage
from email.utils import make_msgid

from control.alerts.channel import ChannelError
from control.alerts.mail import posted
from control.users.person import PersonView
from settings.alerts import Alerts


async def mailed(of: PersonView, link: str, settings: Alerts) -> str:
    """What to say of it: mailed to whom, or why not; '' where no mail is set or wanted."""
    if not settings.mail_server or of.mail is None:
        return ""
    try:
        await posted(letter(of, link, settings.mail_from), settings)
    except ChannelError as error:
        return f"not mailed to {of.mail} ({error}): hand it over yourself"
    return f"mailed to {of.mail}"


def letter(of: PersonView, link: str, sender: str) -> EmailMessage:
    """The mail."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = of.mail
    made["Subject"] = "Sendgate: choose your password"
    made["Auto-Submitted"] = "auto-generated"
    made["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip(">") or "localhost")
    made.set_content(
        f"You are {of.name} at Sendgate. This link lets you choose a password, once, until "
        f"{of.link}:\n\n{link}\n\nWhoever did not ask for it leaves it alone and tells an admin.\n"
    )
    return made
