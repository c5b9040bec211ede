"""What of a complete message is refused whatever limits say, and what the rest of its way has."""

import msgspec
import pytest

from gateway.delivery.screening import screen
from gateway.message.message import Message, Recipient, Sender
from gateway.message.outgoing import Outgoing
from policy.denial import Denied, Limit
from policy.model import Tenant
from policy.reply import Reply
from settings.model import Gateway
from tests.support.gateway.generations import tenant

SETTINGS = Gateway(max_header_size=2_000, max_hops=3)
FROM = "From: News <News@Acme.example>\r\n"


def screened(header: str, of: Tenant, *recipients: str) -> Outgoing | Reply:
    to = recipients or ("a@gmail.com",)
    message = Message(
        id="0abcdefghj1234567890zzzzzz1",
        tenant=of.name,
        sender=Sender(b"bounce@acme.example"),
        recipients=tuple(Recipient(a.encode(), a.partition("@")[2]) for a in to),
        head=f"{header}\r\n".encode(),
        body=b"hello\r\n",
        peer="192.0.2.7",
        received=b"Received: by us\r\n",
    )
    return screen(message, of, SETTINGS)


@pytest.mark.parametrize(
    ("header", "of", "code", "why"),
    [
        (FROM + "X: " + "x" * 2_000 + "\r\n", tenant(), 552, "header"),
        (FROM + "Received: by x\r\n" * 3, tenant(), 554, "in circles (3 Received:)"),
        ("Subject: x\r\n", tenant(), 550, "From:"),
        (FROM, tenant(senders=("else.example",)), 550, "may not send as news@acme"),
        (FROM, tenant(strict=True), 550, "acme.example was not added"),
    ],
)
def test_a_message_that_may_never_go_is_refused(
    header: str, of: Tenant, code: int, why: str
) -> None:
    refusal = screened(header, of)
    assert isinstance(refusal, Reply)
    assert refusal.code == code
    assert why in refusal.text


def test_a_message_that_may_go_has_all_that_the_ledger_and_the_hold_ask_for() -> None:
    header = FROM + "Message-ID: <1@acme.example>\r\nPrecedence: bulk\r\nx-virtual-mta: mine\r\n"
    acme = tenant(domains={"acme.example": "warm"})
    outgoing = screened(header, acme, "a@gmail.com", "b@web.de", "c@gmail.com")
    assert isinstance(outgoing, Outgoing)
    assert (outgoing.pool, outgoing.mailbox) == ("warm", "news@acme.example")
    assert dict(outgoing.providers)["gmail"] == 2
    assert sum(count for _, count in outgoing.providers) == 3
    assert (outgoing.bulk, outgoing.message_id) == (True, "<1@acme.example>")
    assert outgoing.head.startswith(b"Received: by us\r\nFrom: ")
    assert b"x-virtual-mta" not in outgoing.head
    assert not outgoing.held


def test_a_message_without_a_campaign_and_a_mark_is_no_bulk() -> None:
    outgoing = screened(FROM, tenant())
    assert isinstance(outgoing, Outgoing)
    assert not outgoing.bulk
    assert outgoing.campaign == ""


@pytest.mark.parametrize(
    ("limit", "until", "rests"),
    [
        (Limit.MAILBOX_MAX, 9_000, 5_000),
        (Limit.MAILBOX_SPACING, 4_000, 4_000),
        (Limit.IP_QUOTA, 9_000, 0),
    ],
)
def test_only_a_mailbox_that_is_full_waits_by_itself_and_is_looked_at(
    limit: Limit, until: int, rests: int
) -> None:
    assert Denied(limit, "x", until, 1, 1).rests(5_000) == rests


MAILWIZZ = f"{FROM}Feedback-ID: qw123er456ty7:zx098cv765bn4:li123456:cu1\r\n"


def key_of(of: Tenant) -> str:
    found = screened(MAILWIZZ, of, "anna@gmail.com")
    assert isinstance(found, Outgoing)
    return found.key


def test_a_former_tenants_mail_is_no_copy_of_the_next_ones_of_its_name() -> None:
    former, following = (
        msgspec.structs.replace(tenant(), id=number, keyed_by_id=True) for number in (7, 8)
    )
    assert former.name == following.name
    assert key_of(former) != key_of(following)
    assert key_of(former) == key_of(former)


def test_a_tenant_from_before_keys_had_the_id_keeps_its_keys() -> None:
    # The digest of test_duplicate: entries, held rows and envelope ids in flight have it.
    old = msgspec.structs.replace(tenant(), name="acme", id=7)
    assert key_of(old) == "f221049517e47655c92bbe58a06c86b5"
