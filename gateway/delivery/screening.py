"""What of a complete message is refused whatever limits say, and what of it decides the rest.

A plain function of the message and its tenant: nothing is waited for, counted or logged.
"""

from gateway.message.headers import scan
from gateway.message.message import Message
from gateway.message.outgoing import Outgoing
from gateway.message.routing import allowed, mailbox, pool_of, providers_of
from policy.duplicate import identify
from policy.model import Tenant
from policy.reply import Reply
from settings.model import Gateway


def screen(message: Message, tenant: Tenant, settings: Gateway) -> Outgoing | Reply:
    """The message as it may go, or why it never will. Of `settings`: `max_header_size` octets,
    `max_hops`."""
    header = scan(message.head, settings.max_header_size)
    if isinstance(header, Reply):
        return header
    if header.hops >= settings.max_hops:
        return Reply(554, "5.4.6", f"the message goes in circles ({header.hops} Received:)")
    sender = mailbox(tenant, message, header)
    if isinstance(sender, Reply):
        return sender
    if not allowed(tenant, sender):
        return Reply(550, "5.7.1", f"this login may not send as {sender}")
    pool = pool_of(tenant, sender)
    if isinstance(pool, Reply):
        return pool
    identity = identify(
        tenant.duplicates,
        tenant.key_scope,
        [recipient.address for recipient in message.recipients],
        header.key_fields,
        lambda: message.body,
    )
    return Outgoing(
        message=message,
        head=message.received + header.kept,
        pool=pool[0],
        mailbox=sender,
        providers=providers_of(message),
        campaign=identity.campaign,
        key=identity.key,
        bulk=bool(identity.campaign or header.bulk),
        message_id=header.message_id,
    )
