"""Which pool and mailbox a message has, or why its sender may not send it.

Plain functions of the generation and the header; no I/O.
"""

from functools import lru_cache

from gateway.message.headers import Header
from gateway.message.message import Message
from policy.address import mailbox_of
from policy.author import FromProblem, from_mailbox
from policy.model import SHARED_MAILBOX, Tenant
from policy.provider import provider_of
from policy.reply import Reply

_SHORT = 256
"""Octets of a From: value that is worth remembering: 4096 of them are a megabyte."""


def _read(value: bytes) -> str | FromProblem:
    return from_mailbox(value.decode("utf-8", "replace"))


# A campaign has one From: field and thousands of messages.
_known = lru_cache(maxsize=4096)(_read)


def mailbox(tenant: Tenant, message: Message, header: Header) -> str | Reply:
    """The sender's identity, `local@domain` in lower case."""
    if tenant.mailbox == "envelope":
        address = message.sender.address.decode()
        if not address:
            return Reply(550, "5.1.7", "this tenant needs a sender in MAIL FROM")
        malformed = "the sender in MAIL FROM cannot be read as one mailbox"
        return mailbox_of(address) or Reply(550, "5.1.7", malformed)
    found: str | FromProblem
    if len(header.from_values) == 1:
        value = header.from_values[0]
        found = _known(value) if len(value) <= _SHORT else _read(value)
    else:
        found = FromProblem.SEVERAL if header.from_values else FromProblem.MISSING
    if not isinstance(found, FromProblem):
        return found
    if found.unreadable and tenant.unreadable_from == "shared" and _anybody(tenant):
        return SHARED_MAILBOX
    return Reply(550, "5.6.0", found.value)


def _anybody(tenant: Tenant) -> bool:
    """It may send as whom it likes, so that nobody has to know as whom."""
    return not tenant.senders and not tenant.strict


def allowed(tenant: Tenant, address: str) -> bool:
    """Whether the tenant's list of senders admits `address` (an empty list admits all)."""
    if not tenant.senders:
        return True
    return address in tenant.senders or address.rpartition("@")[2] in tenant.senders


def pool_of(tenant: Tenant, address: str) -> tuple[str, bool] | Reply:
    """(pool, whether the domain was added)."""
    domain = address.rpartition("@")[2]
    pool = tenant.domains.get(domain)
    if pool is not None:
        return pool, True
    if tenant.strict:
        return Reply(550, "5.7.1", f"sending domain {domain} was not added for this tenant")
    return tenant.default_pool, False


def providers_of(message: Message) -> tuple[tuple[str, int], ...]:
    """Recipients by provider."""
    recipients = message.recipients
    if len(recipients) == 1:
        return ((provider_of(recipients[0].domain), 1),)
    counts: dict[str, int] = {}
    for recipient in recipients:
        provider = provider_of(recipient.domain)
        counts[provider] = counts.get(provider, 0) + 1
    return tuple(counts.items())
