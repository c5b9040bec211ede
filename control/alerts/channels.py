"""The ways out that the configuration sets."""

import time

from control.alerts.channel import Channel
from control.alerts.mail import Mail
from control.alerts.telegram import Telegram
from control.alerts.webhook import Webhook
from settings.alerts import Alerts


def channels_of(of: Alerts) -> list[Channel]:
    """None, one, or all three."""
    found: list[Channel] = []
    if of.telegram_token:
        found.append(Telegram(of.telegram_url, of.telegram_token, of.telegram_chat, of.timeout))
    if of.webhook_url:
        found.append(Webhook(of.webhook_url, of.webhook_key, of.timeout, time.time))
    if of.mail_server:
        found.append(Mail(of))
    return found
