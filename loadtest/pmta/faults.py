"""Faults switched on and off at run time: what PowerMTA says when something is wrong with it."""

import re

import msgspec

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
        if not 0 <= new.reply_delay < 3600:
            raise ValueError("reply_delay: write seconds from 0 to 3600")
        return new
