"""Who asks, said at the door: the audit log has it of whatever the request changes."""

from control.store.origin import come
from control.users.role import Holder


def asked_by(holder: Holder | None, address: str) -> None:
    """This request, from that address; None: nobody who is known."""
    if holder is None:
        come("control", "", address)
    else:
        come(holder.kind, holder.name, address)
