"""The configuration of alerts.

As in `settings.model`: the text under a field is its manual, times are seconds.
"""

from typing import Annotated, Literal

import msgspec


class Alerts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told what is wrong (`sendgate alert`), each by every way that is set."""

    least: Literal["info", "warning", "critical"] = "info"
    """The mildest that is sent; all are in `sendgate alert list`."""
    over_after: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 900.0
    """For which what was wrong has to be gone before it is told that it is over. What comes back
    before that is the same alert, and nothing new is told of it but its repeats."""
    timeout: Annotated[float, msgspec.Meta(gt=0, le=30)] = 10.0
    """For one delivery; one that fails is tried again for about six hours."""
    telegram_token: str = ""
    """Of a bot, as Telegram's BotFather gives it; better given as TELEGRAM_BOT_TOKEN. Empty:
    nothing goes there."""
    telegram_chat: str = ""
    """Number or @name of the chat that the bot writes to. Also TELEGRAM_CHAT_ID."""
    telegram_url: str = "https://api.telegram.org"
    """Of the Bot API, or of a server of your own for it."""
    webhook_url: str = ""
    """Where alerts are posted as JSON; empty: nowhere. What stands behind the host may be a secret
    and is not shown."""
    webhook_key: str = ""
    """Signs them: `X-Sendgate-Signature: sha256=HEX`, HMAC-SHA-256 over `X-Sendgate-Timestamp`
    (epoch seconds), a dot and the body. Better given as SENDGATE_ALERTS_WEBHOOK_KEY; empty signs
    nothing."""
    mail_server: str = ""
    """HOST:PORT of a mail server that is not among those that alerts may be about; empty: no
    e-mail."""
    mail_tls: Literal["none", "starttls", "implicit"] = "starttls"
    """How the connection to it is secured."""
    mail_login: str = ""
    """User name for AUTH; empty sends none."""
    mail_password: str = ""
    """For AUTH; better given as SENDGATE_ALERTS_MAIL_PASSWORD."""
    mail_from: str = ""
    """Address that alerts come from."""
    mail_to: tuple[str, ...] = ()
    """Addresses that they go to."""
