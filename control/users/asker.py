"""Who asks, said at the door: the audit log has it of whatever the request changes."""

from control.store.origin import come
from control.users.role import Holder


def asked_by(holder: Holder | None, address: str, *, console: bool = False) -> None:
    """This request, from that address; None: nobody who is known. `console`: in a browser."""
    if holder is None:
        come("control", "", address)
    else:
        come("console" if console else holder.kind, holder.name, address)
