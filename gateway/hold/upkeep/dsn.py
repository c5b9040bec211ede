"""Delivery status notifications (RFC 3464) for expiry and late refusals, where a tenant wants them.

Rules: they leave by the system VirtualMTA, outside warm-up, with a null sender (RFC 3464 2), never
to a null sender, never for doubt; marked before they are sent, so that none goes twice.
Failure: a definite one is tried again; an unknown one is not.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any

from gateway.delivery.hop import parcel, unsendable
from gateway.hold.database import Database
from gateway.message.message import Message, Recipient, Sender
from gateway.message.stamp import stamp
from gateway.message.xtext import spoken
from gateway.relay.parcel import Parcel
from gateway.relay.relay import Relay
from gateway.relay.wire import Session
from gateway.watch.log import Log
from policy.outcome import Failed, Outcome
from policy.plan import SYSTEM_VIRTUAL_MTA
from policy.reply import Reply
from settings.statements import statements

_SQL = statements("gateway.hold.upkeep", "upkeep")
_TAKE = _SQL["dsn_take"]
_SENT = _SQL["dsn_sent"]
_AGAIN = _SQL["dsn_again"]

_BUDGET = 20.0
_REPLY = re.compile(r"5[0-9]{2} (?:(5\.[0-9]{1,3}\.[0-9]{1,3}) )?")
_STATUS = {"expired": "4.4.7", "failed": "4.3.0", "refused": "5.0.0"}


class Notices:
    """Sends what events ask for."""

    def __init__(
        self,
        database: Database,
        relay: Relay,
        *,
        hostname: str,
        servers: Callable[[], Sequence[str]],
        log: Log,
    ) -> None:
        """`servers`: names of the generation's; the first that is up takes them."""
        self._database = database
        self._relay = relay
        self._hostname = hostname
        self._servers = servers
        self._log = log

    async def step(self) -> None:
        """Send a few. Raises AwayError, UnknownError, RefusedError."""
        away, broken = self._relay.blocked("dsn")
        usable = [name for name in self._servers() if name not in away]
        if not usable or SYSTEM_VIRTUAL_MTA in broken:
            return
        async with self._database.connection() as link:
            rows = await link.fetch(_TAKE)
        for row in rows:
            outcome = await self._send(usable[0], row)
            failed = isinstance(outcome, Failed)
            async with self._database.connection() as link:
                await link.execute(_AGAIN if failed else _SENT, row["id"])
            self._log.info("dsn", message=row["message"], outcome=type(outcome).__name__.lower())

    async def _send(self, server: str, row: Any) -> Outcome:
        name = f"dsn-{row['id']}"
        head, body = notice(row, self._hostname)
        head = stamp(head, vmta=SYSTEM_VIRTUAL_MTA, job="", envelope=name)

        message = _message(name, row["sender"], head, body)

        def pack(session: Session) -> Parcel | Reply | Failed:
            offered = session.extensions
            problem = unsendable(message, head, offered)
            return parcel(message, head, name, offered) if problem is None else problem

        return await self._relay.send(
            server,
            SYSTEM_VIRTUAL_MTA,
            pack,
            message=name,
            deadline=asyncio.get_running_loop().time() + _BUDGET,
            fresh=lambda: True,
            late=_unheard,
        )


def _message(name: str, to: bytes, head: bytes, body: bytes) -> Message:
    plain = head.isascii() and to.isascii()
    return Message(
        id=name,
        tenant="",
        sender=Sender(b"", body8=not body.isascii(), utf8=not plain),
        recipients=(Recipient(to, ""),),
        head=head,
        body=body,
        peer="",
    )


def _unheard(outcome: Outcome) -> None:
    """Whatever it was, the report is not repeated."""
    del outcome


def notice(row: Any, hostname: str) -> tuple[bytes, bytes]:
    """(header block, body) of the report about one recipient (RFC 3464 2, RFC 6533 3)."""
    boundary = f"=_{row['message']}"
    recipient = row["recipient"].decode("utf-8", "replace")
    sender = row["sender"].decode("utf-8", "replace")
    plain = all(text.isascii() for text in (recipient, sender, row["orcpt"]))
    kind, report = ("rfc822", "delivery-status") if plain else ("utf-8", "global-delivery-status")
    detail = " ".join(row["detail"].split())[:500]
    # PowerMTA's own words, where it refused (RFC 3464 2.3.6: the type says whose reply it is).
    said = _REPLY.match(detail) if row["kind"] == "refused" else None
    status = (said and said[1]) or _STATUS[row["kind"]]
    diagnostic = "smtp" if said else "x-sendgate"
    thread = f"In-Reply-To: {_field(row['message_id'])}\r\n" if row["message_id"] else ""
    envelope = f"Original-Envelope-Id: {spoken(row['envid'])}\r\n" if row["envid"] else ""
    original = f"Original-Recipient: {_original(row['orcpt'])}\r\n" if row["orcpt"] else ""
    head = (
        f"From: Mail Delivery System <MAILER-DAEMON@{hostname}>\r\nTo: <{sender}>\r\n"
        f"Subject: Undelivered mail returned to sender\r\nDate: {formatdate(row['at'] / 1000)}\r\n"
        f"Message-ID: <dsn.{row['message']}@{hostname}>\r\n{thread}Auto-Submitted: auto-replied\r\n"
        f'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type="delivery-status";\r\n'
        f'\tboundary="{boundary}"\r\n\r\n'
    )
    body = (
        f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n"
        f"Your message to {recipient} was not delivered:\r\n\r\n  {detail}\r\n\r\n"
        f"--{boundary}\r\nContent-Type: message/{report}\r\n\r\n"
        f"{envelope}Reporting-MTA: dns; {hostname}\r\n"
        f"Arrival-Date: {formatdate(row['at'] / 1000)}\r\n\r\n"
        f"{original}Final-Recipient: {kind}; {recipient}\r\nAction: failed\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: {diagnostic}; {detail}\r\n\r\n--{boundary}--\r\n"
    )
    return head.encode(), body.encode()


def _original(orcpt: bytes) -> str:
    kind, _, address = orcpt.partition(b";")
    return f"{kind.decode('ascii')};{spoken(address)}"


def _field(text: str) -> str:
    return " ".join(text.split())
