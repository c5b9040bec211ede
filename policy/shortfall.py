"""How many mailboxes with mail waiting lack something to their daily minimum, and how much."""

import msgspec

from policy.fairness import Tenant


class Shortfall(msgspec.Struct):
    """Of one pool of a tenant, today so far. Only what waits counts: who has no mail lacks none."""

    mailboxes: int = 0
    """With mail waiting."""
    behind: int = 0
    """Of those below their minimum."""
    missing: int = 0
    """Recipients they lack, together."""
    most: int = 0
    """And the one that lacks most."""


def shortfalls(tenant: Tenant) -> dict[str, Shortfall]:
    """By pool; a mailbox whose domain moved counts where its oldest line is."""
    found: dict[str, Shortfall] = {}
    for box in tenant.boxes.values():
        if not box.lines:
            continue
        pool = box.lines[0].group.key[0]
        one = found.get(pool)
        if one is None:
            one = found[pool] = Shortfall()
        one.mailboxes += 1
        lack = box.reach - box.sent
        if lack > 0:
            one.behind += 1
            one.missing += lack
            one.most = max(one.most, lack)
    return found
