"""The client at the other end of an SMTP connection."""

from dataclasses import dataclass


@dataclass(slots=True)
class Peer:
    """Its address, the address it reached, and the login it used ("" = none)."""

    address: str
    local_address: str
    user: str = ""
