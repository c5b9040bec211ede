"""Taking an address out of the list of suppressions without letting it get mail again.

Rule: whoever asks to be forgotten does not ask for mail. Its rows stay, known by their keyed digest
alone, as gateways know all of them: the address is refused as before, can be asked for and let go
by whoever types it, and stands nowhere. A record or a person that names it again changes nothing of
that. What a row said of it in somebody's words goes, too: a bounce text quotes its recipient.
"""

from control.store.change import Act
from control.suppressions.change import SQL, locked
from policy.suppression import canonical


async def forget(act: Act, recipient: str, tenant: str | None) -> int:
    """How many rows; of one tenant, or None of all. `recipient` in its one spelling."""
    address = canonical(recipient)
    if address is None:
        return 0
    # As everybody who writes: behind whoever is just adding it.
    await locked(act.connection)
    return int(await act.connection.fetchval(SQL["forget"], address, tenant))
