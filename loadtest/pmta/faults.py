"""Faults switched on and off at run time: what PowerMTA says when something is wrong with it."""

import re

import msgspec

SIZE = re.compile(r"[ -~]{0,40}")
REPLY = re.compile(r"[245]\d\d[ ][^\r\n]*")


class Faults(msgspec.Struct, forbid_unknown_fields=True):
    """The switches, each off by default.

    A text is a whole reply (``"421 4.3.2 closing"``) said instead of the usual one; a 421 closes
    the connection as RFC 5321 3.8 has it, and so does any greeting fault.
    """

    greeting: str | None = None
    ehlo: str | None = None
    starttls: str | None = None
    auth: str | None = None
    mail: str | None = None
    rcpt: str | None = None
    dot: str | None = None
    """Said after the final dot; the message is not taken."""
    reply_delay: float = 0.0
    """Seconds before each write of replies."""
    freeze: bool = False
    """Neither read nor answer; the kernel still accepts and buffers, as for a stopped process."""
    unknown_vmta: list[str] = []
    """VirtualMTA names refused as if the configuration had lost them."""

    slots: int | None = None
    """Sessions at a time; over it a 421 greeting, as if other feeders had taken the rest."""
    mails: int | None = None
    """MAIL commands a session takes; the next one is answered 421, and the session closes."""
    size: str | None = None
    """What EHLO says behind SIZE; empty: the keyword alone. Nothing is enforced by it."""

    def changed(self, body: bytes) -> "Faults":
        """These faults with the fields in JSON `body` set; the others stay.

        Raises ValueError (also msgspec's) naming the field that is wrong.
        """
        given = msgspec.json.decode(body, type=dict[str, object])
        new = msgspec.convert({**msgspec.structs.asdict(self), **given}, Faults)
        for name in ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "dot"):
            reply = getattr(new, name)
            if reply is not None and not REPLY.fullmatch(reply):
                raise ValueError(f"{name}: write one whole reply, such as '451 4.3.0 try later'")
        for name in ("slots", "mails"):
            if (getattr(new, name) or 0) < 0:
                raise ValueError(f"{name}: write 0 or more, or null")
        if new.size is not None and not SIZE.fullmatch(new.size):
            raise ValueError("size: write what follows the keyword, such as '10000'")
        if not 0 <= new.reply_delay < 3600:
            raise ValueError("reply_delay: write seconds from 0 to 3600")
        return new
